"""A scenario: a world of a cluster, a Vault and an ESO, and what happens in it step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.demo.cluster import SimulatedCluster
from exporter.demo.vault import SimulatedVault


@dataclass(frozen=True, slots=True)
class World:
    """What a step can change."""

    cluster: SimulatedCluster
    vault: SimulatedVault


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens `wait` seconds (before scaling) after the step before it."""

    wait: float
    title: str
    text: str
    """What happens, in a sentence or two for the person who watches."""
    look: tuple[str, ...]
    """Series to look at, as PromQL selectors, and what they say now."""
    act: Callable[[World], object]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A start state and the steps that follow."""

    name: str
    text: str
    start: Callable[[World], object]
    steps: tuple[Step, ...]

    def describe(self, scale: float = 1.0) -> list[str]:
        """The whole scenario told in advance, one line a step, with the seconds since the start at this scale."""
        lines, at = [self.text], 0.0
        for step in self.steps:
            at += step.wait
            lines.append(f"{at * scale:6.0f} s  {step.title}: {step.text}")
        return lines

    @property
    def seconds(self) -> float:
        """How long it takes at scale 1."""
        return sum(step.wait for step in self.steps)
