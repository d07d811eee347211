"""The pure part of the direct road over a small world: objects in, alerts out; time is the test's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from exporter.judge.vault import Memory, VaultJudgement, judge
from exporter.notify.evaluation import Evaluation, Outcome
from exporter.notify.present import read
from exporter.notify.timeline import Firing, Timeline
from exporter.notify.words import Links
from exporter.vault.observation import Observation
from tests.world import World

STEP = 15.0
"""Seconds between two looks."""
ACTIVE: dict[str, Any] = {"initialized": True, "sealed": False, "standby": False}
STANDBY: dict[str, Any] = {"initialized": True, "sealed": False, "standby": True}
SEALED: dict[str, Any] = {"initialized": True, "sealed": True, "standby": True}
UNINITIALIZED: dict[str, Any] = {"initialized": False, "sealed": True, "standby": True}
GONE: dict[str, Any] = {"up": False, "error": "connect"}


def title(one: Firing) -> str:
    """`EsoVaultSealed/critical vault=main`."""
    return " ".join([f"{one.alert.name}/{one.alert.severity}", *(f"{name}={value}" for name, value in one.labels)])


class Road:
    """A world, its Vaults, and the alerts that come of both."""

    def __init__(self, world: World | None = None, *, excluded: Iterable[str] = (), scale: float = 1.0) -> None:
        self.world = world or World()
        self.nodes: dict[str, dict[str, Any]] = {}
        self.unreadable: set[str] = set()
        self.excluded = tuple(excluded)
        self.timeline = Timeline(scale)
        self.evaluation = Evaluation(
            self.timeline,
            Links("https://docs/runbooks/{alert}.md", "https://grafana", "prod"),
            lambda resource, _namespace: resource not in self.unreadable,
        )
        self._memories: dict[str, Memory] = {}
        self.outcome: Outcome | None = None

    def vault(self, state: Mapping[str, Any] | None = None, /, name: str = "main", **nodes: Mapping[str, Any]) -> None:
        """What the probes see from now on: of one address, or of nodes by name."""
        given = {node.replace("_", "-"): dict(seen) for node, seen in nodes.items()}
        self.nodes[name] = given or {"entry": {**(state or ACTIVE), "configured_node": False}}

    def observations(self) -> dict[tuple[str, str], Observation]:
        """What the probes see now."""
        return {
            (name, node): Observation(
                name, node, self.world.now, 0.01, **{"up": True, "configured_node": True, **state}
            )
            for name, nodes in self.nodes.items()
            for node, state in nodes.items()
        }

    def judgements(self) -> dict[str, VaultJudgement]:
        """The Vaults, judged as the refresher does."""
        found = {}
        observations = self.observations()
        for name, nodes in self.nodes.items():
            seen = {node: observations[name, node] for node in nodes}
            memory = self._memories.get(name, Memory())
            found[name], self._memories[name] = judge(name, list(nodes), seen, self.world.now, memory)
        return found

    def look(self) -> list[str]:
        """One evaluation now; titles of what fires."""
        self.world.judge()
        week = 604_800 * self.timeline.scale
        present = read(self.world.groups, self.judgements(), self.world.now, week=week, excluded=self.excluded)
        self.outcome = self.evaluation.look(present)
        return sorted(map(title, self.outcome.firing))

    def wait(self, seconds: float, step: float = STEP) -> list[str]:
        """Evaluates every `step` seconds until `seconds` have passed, the last time at their end."""
        end = self.world.now + seconds
        while self.world.now < end:
            self.world.now = min(end, self.world.now + step)
            found = self.look()
        return found

    def firing(self, name: str) -> Firing:
        """The only alert of that name."""
        assert self.outcome is not None
        [one] = [one for one in self.outcome.firing if one.alert.name == name]
        return one
