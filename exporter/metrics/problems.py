"""The families that speak of problems across kinds: since when, and the two catalogues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from exporter.exposition.families import Column, Group, escape
from exporter.judge.findings import Problem
from exporter.judge.problems import CATALOGUE, ERRORS
from exporter.metrics.families import family

F = TypeVar("F")


class ProblemFacts(msgspec.Struct, frozen=True, gc=False):
    """All present problems of one object that no other group tells; `node` only for a node of a Vault."""

    kind: str
    namespace: str
    name: str
    node: str
    problems: tuple[Problem, ...]


SINCE = "eso_problem_since_timestamp_seconds"


def since_column(
    kind: str, tell: Callable[[F], tuple[str, str, tuple[Problem, ...]]], reads: Sequence[str] | None = None
) -> Column[F]:
    """The column "since when" of a kind's own group: `tell` gives (namespace, name, problems) of its facts, and looks at
    nothing but their attributes `reads` (see Column).

    Every kind brings its own, so that nothing is kept twice; the exposition joins them into one family.
    """

    def render(facts: Iterable[F]) -> bytes:
        return b"".join(
            [
                since_line(kind, namespace, name, "", problem)
                for namespace, name, problems in map(tell, facts)
                for problem in problems
            ]
        )

    return Column(family(SINCE), render, reads=reads)


def since_line(kind: str, namespace: str, name: str, node: str, problem: Problem) -> bytes:
    """One sample of "since when"."""
    labels = tuple(map(escape, (kind, namespace, name, node, problem.id, problem.basis)))
    return (
        b'eso_problem_since_timestamp_seconds{kind="%b",namespace="%b",name="%b",node="%b",problem="%b",basis="%b"} %b\n'
        % (*labels, b"%d" % problem.since)
    )


def since_group() -> Group[ProblemFacts]:
    """One object per (kind, namespace, name, node) that has a problem and no group of its own kind that tells it."""

    def render(facts: Iterable[ProblemFacts]) -> bytes:
        return b"".join(
            [since_line(f.kind, f.namespace, f.name, f.node, problem) for f in facts for problem in f.problems]
        )

    return Group("problem", [Column(family(SINCE), render)])


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
