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
    is_created_by,
    is_field_manager,
)
from exporter.eso.ownership import (
    MARK_CREATED_BY,
    MARK_DATA_HASH,
    MARK_DELETING,
    MARK_MANAGED,
    MARK_MANAGER,
    Creators,
    Metadata,
    OwnerReference,
    creator_of,
    is_external_secret,
)
from exporter.eso.times import parse_time
from exporter.kube.records import Acceptance, Edit, Secret, SecretFacts, uid_hash
from exporter.kube.resource import Cells
from exporter.kube.wire import OwnerKeys, OwnerReferenceWire, Shared, created

ANNOTATION_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ANNOTATION_ACCEPTED = "vault-eso-exporter/accepted-because"
ANNOTATION_ACCEPTED_BY = "vault-eso-exporter/accepted-by"
ANNOTATION_ACCEPTED_UNTIL = "vault-eso-exporter/accepted-until"

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
_TEXT = msgspec.json.Decoder(str)


def wire_type(creators: Creators, owner_keys: OwnerKeys) -> type[msgspec.Struct]:
    """The wire type of one Secret's metadata: its annotations are only those that a rule or a setting names."""
    keys = sorted(
        {
            *creators.annotation_keys,
            *owner_keys.keys,
            ANNOTATION_LAST_APPLIED,
            ANNOTATION_DATA_HASH,
            ANNOTATION_ACCEPTED,
            ANNOTATION_ACCEPTED_BY,
            ANNOTATION_ACCEPTED_UNTIL,
        }
    )
    names = {f"a{index}": key for index, key in enumerate(keys)}
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


def converter(creators: Creators, owner_keys: OwnerKeys) -> Callable[[Any, Cells], Secret]:
    """Makes the function from wire to record; the table of creators and the owner keys are settings."""
    shared = Shared()

    def convert(wire: Any, cells: Cells) -> Secret:
        meta = wire.metadata
        namespace = sys.intern(meta.namespace)
        labels: dict[str, str] = meta.labels or {}
        annotations = _present(meta.annotations)
        owners = [
            OwnerReference(o.kind, o.apiVersion.partition("/")[0] if "/" in o.apiVersion else "", o.name, o.uid)
            for o in meta.ownerReferences or ()
        ]
        entries: Sequence[_ManagedFields] = meta.managedFields or ()
        owner_es = next((o for o in owners if is_external_secret(o)), None) if owners else None
        managers = [entry.manager for entry in entries]
        es_entries = [entry for entry in entries if is_field_manager(entry.manager)]
        label = labels.get(LABEL_CREATED_BY, "")
        marks = (
            (MARK_MANAGED if labels.get(LABEL_MANAGED) == "true" else 0)
            | (MARK_CREATED_BY if label else 0)
            | (MARK_DATA_HASH if ANNOTATION_DATA_HASH in annotations else 0)
            | (MARK_MANAGER if es_entries else 0)
            | (MARK_DELETING if meta.deletionTimestamp is not None else 0)
        )
        rule = creators.match(
            Metadata(
                namespace,
                meta.name,
                cells.type or "",
                labels,
                annotations,
                owners,
                managers,
            )
        )
        facts = SecretFacts(
            type=sys.intern(cells.type or ""),
            keys=cells.keys,
            key_names=shared(_key_names(entries)) if marks else (),
            marks=marks,
            rule=rule.name,
            rule_class=rule.ownership,
            creator=_creator(entries),
            edit=_edit(entries, es_entries) if es_entries else None,
            value_in_annotation=_holds_value(annotations.get(ANNOTATION_LAST_APPLIED)),
            acceptance=_acceptance(annotations) if ANNOTATION_ACCEPTED in annotations else None,
            owner=owner_keys.of(labels, _texts(annotations, owner_keys.keys) if annotations else None),
        )
        # One string for both names where they are equal, as they mostly are; interning each would cost a table entry.
        es_name = "" if owner_es is None else meta.name if owner_es.name == meta.name else owner_es.name
        told = (not rule.name and not es_name) or facts.value_in_annotation
        return Secret(
            namespace=namespace,
            name=meta.name,
            created=int(created(meta.creationTimestamp)) if told else 0,
            facts=shared(facts),
            owner_es=es_name,
            owner_uid=uid_hash(owner_es.uid) if owner_es else 0,
            created_by="" if es_name and label and is_created_by(label, namespace, es_name) else label,
        )

    return convert


def _present(annotations: Any) -> dict[str, msgspec.Raw]:
    """The named annotations that are there, still as raw JSON of the page."""
    if annotations is None:
        return {}
    fields: dict[str, str] = annotations.fields
    return {key: raw for field, key in fields.items() if (raw := getattr(annotations, field)) is not _ABSENT}


def _texts(annotations: dict[str, msgspec.Raw], keys: Sequence[str]) -> dict[str, str]:
    return {key: _TEXT.decode(annotations[key]) for key in keys if key in annotations}


def _holds_value(raw: msgspec.Raw | None) -> bool:
    """Whether a last-applied annotation holds a Secret manifest with data; searched in place, nothing is copied."""
    if raw is None:
        return False
    view = memoryview(raw)
    return _SECRET_MANIFEST.search(view) is not None and _SECRET_DATA.search(view) is not None


def _acceptance(annotations: dict[str, msgspec.Raw]) -> Acceptance | None:
    """The exception that somebody wrote on the Secret itself; an unreadable date counts as already past."""
    texts = _texts(annotations, (ANNOTATION_ACCEPTED, ANNOTATION_ACCEPTED_BY, ANNOTATION_ACCEPTED_UNTIL))
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
