"""The families that speak of problems across kinds: since when, and the two catalogues."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from exporter.exposition.families import Column, Group, escape
from exporter.judge.findings import Problem
from exporter.judge.problems import CATALOGUE, ERRORS
from exporter.metrics.families import family


class ProblemFacts(msgspec.Struct, frozen=True, gc=False):
    """All present problems of one object; `node` only for a node of a Vault."""

    kind: str
    namespace: str
    name: str
    node: str
    problems: tuple[Problem, ...]


def _since(facts: Iterable[ProblemFacts]) -> bytes:
    return b"".join([_since_line(f, problem) for f in facts for problem in f.problems])


def _since_line(facts: ProblemFacts, problem: Problem) -> bytes:
    kind, namespace, name, node = map(escape, (facts.kind, facts.namespace, facts.name, facts.node))
    return (
        b'eso_problem_since_timestamp_seconds{kind="%b",namespace="%b",name="%b",node="%b",problem="%b",basis="%b"} %d\n'
        % (kind, namespace, name, node, escape(problem.id), escape(problem.basis), problem.since)
    )


def since_group() -> Group[ProblemFacts]:
    """One object per (kind, namespace, name, node) that has a problem."""
    return Group("problem", [Column(family("eso_problem_since_timestamp_seconds"), _since)])


def _catalogue(facts: Iterable[str]) -> bytes:
    return b"".join(
        [
            b'eso_problem_info{namespace="",kind="%b",problem="%b",severity="%b",heals="%b"} 1\n'
            % tuple(map(escape, (entry.kind, entry.id, entry.severity, entry.heals)))
            for _ in facts
            for entry in CATALOGUE
        ]
    )


def _errors(facts: Iterable[str]) -> bytes:
    return b"".join(
        [
            b'eso_error_info{namespace="",error="%b",owner_side="%b",heals="%b"} 1\n'
            % tuple(map(escape, (error.id, error.side, error.heals)))
            for _ in facts
            for error in ERRORS
        ]
    )


def catalogue_group() -> Group[str]:
    """The two catalogues: a group of one object that never changes."""
    group: Group[str] = Group(
        "catalogue", [Column(family("eso_problem_info"), _catalogue), Column(family("eso_error_info"), _errors)]
    )
    group.put("catalogue", "")
    return group
