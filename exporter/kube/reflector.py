"""Keeps one sink equal to one resource in one scope: list, watch, resume, and list again when it must be.

What can go wrong, what is done about it and what is shown meanwhile is told in docs/watching.md. In short: nothing is
swept but by a complete list, nothing dips while the API server is away, and nothing is kept of a resource that the API
server refuses or no longer serves once that has proven to last.
"""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from exporter.config.settings import KubernetesSettings
from exporter.kube.backoff import Backoff, Pace
from exporter.kube.client import KubeClient
from exporter.kube.decode import Decoder
from exporter.kube.failure import ApiError, Interrupted
from exporter.kube.listing import LISTS_AT_ONCE, Lister
from exporter.kube.request import Request
from exporter.kube.resource import (
    LIST_RESULTS,
    RESTART_REASONS,
    Form,
    Observer,
    Record,
    ReflectorStatus,
    Resource,
    Sink,
)
from exporter.kube.stream import Stream

log = structlog.get_logger(__name__)

PATIENCE = 5  # a watch that fails so often in a row with the same version gets a new version: a list

# These say nothing about our version: watch on from it. After any other end, list first.
_WATCH_ON = frozenset({"unauthorized", "throttled", "timeout", "network"})


@dataclass(frozen=True)
class Surroundings:
    """What all reflectors of a process share."""

    client: KubeClient
    settings: KubernetesSettings
    observer: Observer
    changed: Callable[[], None]
    pace: Pace = field(default_factory=Pace)
    slots: threading.Semaphore = field(default_factory=lambda: threading.BoundedSemaphore(LISTS_AT_ONCE))


