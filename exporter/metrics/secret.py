"""The families of Secrets: counts by class for each namespace, and lines for manual ones and those with problems."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.eso.creators import KNOWN_TYPES
from exporter.exposition.families import Column, Group, escape
from exporter.judge.namespace import NamespaceJudgement
from exporter.judge.secret import SecretJudgement
from exporter.metrics.families import family
from exporter.metrics.problems import since_column


def _counts(facts: Iterable[NamespaceJudgement]) -> bytes:
    return b"".join(
        [
            b'eso_secrets{namespace="%b",class="%b"} %d\n' % (escape(f.name), escape(class_), count)
            for f in facts
            for class_, count in f.classes or ()
        ]
    )


def _surviving(facts: Iterable[NamespaceJudgement]) -> bytes:
    return b"".join(
        [
            b'eso_manual_secrets{namespace="%b"} %d\n' % (escape(f.name), f.manual)
            for f in facts
            if f.classes is not None
        ]
    )


def _owners(facts: Iterable[NamespaceJudgement]) -> bytes:
    return b"".join(
        [
            b'eso_namespace_owner_info{namespace="%b",owner="%b"} 1\n' % (escape(f.name), escape(f.owner))
            for f in facts
            if f.owner
        ]
    )


def namespace_group() -> Group[NamespaceJudgement]:
    """The group of the families that have one object per namespace."""
    return Group(
        "namespace",
        [
            Column(family("eso_namespace_owner_info"), _owners),
            Column(family("eso_secrets"), _counts),
            Column(family("eso_manual_secrets"), _surviving),
        ],
    )


def _manual_info(facts: Iterable[SecretJudgement]) -> bytes:
    return b"".join(
        [
            b'eso_manual_secret_info{namespace="%b",secret="%b",type="%b",creator="%b",rule="%b",exception="%b",'
            b'owner="%b"} 1\n'
            % tuple(
                map(
                    escape,
                    (
                        f.record.namespace,
                        f.record.name,
                        _known_type(f.record.facts.type),
                        f.record.facts.creator,
                        f.rule,
                        f.exception,
                        f.owner,
                    ),
                )
            )
            for f in facts
            if f.ownership == "manual"
        ]
    )


def _known_type(type_: str) -> str:
    """Types come from whoever made the Secret: only known ones become a label value."""
    return type_ if type_ in KNOWN_TYPES else "other"


def _manual_created(facts: Iterable[SecretJudgement]) -> bytes:
    return b"".join(
        [
            b'eso_manual_secret_created_timestamp_seconds{namespace="%b",secret="%b"} %d\n'
            % (escape(f.record.namespace), escape(f.record.name), f.record.created)
            for f in facts
            if f.ownership == "manual"
        ]
    )


def _problems(facts: Iterable[SecretJudgement]) -> bytes:
    return b"".join(
        [
            b'eso_secret_problem{namespace="%b",secret="%b",problem="%b"} 1\n'
            % (escape(f.record.namespace), escape(f.record.name), escape(problem.id))
            for f in facts
            for problem in f.problems
        ]
    )


def secret_group() -> Group[SecretJudgement]:
    """The group of the families of single Secrets."""
    return Group(
        "secret",
        [
            Column(family("eso_manual_secret_info"), _manual_info),
            Column(family("eso_manual_secret_created_timestamp_seconds"), _manual_created),
            Column(family("eso_secret_problem"), _problems),
            since_column("secret", lambda f: (f.record.namespace, f.record.name, f.problems)),
        ],
    )
