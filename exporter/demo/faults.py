"""What can go wrong with an API server and the network before it, as data that a test injects.

    board.inject(Status(429, retry_after=2), "secrets", verb="watch", times=3)
    fault = board.inject(Silence(), "externalsecrets")   # until fault.clear()

A fault hits requests that start after it was injected; `SimulatedCluster.disrupt` does the same to watches that are
already open. Spoiled objects are no fault of a request: see `SimulatedCluster.spoil`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

ANY = "*"


@dataclass(frozen=True, slots=True)
class Status:
    """Answered with this HTTP status and a `Status` object. `html` answers a proxy's page instead."""

    code: int
    retry_after: int | None = None
    html: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Closed at once: a new request without any answer, an open watch without an end."""


@dataclass(frozen=True, slots=True)
class CloseMidChunk:
    """A list: half of the body. A watch: half of an event, promised as a chunk. Then closed."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Half-open: the socket stays, nothing comes any more. `headers`: the answer has begun before silence falls."""

    headers: bool = False


@dataclass(frozen=True, slots=True)
class GoneEvent:
    """A watch: an ERROR event with a 410 Status, then the end of the stream."""


@dataclass(frozen=True, slots=True)
class ExpiredContinue:
    """A list: the continue token is refused with 410, so never on the first page."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A watch: whatever version it asks for, every existing object is sent as ADDED first."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A watch: every event is sent twice. On an open watch: its last event once more."""


@dataclass(frozen=True, slots=True)
class UnknownDelete:
    """A watch: DELETED for an object that no client has ever seen."""

    namespace: str = "nowhere"
    name: str = "never-seen"


@dataclass(frozen=True, slots=True)
class MergedChunks:
    """A watch: what happens within `seconds` is sent as one chunk, as a buffering proxy does."""

    seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class CutChunks:
    """A watch: events are cut into chunks of `size` bytes, each its own segment on the wire as far as TCP lets it."""

    size: int = 1


@dataclass(frozen=True, slots=True)
class NoTable:
    """The server does not know the Table form: 406 for those who accept nothing else."""


@dataclass(frozen=True, slots=True)
class Slow:
    """Every answer begins this much later."""

    seconds: float


Fault = (
    Status
    | Drop
    | CloseMidChunk
    | Silence
    | GoneEvent
    | ExpiredContinue
    | Replay
    | Duplicate
    | UnknownDelete
    | MergedChunks
    | CutChunks
    | NoTable
    | Slow
)

WATCH_ONLY = (GoneEvent, Replay, Duplicate, UnknownDelete, MergedChunks, CutChunks)

_F = TypeVar("_F")


class Injected:
    """A fault in place. `hits` counts the requests it has hit; it ends after `times` of them or with `clear()`."""

    def __init__(self, fault: Fault, resource: str, verb: str, namespace: str | None, times: int | None) -> None:
        self.fault = fault
        self.resource = resource
        self.verb = verb
        self.namespace = namespace
        self.left = times
        self.hits = 0
        self.cleared = False

    def clear(self) -> None:
        self.cleared = True

    @property
    def active(self) -> bool:
        return not self.cleared and (self.left is None or self.left > 0)


class Faults:
    """The faults that hit one request: at most one of each type is used, the one injected first."""

    def __init__(self, injected: list[Injected]) -> None:
        self.injected = injected

    def __iter__(self) -> Iterator[Fault]:
        return (one.fault for one in self.injected)

    def get(self, fault_type: type[_F]) -> _F | None:
        return next((one.fault for one in self.injected if isinstance(one.fault, fault_type)), None)

    def holding(self, fault_type: type[Fault]) -> bool:
        """True while such a fault that hit this request has not been cleared by the test."""
        return any(isinstance(one.fault, fault_type) and not one.cleared for one in self.injected)


class Board:
    """All faults in place."""

    def __init__(self) -> None:
        self._injected: list[Injected] = []
        self._lock = threading.Lock()

    def inject(
        self,
        fault: Fault,
        resource: str = ANY,
        *,
        verb: str = ANY,
        namespace: str | None = None,
        times: int | None = None,
    ) -> Injected:
        """Put a fault in place for requests of `resource` (a plural, "discovery", or any).

        `verb` is "list", "watch", "get" or any. `namespace` None means every scope, "" only cluster-wide requests, a name
        only requests in that namespace. `times` None means until cleared.
        """
        if isinstance(fault, WATCH_ONLY):
            verb = "watch"
        if isinstance(fault, ExpiredContinue):
            verb = "list"
        injected = Injected(fault, resource, verb, namespace, times)
        with self._lock:
            self._injected.append(injected)
        return injected

    def clear(self) -> None:
        """End every fault."""
        with self._lock:
            for injected in self._injected:
                injected.clear()
            self._injected = []

    def take(self, resource: str, verb: str, namespace: str, query: Mapping[str, str]) -> Faults:
        """The faults that hit this request; each counts it. Of those with a budget only one of a type is spent."""
        taken: list[Injected] = []
        with self._lock:
            for one in self._injected:
                if (
                    one.active
                    and one.resource in (ANY, resource)
                    and one.verb in (ANY, verb)
                    and one.namespace in (None, namespace)
                    and not (isinstance(one.fault, ExpiredContinue) and not query.get("continue"))
                    and not any(type(one.fault) is type(other.fault) for other in taken)
                ):
                    one.hits += 1
                    taken.append(one)
                    if one.left is not None:
                        one.left -= 1
        return Faults(taken)
