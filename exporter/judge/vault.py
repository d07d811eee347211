"""One Vault: whether it serves, why not, and which of its nodes do not while others do."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from exporter.judge.findings import Problem
from exporter.vault.observation import CAUSES, Observation

MIXED_FOR = 120.0
"""Seconds for which a bad node behind an address stays told after it was last met: with one of three nodes sealed, twelve
probes in a row miss it in less than one case of a hundred."""
UNKNOWN_FOR = 600.0
"""Seconds for which the last verdict stands while a quota keeps us from asking: only an unsealed server has quotas."""

NODE_PROBLEMS = {"sealed": "node_sealed", "uninitialized": "node_sealed", "unreachable": "node_unreachable"}
"""Cause of one node → its problem while another one serves. An unsealed standby (no_active) is none."""

Key = tuple[str, str]
"""(node, problem); node empty for the Vault as a whole."""


class NodeJudgement(msgspec.Struct, frozen=True, gc=False):
    """One node: what it was last seen to say, and its problems while another node serves."""

    seen: Observation
    problems: tuple[Problem, ...] = ()


class VaultJudgement(msgspec.Struct, frozen=True, gc=False):
    """One Vault. `available` is None until enough is known; `error` tells why it is False: one of observation.CAUSES."""

    vault: str
    available: bool | None
    error: str
    problems: tuple[Problem, ...]
    nodes: tuple[NodeJudgement, ...]


class Memory(msgspec.Struct, frozen=True):
    """What the next judgement needs of this one.

    `since`: when each present problem was first seen; `met`: when a bad node behind an address was last met, with its
    error; `answered`: the newest observation on which `available` and `error` rest.
    """

    available: bool | None = None
    error: str = ""
    answered: float = 0.0
    since: Mapping[Key, float] = {}
    met: Mapping[Key, tuple[float, str]] = {}


def judge(
    vault: str, nodes: Collection[str], seen: Mapping[str, Observation], now: float, before: Memory
) -> tuple[VaultJudgement, Memory]:
    """Judge one Vault by the newest observation of each of its `nodes` (labels); a node not yet asked has none.

    Rules of eso_vault_available: configured nodes serve when one is active; an address serves when its answer is good
    (`Observation.cause`). Times are Unix seconds; `before` is the memory that the last judgement gave.
    """
    observations = [seen[node] for node in sorted(nodes) if node in seen]
    available, error, answered = _verdict(observations, len(observations) < len(nodes), now, before)
    met = _met(observations, now, before)

    since: dict[Key, float] = {}

    def problem(node: str, name: str, moment: float, why: str) -> Problem:
        since[node, name] = before.since.get((node, name), moment)
        return Problem(name, since[node, name], "observed", why)

    whole: tuple[Problem, ...] = ()
    if available is False:
        newest = max((each.at for each in observations), default=now)
        whole = (problem("", "unavailable", newest, error),)
    judged = []
    for each in observations:
        found: tuple[Problem, ...] = ()
        if available:
            bad = {name: _why(each) for name in (NODE_PROBLEMS.get(each.cause),) if name}
            bad |= {name: why for (node, name), (_, why) in met.items() if node == each.node}
            found = tuple(problem(each.node, name, each.at, why) for name, why in bad.items())
        judged.append(NodeJudgement(each, found))
    return (
        VaultJudgement(vault, available, error, whole, tuple(judged)),
        Memory(available, error, answered, since, met),
    )


def _verdict(
    observations: list[Observation], incomplete: bool, now: float, before: Memory
) -> tuple[bool | None, str, float]:
    """(available, error, the moment it rests on)."""
    known = [each for each in observations if each.cause != "rate_limited"]
    answered = max((each.at for each in known), default=before.answered)
    if any(not each.cause for each in known):
        return True, "", answered
    if incomplete:
        # A node that was not asked yet may be the one that serves.
        return before.available, before.error, before.answered
    if len(known) < len(observations):
        if before.available is not None and now - before.answered < UNKNOWN_FOR:
            return before.available, before.error, before.answered
        return False, _worst(known), before.answered
    return False, _worst(known), answered


def _worst(known: list[Observation]) -> str:
    """The most telling cause: what nodes that answered say stands over silence."""
    return min((each.cause for each in known), key=CAUSES.index, default="unreachable")


def _met(observations: list[Observation], now: float, before: Memory) -> dict[Key, tuple[float, str]]:
    """The bad nodes met behind addresses, as long as they are remembered."""
    nodes = {each.node for each in observations}
    met = {key: (at, why) for key, (at, why) in before.met.items() if key[0] in nodes and now - at < MIXED_FOR}
    for each in observations:
        for cause in each.bad_attempts:
            if cause in NODE_PROBLEMS:
                met[each.node, NODE_PROBLEMS[cause]] = (each.at, cause if cause != "unreachable" else "")
    return met


def _why(seen: Observation) -> str:
    """The label `error` of a node's problem: the cause, or for silence the class of the probe's error."""
    return seen.error if seen.cause == "unreachable" else seen.cause
