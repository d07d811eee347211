"""One Secret: its one class, the rule that decided, its exception, its problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from exporter.config.settings import OwnershipException
from exporter.eso.identity import is_created_by
from exporter.eso.ownership import (
    MARK_DELETING,
    MARK_MANAGED,
    MARK_MANAGER,
    OWNED,
    Neighbours,
    Rule,
    Target,
    classify,
    decided_alone,
)
from exporter.judge.findings import Findings, Problem
from exporter.judge.view import View
from exporter.kube.records import Owned, Secret

ANNOTATION_EXCEPTION = "annotation"
"""The id of an exception that stands on the Secret itself."""

WAR_TURNS, WAR_WINDOW = 3, 600.0
"""So many edits within so many seconds, each healed by ESO in between, are a war of two writers."""

_ESO_CLASSES = frozenset({"eso_owned", "eso_merged", "eso_orphan"})


class SecretJudgement(msgspec.Struct, frozen=True, gc=False):
    """What is to be told of a Secret. `exception` is the id of a valid one, "" when it counts as surviving."""

    record: Secret
    ownership: str
    rule: str
    exception: str
    owner: str
    problems: tuple[Problem, ...]

    @property
    def told(self) -> bool:
        """Whether it has lines of its own: manual ones, and those with problems."""
        return self.ownership == "manual" or bool(self.problems)


class Exceptions:
    """Accepted manual Secrets, from the configuration: globs over namespace and name, valid to the end of a day (UTC)."""

    def __init__(self, configured: Sequence[OwnershipException]) -> None:
        self._configured = tuple(
            (exception, _end_of_day(exception.until) if exception.until else None) for exception in configured
        )

    def of(self, record: Secret, now: float) -> tuple[str, float | None, bool]:
        """(id, until, expired) for a Secret: a valid one before an expired one; ("", None, False) when none fits."""
        found: list[tuple[str, float | None]] = [
            (exception.id, until)
            for exception, until in self._configured
            if fnmatchcase(record.namespace, exception.namespace) and fnmatchcase(record.name, exception.secret)
        ]
        if record.facts.acceptance is not None:
            found.append((ANNOTATION_EXCEPTION, record.facts.acceptance.until))
        for id_, until in found:
            if until is None or now < until:
                return id_, until, False
        return (found[0][0], found[0][1], True) if found else ("", None, False)

    def unmatched(self, names: Sequence[tuple[str, str]]) -> list[str]:
        """Ids of configured exceptions that fit none of these (namespace, name) of manual Secrets."""
        return [
            exception.id
            for exception, _ in self._configured
            if not any(
                fnmatchcase(ns, exception.namespace) and fnmatchcase(name, exception.secret) for ns, name in names
            )
        ]


@lru_cache(maxsize=64)
def _alone(creator: str) -> tuple[str, ...]:
    """The evidence of a manual Secret: one tuple for each creator class, not one for each Secret."""
    return (creator,)


def _end_of_day(date: str) -> float:
    return (datetime.fromisoformat(date).replace(tzinfo=UTC) + timedelta(days=1)).timestamp()


def silent(record: Secret, view: View) -> str:
    """The class of a Secret of which there is nothing more to tell, as of nearly all; "" where it needs `judge`."""
    facts = record.facts
    if facts.value_in_annotation or facts.edit is not None:
        return ""
    if record.owned is not None:
        lives = facts.marks & MARK_DELETING or _lives(record.owned, record.namespace, view)
        return "eso_owned" if lives and not view.edit_turns(record.namespace, record.name) else ""
    alone = decided_alone(owned=False, marks=facts.marks, ownership=facts.rule_class)
    return facts.rule_class if alone and facts.rule_class != "manual" else ""


def judge(
    record: Secret, view: View, exceptions: Exceptions, now: float, observed: Mapping[str, float]
) -> tuple[SecretJudgement, Findings]:
    """Judges one Secret at `now`; `observed` is `Findings.lasting` of the judgement before."""
    findings = Findings(now, observed)
    facts = record.facts
    rule = _classify(record, view)
    exception = ""
    if rule.ownership == "manual":
        exception, until, expired = exceptions.of(record, now)
        if expired:
            findings.add("exception_expired", until, evidence=(exception,))
            exception = ""
        elif exception and until is not None:
            findings.look_again(until)
        if not exception:
            findings.add("manual", float(record.created), evidence=_alone(facts.creator))
    elif rule.ownership == "eso_leftover":
        findings.observe("leftover", view.settings.absence_after)
    elif rule.ownership in _ESO_CLASSES:
        _edited(record, rule, view, findings)
        turns = [at for at in view.edit_turns(record.namespace, record.name) if now - at < WAR_WINDOW]
        if len(turns) >= WAR_TURNS:
            findings.add("edit_war", turns[0], evidence=tuple(map(str, (len(turns),))))
            findings.look_again(turns[-WAR_TURNS] + WAR_WINDOW)
    owner = record.owned
    if owner is not None and not facts.marks & MARK_DELETING and not _lives(owner, record.namespace, view):
        findings.observe("owner_dangling", view.settings.absence_after, evidence=(owner.name,))
    if rule.ownership not in _ESO_CLASSES and facts.marks & MARK_MANAGED and not facts.marks & MARK_MANAGER:
        findings.observe("copied_marks", view.settings.absence_after)
    if facts.value_in_annotation:
        findings.add("value_in_annotation", float(record.created))
    judgement = SecretJudgement(
        record=record,
        ownership=rule.ownership,
        rule=rule.name,
        exception=exception,
        owner=facts.owner or view.namespace_owner(record.namespace),
        problems=tuple(findings.problems),
    )
    return judgement, findings


def _classify(record: Secret, view: View) -> Rule:
    facts = record.facts
    given = Rule(facts.rule, facts.rule_class)
    owned = record.owned is not None
    if decided_alone(owned=owned, marks=facts.marks, ownership=given.ownership):
        return OWNED if owned else given
    targeting = view.targeting(record.namespace, record.name)
    created_by = bool(facts.created_by) and any(
        is_created_by(facts.created_by, other.namespace, other.name) for other in targeting
    )
    return classify(
        owned=owned,
        marks=facts.marks,
        es_manager=bool(facts.marks & MARK_MANAGER),
        creator=facts.creator,
        rule=given,
        neighbours=Neighbours(
            targeting=[Target(other.name, other.plan.creation_policy) for other in targeting],
            created_by_living=created_by,
            named_by_store=view.named_by_store(record.namespace, record.name),
        ),
    )


def _lives(owner: Owned, namespace: str, view: View) -> bool:
    """Whether the ExternalSecret that a Secret of the namespace names as its owner is there, and no other of its name."""
    found = view.externalsecret(namespace, owner.name)
    return found is not None and found.uid == owner.uid


def _edited(record: Secret, rule: Rule, view: View, findings: Findings) -> None:
    """Keys that somebody else wrote after ESO. In a merged Secret foreign keys are legitimate, promised ones are not."""
    edit = record.facts.edit
    if edit is None:
        return
    keys = edit.keys
    if rule.ownership == "eso_merged":
        promised = {key for other in view.targeting(record.namespace, record.name) for key in other.plan.promised}
        keys = tuple(key for key in keys if key in promised)
    if keys:
        findings.add("hand_edited", edit.at or None, evidence=(edit.manager, *keys))
