"""Secret, as PartialObjectMetadata or inside a Table row: wire shape to record. Never a value.

Annotations are read by named key only. Of the last-applied annotation it is decided here, on the raw bytes of the page,
whether it holds a Secret manifest; no text of it becomes a Python object.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from exporter.eso.identity import (
    ANNOTATION_DATA_HASH,
    LABEL_CREATED_BY,
    LABEL_MANAGED,
    is_field_manager,
)
from exporter.eso.ownership import (
    MARK_CREATED_BY,
    MARK_DATA_HASH,
    MARK_DELETING,
    MARK_MANAGED,
    MARK_MANAGER,
    NO_RULE,
    Creators,
    Metadata,
    creator_of,
)
from exporter.eso.times import parse_time
from exporter.kube.records import Acceptance, Edit, Owned, Secret, SecretFacts, uid_hash
from exporter.kube.resource import Cells
from exporter.kube.secret_shape import Shapes
from exporter.kube.wire import Once, OwnerKeys, OwnerReferenceWire, created, owning_externalsecret, text_of

ANNOTATION_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ANNOTATION_ACCEPTED = "vault-eso-exporter/accepted-because"
ANNOTATION_ACCEPTED_BY = "vault-eso-exporter/accepted-by"
ANNOTATION_ACCEPTED_UNTIL = "vault-eso-exporter/accepted-until"

_READ_AS_TEXT = (ANNOTATION_LAST_APPLIED, ANNOTATION_ACCEPTED, ANNOTATION_ACCEPTED_BY, ANNOTATION_ACCEPTED_UNTIL)
"""Of other annotations that rules name it matters only whether they are there."""

NO_MANAGER = "none"
"""The creator class of a Secret in whose managedFields nobody owns anything (old objects, stripped fields)."""

_MAX_TEXT = 128
# The annotation is a JSON text inside a JSON string, so its quotes stand escaped.
_SECRET_MANIFEST = re.compile(rb'\\"kind\\":\s*\\"Secret\\"')
_SECRET_DATA = re.compile(rb'\\"(?:data|stringData)\\":\s*\{\s*\\"')
_DATA_FIELDS = b'"f:data"'


class _ManagedFields(msgspec.Struct, gc=False):
    manager: str = ""
    time: str | None = None
    fieldsV1: msgspec.Raw = msgspec.Raw(b"{}")


class _Fields(msgspec.Struct, gc=False):
    data: dict[str, msgspec.Raw] = msgspec.field(name="f:data", default_factory=dict)


_ABSENT = msgspec.Raw(b"")
_FIELDS = msgspec.json.Decoder(_Fields)


def wire_type(creators: Creators, owner_keys: OwnerKeys) -> type[msgspec.Struct]:
    """The wire type of one Secret's metadata: its annotations are only those that a rule or a setting names."""
    names = {f"a{index}": key for index, key in enumerate(_annotation_keys(creators, owner_keys))}
    annotations = msgspec.defstruct(
        "SecretAnnotationsWire",
        [(field, msgspec.Raw, _ABSENT) for field in names],
        rename=names.__getitem__,
        gc=False,
        namespace={"fields": names},
    )
    metadata = msgspec.defstruct(
        "SecretMetaWire",
        [
            ("name", str),
            ("namespace", str, ""),
            ("creationTimestamp", str | None, None),
            ("deletionTimestamp", str | None, None),
            ("labels", dict[str, str] | None, None),
            ("annotations", annotations | None, None),
            ("ownerReferences", list[OwnerReferenceWire] | None, None),
            ("managedFields", list[_ManagedFields] | None, None),
        ],
        gc=False,
    )
    return msgspec.defstruct("SecretWire", [("metadata", metadata)], gc=False)


def _annotation_keys(creators: Creators, owner_keys: OwnerKeys) -> list[str]:
    """The annotations that are read, in the order of the wire type's fields."""
    return sorted(
        {
            *creators.annotation_keys,
            *owner_keys.keys,
            *_READ_AS_TEXT,
            ANNOTATION_DATA_HASH,
        }
    )


def converter(creators: Creators, owner_keys: OwnerKeys) -> Callable[[Any, Cells], Secret]:
    """Makes the function from wire to record; the table of creators and the owner keys are settings."""
    facts_of = _Facts(creators, owner_keys).of
    shape_of = Shapes(
        creators.rows,
        owner_keys.keys,
        _annotation_keys(creators, owner_keys),
        {*owner_keys.keys, *_READ_AS_TEXT},
        _ABSENT,
    ).of
    known: Once[SecretFacts] = Once()

    def convert(wire: Any, cells: Cells) -> Secret:
        meta = wire.metadata
        shape = shape_of(meta, cells)
        facts = known.get(shape)
        if facts is None:
            facts = known.keep(shape, facts_of(meta, cells))
        owner = owning_externalsecret(meta.ownerReferences)
        name = meta.name
        owned = None
        if owner is not None:
            # One string for both names where they are equal; interning each would cost a table entry.
            owned = Owned(name if owner.name == name else owner.name, uid_hash(owner.uid))
        told = (not facts.rule and owned is None) or facts.value_in_annotation
        return Secret(
            sys.intern(meta.namespace),
            name,
            int(created(meta.creationTimestamp)) if told else 0,
            facts,
            owned,
        )

    return convert


