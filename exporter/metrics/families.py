"""From the catalogue to what the exposition needs: families, their lines, and the label bytes that many lines share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from exporter.exposition.families import Family, escape, number
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


J = TypeVar("J")
Samples = Callable[[J], Iterable[tuple[bytes, float]]]
"""An object's samples of one family: (further labels, each with a comma before it; value)."""


def lines(name: str, ident: Callable[[J], bytes], samples: Samples[J]) -> Callable[[Iterable[J]], bytes]:
    """Renders a family of a kind of which there are few objects: `ident` gives the labels that identify one."""
    prefix = name.encode()

    def render(facts: Iterable[J]) -> bytes:
        return b"".join(
            [
                b"%b{%b%b} %b\n" % (prefix, ident(f), further, number(int(value)))
                for f in facts
                for further, value in samples(f)
            ]
        )

    return render


def seconds(value: float) -> bytes:
    """Unix seconds or a duration: whole numbers bare, others as they are."""
    return b"%d" % value if value == int(value) else repr(value).encode()