class Reflector:
    """One thread, one connection. `status` may be read by anyone.

    `stand_in`, if given, makes the records that are shown while list is denied. `after` is an earlier reflector of the
    same scope, whose thread must have ended before this one begins.
    """

    def __init__(
        self,
        resource: Resource,
        scope: str,
        sink: Sink,
        around: Surroundings,
        *,
        label_selector: str = "",
        stand_in: Callable[[], Sequence[Record]] | None = None,
        after: Reflector | None = None,
    ) -> None:
        self.resource = resource
        self.scope = scope
        self.status = ReflectorStatus(resource.name, scope)
        self._sink = sink
        self._around = around
        self._pace = around.pace
        self._label_selector = label_selector
        self._stand_in = stand_in
        self._after = after
        self._channel = around.client.channel()
        self._lister = Lister(
            self._channel, scope, around.settings.page_size, around.pace.list_read_timeout, around.slots
        )
        self._backoff = Backoff(around.pace)
        self._stopping = threading.Event()
        self._forget_at_end = False
        self._thread = threading.Thread(
            target=self._run, name=f"reflector {resource.name} {scope}".strip(), daemon=True
        )
        self._log = log.bind(resource=resource.full_name, scope=scope)

        self._form: Form = resource.form
        self._request: Request | None = None
        self._decoder: Decoder | None = None
        self._version: str | None = None  # to watch from; None: list first
        self._verb = "list"
        self._listed_at = 0.0
        self._refused_since: float | None = None
        self._dark = ""  # "denied" or "absent" once that has proven to last
        self._failures = 0  # of watches, in a row, with the same version
        self._failing = False
        self._shown = (False, False, False, "")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, *, forget: bool = False) -> None:
        """End soon: the connection is cut at once. With `forget` the sink forgets the scope. Does not wait; see `join`."""
        self._forget_at_end = forget
        self._stopping.set()
        self._channel.interrupt()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the thread, if it was started."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """The thread lives. It ends only by `stop`."""
        return self._thread.is_alive()

    def _run(self) -> None:
        if self._after is not None:
            self._after.join()
            self._after = None
        try:
            while not self._stopping.is_set():
                delay = self._safe_turn()
                if delay > 0:
                    self._pace.wait(self._stopping, delay)
        finally:
            self._channel.close()
            if self._forget_at_end:
                self._sink.forget(self.scope)

    def _safe_turn(self) -> float:
        """A turn that may fail in any way: the thread must live, whatever a sink, an observer or a listener raises."""
        try:
            return self._turn()
        except Interrupted:
            return 0.0
        except Exception as error:  # noqa: BLE001
            return self._broke(error)

    def _turn(self) -> float:
        """One list if it is needed and one watch. How long to wait before the next turn."""
        try:
            if self._version is None:
                self._list()
            return self._watch()
        except ApiError as error:
            return self._failed(error)

    # Listing

    def _list(self) -> None:
        self._verb = "list"
        name = self.resource.full_name
        failure = ApiError("absent", f"{name}: none of the versions {', '.join(self.resource.versions)} is served")
        for version in self._versions():
            try:
                self._version = self._list_as(version)
            except ApiError as error:
                # The group may serve the version without this resource in it.
                if error.reason != "absent":
                    raise
                failure = error
            else:
                self._listed()
                return
        raise failure

    def _versions(self) -> Sequence[str]:
        """The served versions in our order of preference; all of them if we may not ask."""
        if not self.resource.group:
            return self.resource.versions
        try:
            served = self._around.client.discover(self.resource.group)
        except ApiError as error:
            if error.reason != "denied":
                raise
            return self.resource.versions
        return [version for version in self.resource.versions if version in served]

    def _list_as(self, version: str) -> str:
        name, observer = self.resource.name, self._around.observer
        request = Request(self.resource, version, self._form, self.scope, self._label_selector)
        decoder = Decoder(
            self.resource, self._form, request.api_version, lambda reason: observer.decode_error(name, reason)
        )
        try:
            resource_version = self._lister.run(request, decoder, self._sink, self._contact)
        except ApiError as error:
            if error.reason == "form" and self._fall_back():
                return self._list_as(version)
            raise
        self._request, self._decoder = request, decoder
        return resource_version

    def _fall_back(self) -> bool:
        """From Table to PartialObjectMetadata, once and for good. There is nothing to fall back to from there."""
        if self._form != "table":
            return False
        self._form = "metadata"
        self._log.info("table form refused, metadata form used; the type of a Secret is not known there")
        return True

    def _listed(self) -> None:
        self._around.observer.listed(self.resource.name, "ok")
        self._listed_at = self._pace.monotonic()
        self._refused_since = None
        self._dark = ""
        self._failures = 0
        status = self.status
        status.version = self._request.version if self._request is not None else ""
        status.absent = False
        status.synced = True
        self._show()

    # Watching

    def _watch(self) -> float:
        self._verb = "watch"
        assert self._request is not None
        assert self._decoder is not None
        assert self._version is not None
        pace, observer, name = self._pace, self._around.observer, self.resource.name
        seconds = max(1, round(pace.around(self._around.settings.watch_timeout)))
        stream = Stream(self._channel, self._request, self._decoder, self._sink, self._version)
        began = pace.monotonic()
        try:
            stream.run(
                seconds,
                min(seconds + pace.watch_read_slack, max(pace.watch_read_ceiling, seconds + 1.0)),
                opened=self._opened,
                alive=self._contact,
                saw=lambda type_: observer.event(name, type_),
            )
        finally:
            if stream.version != self._version:
                self._failures = 0
                self._version = stream.version
            lived = pace.monotonic() - began
            if lived >= pace.settled_stream:
                self._backoff.reset()
        if lived < pace.short_stream:
            observer.restarted(name, "short")
            return self._backoff.next()
        observer.restarted(name, "end")
        self._failures = 0
        return 0.0

    def _opened(self) -> None:
        self._contact()
        self.status.denied = False
        self.status.last_error = ""
        if self._failing:
            self._failing = False
            self._log.info("watched again")
        self._show()

    def _contact(self) -> None:
        self.status.last_contact = self._pace.wall()

    # Failing

    def _failed(self, error: ApiError) -> float:
        self.status.last_error = str(error)
        if self._verb == "watch":
            self._watch_failed(error)
        else:
            result = error.reason if error.reason in LIST_RESULTS else "error"
            self._around.observer.listed(self.resource.name, result)
        if error.reason in ("denied", "absent"):
            self._refused(error)
        else:
            self._refused_since = None
        self._show()
        return self._delay(error)

    def _watch_failed(self, error: ApiError) -> None:
        reason = error.reason if error.reason in RESTART_REASONS else "error"
        self._around.observer.restarted(self.resource.name, reason)
        self._failures += 1
        if error.reason == "form":
            self._fall_back()
        if error.reason == "denied":
            # Where only list is allowed it is all we have, but a list is dear.
            again = self._pace.monotonic() - self._listed_at >= self._pace.denied_list_every
        elif error.status >= 500:
            # Often the server's trouble, but 504 may also mean that our version is newer than anything it knows.
            again = self._failures >= PATIENCE
        else:
            again = error.reason not in _WATCH_ON
        if again:
            self._version = None

    def _refused(self, error: ApiError) -> None:
        """403 and 404. A starting API server gives both for a moment, so what is shown is only believed gone after a grace."""
        status, now = self.status, self._pace.monotonic()
        denied = error.reason == "denied"
        if self._verb == "watch":
            status.denied = denied or status.denied
            return
        if self._refused_since is None:
            self._refused_since = now
        grace = self._pace.denied_grace if denied else self._pace.absent_grace
        if self._dark == error.reason or (status.synced and not self._dark and now - self._refused_since < grace):
            return
        self._dark = error.reason
        self._version = None
        self._sink.forget(self.scope)
        status.synced, status.denied, status.absent = False, denied, not denied
        if denied and self._stand_in is not None:
            listing = self._sink.begin_list(self.scope)
            listing.add(self._stand_in())
            listing.finish()
            status.synced = True

    def _delay(self, error: ApiError) -> float:
        if error.reason in ("gone", "replay") and self._backoff.failures == 0:
            self._backoff.next()  # the first time is everyday life: list at once
            return 0.0
        if self.status.absent:
            return self._pace.around(self._pace.absent_every)
        delay = self._backoff.next(error.retry_after)
        if self._backoff.failures == 2 and not self._failing and not self.status.denied:
            self._failing = True
            self._log.warning(
                f"{self._verb} fails, tried again", error=error.reason, status=error.status or None, help=str(error)
            )
        return delay

    def _broke(self, error: Exception) -> float:
        """A fault of ours. The next list puts things right."""
        where = traceback.extract_tb(error.__traceback__)[-1]
        self._version = None
        self.status.last_error = f"internal error ({type(error).__name__}); please report it"
        self._log.error(
            "internal error, listed again", error=type(error).__name__, where=f"{where.filename}:{where.lineno}"
        )
        with contextlib.suppress(Exception):  # the observer may be what is broken
            if self._verb == "watch":
                self._around.observer.restarted(self.resource.name, "error")
            else:
                self._around.observer.listed(self.resource.name, "error")
        return self._backoff.next()

    def _show(self) -> None:
        """Tell of a change of state, once."""
        status = self.status
        before, now = self._shown, (status.synced, status.denied, status.absent, status.version)
        if now == before:
            return
        self._shown = now
        if status.denied and not before[1]:
            self._log.warning("refused by the API server", verb=self._verb, help=status.last_error)
        elif status.absent and not before[2]:
            tell = self._log.info if self.resource.optional else self._log.warning
            tell("not served by the API server", help=status.last_error)
        elif status.synced and now != before:
            self._log.info("in sync", version=status.version)
        self._around.changed()
