"""One watch, from its first line to its end."""

from __future__ import annotations

from collections.abc import Callable

from exporter.kube.decode import GONE, Decoder, Event
from exporter.kube.failure import ApiError, of_status
from exporter.kube.lines import LINE_LIMIT, LineTooLongError, split_lines
from exporter.kube.request import Request
from exporter.kube.resource import EVENT_TYPES, Sink
from exporter.kube.transport import Channel

BAD_LINES_AT_MOST = 20  # in a row, without even a version: what feeds us is not a watch


class Stream:
    """Feeds the sink from a watch and remembers how far it came: `version` moves only after the sink has the object."""

    def __init__(self, channel: Channel, request: Request, decoder: Decoder, sink: Sink, version: str) -> None:
        self._channel = channel
        self._request = request
        self._decoder = decoder
        self._sink = sink
        self._began_at = _number(version)
        self.version = version
        self._replayed = False

    def run(
        self,
        seconds: int,
        read_timeout: float,
        *,
        opened: Callable[[], None],
        alive: Callable[[], None],
        saw: Callable[[str], None],
    ) -> None:
        """Returns when the server ends the watch. Raises ApiError and Interrupted.

        `opened` is called when the server has agreed, `alive` for everything that arrives, `saw` with each event's type.
        """
        path = self._request.path
        response = self._channel.get(
            path,
            self._request.watch_query(self.version, seconds),
            accept=self._request.accept(watch=True),
            read_timeout=read_timeout,
        )
        opened()
        bad_lines = 0
        try:
            for line in split_lines(self._channel.chunks(response, path), LINE_LIMIT):
                event = self._decoder.event(line)
                del line  # not held while the next one is awaited: an annotation may carry a value
                alive()
                saw(event.type if event.type in EVENT_TYPES else "ERROR")
                bad_lines = bad_lines + 1 if event.bad and not event.version else 0
                if bad_lines >= BAD_LINES_AT_MOST:
                    raise ApiError("error", f"{path}: the watch sends no events")
                self._apply(event)
                if self._replayed:
                    raise ApiError("replay", path)
        except LineTooLongError as error:
            raise ApiError(
                "error", f"{path}: the watch sends an event longer than any object may be", status=GONE
            ) from error

    def _apply(self, event: Event) -> None:
        scope = self._request.scope
        if event.type == "ERROR":
            raise of_status(event.code, f"watch of {self._request.path}")
        if not event.bad:
            if event.record is not None:
                self._sink.apply(scope, event.record)
            elif event.type != "BOOKMARK":
                self._sink.remove(scope, event.namespace, event.name)
        self._advance(event)

    def _advance(self, event: Event) -> None:
        if not event.version:
            return
        number, current = _number(event.version), _number(self.version)
        if number is None or current is None or number > current:
            self.version = event.version
        # Versions can be compared as numbers (Kubernetes promises it since 1.35, and it has always been so). Something
        # added before the moment we asked for is a replay of everything: what was deleted meanwhile is not in it.
        if event.type == "ADDED" and number is not None and self._began_at is not None and number <= self._began_at:
            self._replayed = True


def _number(version: str) -> int | None:
    return int(version) if version.isdecimal() else None
