"""The families of Vaults and their nodes. `namespace=""` is printed, so that no scrape fills in its target's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from exporter.exposition.families import Column, Group, escape, number
from exporter.judge.findings import Problem
from exporter.judge.vault import Memory, VaultJudgement, judge
from exporter.metrics.families import family
from exporter.metrics.problems import ProblemFacts
from exporter.vault.observation import Observation
from exporter.vault.servers import Selection

Sample = tuple[bytes, float]
"""(further labels, value)"""


def _node(name: str, samples: Callable[[Observation], Iterable[Sample]]) -> Callable[..., bytes]:
    """A family with samples per node."""
    line = name.encode() + b'{namespace="",vault="%b",node="%b"%b} %b\n'

    def render(facts: Iterable[VaultJudgement]) -> bytes:
        return b"".join(
            [
                line % (escape(f.vault), escape(node.seen.node), extra, number(value))
                for f in facts
                for node in f.nodes
                for extra, value in samples(node.seen)
            ]
        )

    return render


def _fact(value: Callable[[Observation], float | bool | None]) -> Callable[[Observation], Iterable[Sample]]:
    """One sample where there is a fact, none where it is None."""

    def samples(seen: Observation) -> Iterable[Sample]:
        fact = value(seen)
        if fact is not None:
            yield b"", int(fact) if isinstance(fact, bool) else fact

    return samples


def _active(seen: Observation) -> bool | None:
    """Always there for a configured node; an address that did not answer says nothing of any node."""
    return seen.active if seen.up or seen.configured_node else None


def _info(seen: Observation) -> Iterable[Sample]:
    if seen.up:
        yield (
            b',version="%b",cluster_name="%b",cluster_id="%b",seal_type="%b",product="%b"'
            % tuple(map(escape, (seen.version, seen.cluster_name, seen.cluster_id, seen.seal_type, seen.product))),
            1,
        )


def _error(seen: Observation) -> Iterable[Sample]:
    if seen.error:
        yield b',error="%b"' % escape(seen.error), 1


_NODE_FAMILIES: tuple[tuple[str, Callable[[Observation], Iterable[Sample]]], ...] = (
    ("eso_vault_up", _fact(lambda seen: seen.up)),
    ("eso_vault_initialized", _fact(lambda seen: seen.initialized)),
    ("eso_vault_sealed", _fact(lambda seen: seen.sealed)),
    ("eso_vault_standby", _fact(lambda seen: seen.standby)),
    ("eso_vault_active", _fact(_active)),
    ("eso_vault_tls_verified", _fact(lambda seen: seen.tls_verified)),
    ("eso_vault_info", _info),
    ("eso_vault_probe_error", _error),
    ("eso_vault_probe_duration_seconds", _fact(lambda seen: round(seen.duration, 6))),
    ("eso_vault_last_probe_timestamp_seconds", _fact(lambda seen: round(seen.at, 3))),
    ("eso_vault_unseal_progress", _fact(lambda seen: seen.progress if seen.sealed else None)),
    ("eso_vault_unseal_threshold", _fact(lambda seen: seen.threshold)),
    ("eso_vault_tls_not_after_timestamp_seconds", _fact(lambda seen: seen.tls_not_after)),
    (
        "eso_vault_clock_offset_seconds",
        _fact(lambda seen: None if seen.clock_offset is None else round(seen.clock_offset, 3)),
    ),
)


def _available(facts: Iterable[VaultJudgement]) -> bytes:
    return b"".join(
        [
            b'eso_vault_available{namespace="",vault="%b"} %d\n' % (escape(f.vault), f.available)
            for f in facts
            if f.available is not None
        ]
    )


def _problems(facts: Iterable[VaultJudgement]) -> bytes:
    return b"".join(
        [
            b'eso_vault_problem{namespace="",vault="%b",node="%b",problem="%b",error="%b"} 1\n'
            % tuple(map(escape, (f.vault, node, problem.id, problem.error)))
            for f in facts
            for node, problems in _by_node(f).items()
            for problem in problems
        ]
    )


def _by_node(judgement: VaultJudgement) -> dict[str, tuple[Problem, ...]]:
    """Problems by node label, those of the whole Vault under the empty one; no entry without a problem."""
    found = {"": judgement.problems} | {node.seen.node: node.problems for node in judgement.nodes}
    return {node: problems for node, problems in found.items() if problems}


def group() -> Group[VaultJudgement]:
    """The group of all Vault families: one object per Vault, with all its nodes."""
    return Group(
        "vault",
        [
            Column(family("eso_vault_available"), _available),
            *(Column(family(name), _node(name, samples)) for name, samples in _NODE_FAMILIES),
            Column(family("eso_vault_problem"), _problems),
        ],
    )


class VaultGroups:
    """Judges the Vaults and keeps their group in step. For the refresher's thread alone.

    `judgements` holds the newest judgement of each Vault, for pages and commands.
    """

    def __init__(self) -> None:
        self.vaults = group()
        self.judgements: dict[str, VaultJudgement] = {}
        self._memories: dict[str, Memory] = {}
        self._told: dict[tuple[str, str], ProblemFacts] = {}

    @property
    def groups(self) -> list[Group[VaultJudgement]]:
        """In the order of the exposition."""
        return [self.vaults]

    def update(
        self,
        selection: Selection,
        observations: Mapping[tuple[str, str], Observation],
        now: float,
        since: Group[ProblemFacts],
    ) -> None:
        """Judge every Vault of the selection by its observations; a Vault that left it leaves nothing behind."""
        nodes: dict[str, list[str]] = {}
        for target in selection.targets:
            nodes.setdefault(target.vault, []).append(target.node)
        for vault in self.judgements.keys() - nodes.keys():
            del self.judgements[vault], self._memories[vault]
            self.vaults.delete(vault)
        for vault, labels in nodes.items():
            seen = {node: observations[vault, node] for node in labels if (vault, node) in observations}
            judgement, self._memories[vault] = judge(vault, labels, seen, now, self._memories.get(vault, Memory()))
            self.judgements[vault] = judgement
            self.vaults.put(vault, judgement)
        self._tell_since(since)

    def _tell_since(self, since: Group[ProblemFacts]) -> None:
        present = {
            (vault, node): ProblemFacts("vault", "", vault, node, problems)
            for vault, judgement in self.judgements.items()
            for node, problems in _by_node(judgement).items()
        }
        for vault, node in self._told.keys() - present.keys():
            since.delete(f"vault/{vault}//{node}")
        for (vault, node), facts in present.items():
            if self._told.get((vault, node)) != facts:
                since.put(f"vault/{vault}//{node}", facts)
        self._told = present