class _Facts:
    """Works out the facts of Secrets."""

    def __init__(self, creators: Creators, owner_keys: OwnerKeys) -> None:
        self._creators = creators
        self._owner_keys = owner_keys

    def of(self, meta: Any, cells: Cells) -> SecretFacts:
        """The facts of one Secret, as on the wire."""
        labels: dict[str, str] = meta.labels or {}
        annotations = _present(meta.annotations)
        entries: Sequence[_ManagedFields] = meta.managedFields or ()
        es_entries = [entry for entry in entries if is_field_manager(entry.manager)]
        marks = (
            (MARK_MANAGED if labels.get(LABEL_MANAGED) == "true" else 0)
            | (MARK_CREATED_BY if labels.get(LABEL_CREATED_BY) else 0)
            | (MARK_DATA_HASH if ANNOTATION_DATA_HASH in annotations else 0)
            | (MARK_MANAGER if es_entries else 0)
            | (MARK_DELETING if meta.deletionTimestamp is not None else 0)
        )
        rule, created_by = NO_RULE, ""  # which nobody asks for of a Secret that an ExternalSecret owns
        if owning_externalsecret(meta.ownerReferences) is None:
            created_by = labels.get(LABEL_CREATED_BY, "")
            rule = self._creators.match(
                Metadata(
                    meta.namespace,
                    meta.name,
                    cells.type or "",
                    labels,
                    annotations,
                    meta.ownerReferences or (),
                    [entry.manager for entry in entries],
                )
            )
        return SecretFacts(
            type=sys.intern(cells.type or ""),
            keys=cells.keys,
            key_names=_key_names(entries) if marks else (),
            marks=marks,
            rule=rule.name,
            rule_class=rule.ownership,
            creator=_creator(entries),
            created_by=created_by,
            edit=_edit(entries, es_entries) if es_entries else None,
            value_in_annotation=_holds_value(annotations.get(ANNOTATION_LAST_APPLIED)),
            acceptance=_acceptance(annotations) if ANNOTATION_ACCEPTED in annotations else None,
            owner=self._owner_keys.of(labels, annotations),
        )


def _present(annotations: Any) -> dict[str, msgspec.Raw]:
    """The named annotations that are there, still as raw JSON of the page."""
    if annotations is None:
        return {}
    fields: dict[str, str] = annotations.fields
    return {key: raw for field, key in fields.items() if (raw := getattr(annotations, field)) is not _ABSENT}


def _holds_value(raw: msgspec.Raw | None) -> bool:
    """Whether a last-applied annotation holds a Secret manifest with data; searched in place, nothing is copied."""
    if raw is None:
        return False
    view = memoryview(raw)
    return _SECRET_MANIFEST.search(view) is not None and _SECRET_DATA.search(view) is not None


def _acceptance(annotations: dict[str, msgspec.Raw]) -> Acceptance | None:
    """The exception that somebody wrote on the Secret itself; an unreadable date counts as already past."""
    named = (ANNOTATION_ACCEPTED, ANNOTATION_ACCEPTED_BY, ANNOTATION_ACCEPTED_UNTIL)
    texts = {key: text_of(annotations[key]) for key in named if key in annotations}
    reason = texts.get(ANNOTATION_ACCEPTED, "").strip()
    if not reason:
        return None
    until = texts.get(ANNOTATION_ACCEPTED_UNTIL, "").strip()
    return Acceptance(
        reason[:_MAX_TEXT],
        texts.get(ANNOTATION_ACCEPTED_BY, "").strip()[:_MAX_TEXT],
        None if not until else parse_time(until) or 0.0,
    )


def _owns_data(entry: _ManagedFields) -> bool:
    return _DATA_FIELDS in bytes(entry.fieldsV1)


def _data_keys(entry: _ManagedFields) -> list[str]:
    """Names of the data keys that an entry owns."""
    if not _owns_data(entry):
        return []
    return [key[2:] for key in _FIELDS.decode(entry.fieldsV1).data if key.startswith("f:")]


def _key_names(entries: Sequence[_ManagedFields]) -> tuple[str, ...]:
    return tuple(sorted({key for entry in entries for key in _data_keys(entry)}))


def _creator(entries: Sequence[_ManagedFields]) -> str:
    """The creator class: of the earliest person's tool that owns data, else of the earliest that owns anything.

    "" when only unrecognised controllers wrote, `NO_MANAGER` when nobody is recorded.
    """
    if not entries:
        return NO_MANAGER
    if len(entries) == 1:
        return creator_of(entries[0].manager)
    writers = [entry for entry in entries if _owns_data(entry)] or list(entries)
    writers.sort(key=lambda entry: entry.time or "")
    return next((creator for entry in writers if (creator := creator_of(entry.manager))), "")


def _edit(entries: Sequence[_ManagedFields], es_entries: Sequence[_ManagedFields]) -> Edit | None:
    """Keys that somebody other than ESO owns with an entry later than ESO's own (problems.md, hand_edited)."""
    if len(entries) == len(es_entries):
        return None
    last_es = max(entry.time or "" for entry in es_entries)
    for entry in sorted(entries, key=lambda entry: entry.time or "", reverse=True):
        if is_field_manager(entry.manager) or (entry.time or "") <= last_es:
            continue
        if keys := _data_keys(entry):
            return Edit(creator_of(entry.manager) or "unknown", tuple(sorted(keys)), parse_time(entry.time) or 0.0)
    return None
