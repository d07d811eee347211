"""Whose Secret is this: the ordered rules, first hit wins.

Two halves. While a Secret is decoded, its own metadata gives marks and the first row of the table of other creators that
fits (`Creators.match`). Later the judge, who knows the living ExternalSecrets and stores, decides (`classify`). ESO comes
first, because ESO copies an ExternalSecret's labels and annotations (Helm's, Argo CD's, Flux's) onto the Secret it makes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from typing import NamedTuple, Protocol

from exporter.config.settings import OwnershipRule
from exporter.eso.creators import CREATOR_OF_MANAGER, CREATORS, HUMAN_OWNER_KINDS
from exporter.eso.identity import GROUP, is_field_manager

CLASSES: dict[str, str] = {
    "eso_owned": "made and owned by an ExternalSecret",
    "eso_merged": "an ExternalSecret (creationPolicy Merge or CreateOrMerge) writes keys into it",
    "eso_orphan": "written by an ExternalSecret with creationPolicy Orphan",
    "eso_leftover": "written by ESO once, no living ExternalSecret targets it any more",
    "system": "made by Kubernetes, Helm or ESO for themselves (tokens, release records, webhook certificates)",
    "controller": "made by another controller",
    "bootstrap": "a credential that a store itself needs: it cannot come from that store",
    "helm": "installed by a Helm chart: its values live in the chart's values",
    "gitops": "applied by Argo CD or Flux: its values live in Git",
    "manual": "made by hand",
    "unknown": "made by a field manager that is not recognised; never called manual",
}

MARK_MANAGED = 1
MARK_CREATED_BY = 2
MARK_DATA_HASH = 4
MARK_MANAGER = 8
MARK_DELETING = 16
"""No mark of ESO's: the Secret is being deleted. Kept among them because half a million records must stay small."""

MARKS_OF_ESO = MARK_MANAGED | MARK_CREATED_BY | MARK_DATA_HASH | MARK_MANAGER


class Owner(Protocol):
    """An owner reference as far as ownership needs it: `group` without the version."""

    @property
    def kind(self) -> str: ...
    @property
    def group(self) -> str: ...


class Metadata(NamedTuple):
    """What the table of creators looks at. `annotations` are those present among the keys that rules name."""

    namespace: str
    name: str
    type: str
    labels: Mapping[str, str]
    annotations: Collection[str]
    owners: Sequence[Owner]
    managers: Collection[str]


class Rule(NamedTuple):
    """Which rule decided, and the class it gives."""

    name: str
    ownership: str


NO_RULE = Rule("", "")
_GLOB_SIGNS = frozenset("*?[")
_LABELS_KEPT = 10_000


def is_external_secret(owner: Owner) -> bool:
    """Whether an owner reference names an ExternalSecret, in any API version."""
    return owner.kind == "ExternalSecret" and owner.group == GROUP


class Creators:
    """The table of other creators with the user's rows before it, ready to be asked half a million times."""

    def __init__(self, extra: Iterable[OwnershipRule] = ()) -> None:
        rows = (*extra, *CREATORS)
        self.rows = rows
        self._builtin_from = len(rows) - len(CREATORS)
        self.annotation_keys: tuple[str, ...] = tuple(sorted({row.annotation for row in rows if row.annotation}))
        # A row is looked at only when one of its conditions may hold: most Secrets cost a few look-ups.
        self._by_type: dict[str, list[int]] = {}
        self._by_label: dict[str, list[int]] = {}
        self._by_annotation: dict[str, list[int]] = {}
        self._by_name: dict[str, list[int]] = {}
        self._by_manager: dict[str, list[int]] = {}
        self._by_owner: dict[str, list[int]] = {}
        self._always: list[int] = []
        name_globs: dict[str, list[int]] = {}
        label_globs: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            label = row.label.partition("=")[0]
            for condition, where in (
                ("" if is_glob(row.type) else row.type, self._by_type),
                ("" if is_glob(label) else label, self._by_label),
                (row.annotation, self._by_annotation),
                (row.owner_kind.partition(".")[0], self._by_owner),
                ("" if is_glob(row.secret) else row.secret, self._by_name),
                ("" if is_glob(row.manager) else row.manager, self._by_manager),
                (row.secret, name_globs),
                (label, label_globs),
            ):
                if condition:
                    where.setdefault(condition, []).append(index)
                    break
            else:
                self._always.append(index)
        self._name_globs = one_pattern(name_globs)
        self._label_globs = one_pattern(label_globs)
        self._with_name_globs = [index for indexes in name_globs.values() for index in indexes]
        self._label_rows: dict[str, tuple[int, ...]] = {}
        self._with_label_globs = [index for indexes in label_globs.values() for index in indexes]

    def match(self, secret: Metadata) -> Rule:
        """The first rule that fits, NO_RULE when none does.

        The user's rows come first, then any owner reference of a kind that people do not use, then the built-in table.
        """
        owner = next((o for o in secret.owners if o.kind not in HUMAN_OWNER_KINDS and not is_external_secret(o)), None)
        for index in self._candidates(secret):
            if owner is not None and index >= self._builtin_from:
                break
            row = self.rows[index]
            if _fits(row, secret):
                return Rule(row.name, row.result)
        return Rule(f"owner-{owner.kind}", "controller") if owner is not None else NO_RULE

    def _candidates(self, secret: Metadata) -> list[int]:
        found = [*self._always, *self._by_type.get(secret.type, ()), *self._by_name.get(secret.name, ())]
        for label in secret.labels:
            found += self._rows_of_label(label)
        for annotation in secret.annotations:
            found += self._by_annotation.get(annotation, ())
        for manager in secret.managers:
            found += self._by_manager.get(manager, ())
        for owner in secret.owners:
            found += self._by_owner.get(owner.kind, ())
        if self._name_globs.search(secret.name):
            found += self._with_name_globs
        found.sort()
        return found

    def _rows_of_label(self, label: str) -> tuple[int, ...]:
        """The rows with a label that this one may be: a cluster has few keys of labels, and asks for each again and again."""
        rows = self._label_rows.get(label)
        if rows is None:
            globs = self._with_label_globs if self._label_globs.search(label) else ()
            rows = (*self._by_label.get(label, ()), *globs)
            if len(self._label_rows) < _LABELS_KEPT:
                self._label_rows[label] = rows
        return rows


