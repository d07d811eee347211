"""Warning Events of ExternalSecrets: the class of the message and its time, and nothing else.

The message may hold anything, a value too (a template's error quotes what it was given). It is classified in place, on
the raw bytes of the page; no text of it becomes a Python object.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

from exporter.eso.errors import error_class
from exporter.eso.identity import GROUP
from exporter.eso.times import parse_time
from exporter.kube.records import Failure, uid_hash

FIELD_SELECTOR = "involvedObject.kind=ExternalSecret,type=Warning,reason=UpdateFailed"
"""ESO writes this one reason for everything that makes an ExternalSecret not ready; a deprecated field has another."""


class _Involved(msgspec.Struct, gc=False):
    apiVersion: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class _Series(msgspec.Struct, gc=False):
    lastObservedTime: str | None = None


class _Meta(msgspec.Struct, gc=False):
    name: str
    namespace: str = ""
    creationTimestamp: str | None = None


class EventWire(msgspec.Struct, gc=False):
    """An Event of core/v1, whichever of the two APIs it was written through."""

    metadata: _Meta
    involvedObject: _Involved
    reason: str = ""
    type: str = ""
    message: msgspec.Raw = msgspec.Raw(b'""')
    firstTimestamp: str | None = None
    lastTimestamp: str | None = None
    eventTime: str | None = None
    series: _Series | None = None


def converter() -> Callable[[EventWire, object], Failure | None]:
    """Makes the function from wire to record; None for an Event that tells nothing of an ExternalSecret of ESO."""

    def convert(wire: EventWire, _cells: object) -> Failure | None:
        about = wire.involvedObject
        if (wire.type, wire.reason, about.kind) != ("Warning", "UpdateFailed", "ExternalSecret"):
            return None
        if about.apiVersion.partition("/")[0] != GROUP or not about.name:
            return None
        times = (
            wire.lastTimestamp,
            wire.series.lastObservedTime if wire.series is not None else None,
            wire.eventTime,
            wire.firstTimestamp,
            wire.metadata.creationTimestamp,
        )
        return Failure(
            namespace=sys.intern(about.namespace or wire.metadata.namespace),
            name=about.name,
            uid=uid_hash(about.uid),
            error=error_class(memoryview(wire.message)),
            time=max((moment for text in times if (moment := parse_time(text)) is not None), default=0.0),
        )

    return convert
