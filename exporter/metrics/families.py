"""From the catalogue to what the exposition needs: families, and the label bytes that many lines share."""

from __future__ import annotations

from exporter.exposition.families import Family, escape
from exporter.kube.records import StoreRef
from exporter.metrics.catalogue import spec


def family(name: str) -> Family:
    """The exposition's family of a catalogue entry. Raises KeyError for one that is not in the catalogue."""
    entry = spec(name)
    return Family(entry.name, entry.help)


def store_labels(ref: StoreRef | None, vault: str) -> bytes:
    """The four labels that identify a store, without braces; all empty when there is no store."""
    if ref is None:
        return b'store_kind="",store_namespace="",store="",vault=""'
    return b'store_kind="%b",store_namespace="%b",store="%b",vault="%b"' % (
        escape(ref.kind),
        escape(ref.namespace),
        escape(ref.name),
        escape(vault),
    )


def seconds(value: float) -> bytes:
    """Unix seconds or a duration: whole numbers bare, others as they are."""
    return b"%d" % value if value == int(value) else repr(value).encode()