def one_pattern(globs: Iterable[str]) -> re.Pattern[str]:
    """One pattern that finds any of the globs as a whole line; it never matches when there are none."""
    return re.compile("|".join(f"^(?:{translate(glob)[4:-3]})$" for glob in globs) or r"(?!)", re.MULTILINE)


def _fits(row: OwnershipRule, secret: Metadata) -> bool:
    if row.type and not _glob(secret.type, row.type):
        return False
    if row.secret and not _glob(secret.name, row.secret):
        return False
    if row.namespace and not _glob(secret.namespace, row.namespace):
        return False
    if row.annotation and row.annotation not in secret.annotations:
        return False
    if row.label:
        key, has_value, value = row.label.partition("=")
        if is_glob(key):
            if not any(fnmatchcase(label, key) for label in secret.labels):
                return False
        elif key not in secret.labels or (has_value and not _glob(secret.labels[key], value)):
            return False
    if row.owner_kind:
        kind, _, group = row.owner_kind.partition(".")
        if not any(o.kind == kind and (not group or o.group == group) for o in secret.owners):
            return False
    return not row.manager or any(_glob(manager, row.manager) for manager in secret.managers)


def is_glob(pattern: str) -> bool:
    """Whether a condition of a rule is a glob, and not a text that must be equal."""
    return not _GLOB_SIGNS.isdisjoint(pattern)


def _glob(value: str, pattern: str) -> bool:
    return fnmatchcase(value, pattern) if is_glob(pattern) else value == pattern


def creator_of(manager: str) -> str:
    """The creator class of a field manager; "" for one that no person's tool uses (an unrecognised controller)."""
    # ESO's are as many as its ExternalSecrets: they would push all others out of the cache.
    return "" if is_field_manager(manager) else _creator_of(manager)


@lru_cache(maxsize=4096)
def _creator_of(manager: str) -> str:
    for pattern, creator in CREATOR_OF_MANAGER:
        if _glob(manager, pattern):
            return creator
    return ""


class Target(NamedTuple):
    """A living ExternalSecret that has this Secret as its target."""

    name: str
    creation_policy: str


class Neighbours(NamedTuple):
    """What the judge knows around a Secret.

    `targeting`: living ExternalSecrets whose target it is. `created_by_living`: its `created-by` label is that of one of
    them. `named_by_store`: a store, a generator or a template names it.
    """

    targeting: Sequence[Target]
    created_by_living: bool
    named_by_store: bool


OWNED = Rule("owner-reference", "eso_owned")
_BY_STORES = ("", "helm", "gitops")
"""Classes of the table of creators that a store which names the Secret overrules; "" is no class."""


def decided_alone(*, owned: bool, marks: int, ownership: str) -> bool:
    """Whether no neighbour can matter to `classify`, as for nearly all Secrets: it gives OWNED to an `owned` one, else
    the rule of the table of creators, whose class is `ownership`."""
    return owned or (not marks & MARKS_OF_ESO and ownership not in _BY_STORES)


def classify(*, owned: bool, marks: int, es_manager: bool, creator: str, rule: Rule, neighbours: Neighbours) -> Rule:
    """The class of a Secret and the name of the rule that decided. Every Secret gets exactly one class of CLASSES.

    `es_manager`: an ESO field manager stands in its managedFields. `creator` is "" for an unrecognised controller.
    """
    if owned:
        return OWNED
    if neighbours.created_by_living:
        return Rule("created-by", "eso_owned")
    written = bool(marks & MARK_MANAGED) or es_manager
    if written:
        for target in neighbours.targeting:
            if target.creation_policy in ("Merge", "CreateOrMerge"):
                return Rule("merge-policy", "eso_merged")
            if target.creation_policy == "Orphan":
                return Rule("orphan-policy", "eso_orphan")
            if target.creation_policy == "Owner" and es_manager:
                return Rule("field-manager", "eso_owned")
    if marks & MARKS_OF_ESO and es_manager and not neighbours.targeting:
        return Rule("leftover-marks", "eso_leftover")
    if rule.ownership not in _BY_STORES:
        return rule
    if neighbours.named_by_store:
        return Rule("store-credential", "bootstrap")
    if rule.ownership:
        return rule
    if creator:
        return Rule("human-manager" if creator != "none" else "no-manager", "manual")
    return Rule("unrecognised-manager", "unknown")
