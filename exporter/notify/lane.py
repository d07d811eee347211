"""The way to one Alertmanager: a thread of its own, so that one that hangs delays no other.

Nothing queues up: what is to be sent is always the newest outcome, so a long outage costs no memory and ends with one
round of the present state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import msgspec
import structlog

from exporter.config.settings import AlertmanagerSettings
from exporter.kube.backoff import Backoff, Pace
from exporter.notify.evaluation import Outcome
from exporter.notify.table import ALERTS, HEARTBEAT, HEARTBEAT_SEVERITY
from exporter.notify.timeline import Adopted, Firing
from exporter.notify.wire import UNACCEPTABLE, Api, RequestFailedError

log = structlog.stdlib.get_logger(__name__)

BATCH_ALERTS, BATCH_BYTES = 64, 256 << 10
"""Most alerts, and most bytes, of one request."""
PACE = Pace(first=1.0, ceiling=30.0)
NAMES = frozenset(alert.name for alert in ALERTS)
_NEVER = -1e9


class Counters(Protocol):
    """Counts what a lane does; `alertmanager` is `Api.name`."""

    def sent(self, alertmanager: str, alerts: int) -> None: ...
    def failed(self, alertmanager: str, reason: str) -> None: ...


class Outbox(NamedTuple):
    """What is to be said now. `heartbeat` tells whether the exporter sees all that it should."""

    outcome: Outcome
    heartbeat: bool


class Sent(NamedTuple):
    """What an Alertmanager was last told of an alert, and when (monotonic seconds)."""

    starts: float
    until: float | None
    at: float


Key = tuple[str, str, tuple[tuple[str, str], ...]]
_HEARTBEAT_KEY: Key = (HEARTBEAT, HEARTBEAT_SEVERITY, ())


class Lane:
    """Sends to one Alertmanager until stopped. `outbox` gives what is to be said; None while nothing is known yet.

    `up` is None until the first request ended. `asked`: it was asked what it held before our first alert; `adopted` is its
    answer, None while there is none (any more: who takes it sets it back).
    """

    def __init__(
        self,
        api: Api,
        settings: AlertmanagerSettings,
        outbox: Callable[[], Outbox | None],
        counters: Counters,
        *,
        clock: Callable[[], float] = time.time,
        pace: Pace = PACE,
    ) -> None:
        self._api = api
        self._settings = settings
        self._outbox = outbox
        self._counters = counters
        self._clock = clock
        self._backoff = Backoff(pace)
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"notify {api.name}", daemon=True)
        self._sent: dict[Key, Sent] = {}
        self._begun = clock()
        self._started: str | None = None
        self._forgetful = False
        self.adopted: list[Adopted] | None = None
        self.asked = False
        self.up: bool | None = None
        self.last_success: float | None = None

    @property
    def name(self) -> str:
        """The Alertmanager, as metrics and logs call it."""
        return self._api.name

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new to say."""
        self._woken.set()

    def stop(self, timeout: float = 0.0) -> None:
        """Ends the thread; waits at most `timeout` seconds for a request under way."""
        self._stopped.set()
        self._woken.set()
        if timeout > 0 and self._thread.is_alive():
            self._thread.join(timeout)

    def alive(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            pause = self._settings.interval
            try:
                self._turn()
            except RequestFailedError as error:
                pause = self._failed(error)
            except Exception:
                log.exception("sending alerts failed in the exporter itself; please report it", alertmanager=self.name)
                pause = self._backoff.next()
            if self._stopped.is_set():
                break
            if self.up is False:
                # Whatever is new waits too: an Alertmanager that struggles is left alone for a moment.
                self._stopped.wait(pause)
            else:
                self._woken.wait(pause)
            self._woken.clear()
        self._api.close()

    def _turn(self) -> None:
        """One round of requests: those that are needed."""
        if self._started is None:
            try:
                self.adopted = list(self._adopt())
            finally:
                self.asked = True
        started = self._api.started()
        if self._started is not None and (started != self._started or (not started and self.up is False)):
            # It was started anew and remembers nothing: all is said again, also what ended meanwhile.
            self._sent.clear()
            self._forgetful = True
        self._started = started
        if (box := self._outbox()) is not None:
            self._say(box)
        self._succeeded()

    def _adopt(self) -> Iterator[Adopted]:
        """What fires already under our labels: it began before this process did."""
        matchers = [
            'alertname=~"Eso.+"',
            *(f'{name}="{_quoted(value)}"' for name, value in self._settings.labels.items()),
        ]
        for held in self._api.held(matchers):
            labels = dict(held.labels)
            name, severity = labels.pop("alertname", ""), labels.pop("severity", "")
            for external in self._settings.labels:
                labels.pop(external, None)
            if name in NAMES:
                yield Adopted(name, severity, tuple(sorted(labels.items())), held.starts, held.ends)

    def _say(self, box: Outbox) -> None:
        now, monotonic = self._clock(), time.monotonic()
        again = self._settings.resolve_timeout / 4
        due: list[tuple[Key, Sent, bytes]] = []
        present = {_key(one): one for one in box.outcome.firing}
        for key, one in present.items():
            before = self._sent.get(key)
            if (
                before is None
                or (before.starts, before.until) != (one.starts, one.until)
                or monotonic - before.at >= again
            ):
                due.append((key, Sent(one.starts, one.until, monotonic), self._encode(one, now)))
        if box.heartbeat:
            before = self._sent.get(_HEARTBEAT_KEY)
            if before is None or monotonic - before.at >= again:
                due.insert(0, (_HEARTBEAT_KEY, Sent(0.0, None, monotonic), self._heartbeat(now)))
        gone = self._sent.keys() - present.keys() - {_HEARTBEAT_KEY}
        for key in gone:
            del self._sent[key]
        if self._forgetful:
            over = (one for one in box.outcome.ended if _key(one) not in present)
            due += [(_key(one), Sent(one.starts, one.until, _NEVER), self._encode(one, now)) for one in over]
        for batch in _batches(due):
            self._post(batch)
        self._forgetful = False

    def _post(self, batch: list[tuple[Key, Sent, bytes]]) -> None:
        try:
            self._api.post(b"[" + b",".join(alert for _, _, alert in batch) + b"]")
        except RequestFailedError as error:
            if error.status not in UNACCEPTABLE:
                raise
            # It took what it could and said no to the rest: that is sent again only when its time has come.
            self._counters.failed(self.name, error.reason)
            log.error("an Alertmanager refused alerts", alertmanager=self.name, error=str(error), alerts=len(batch))
        else:
            self._counters.sent(self.name, len(batch))
        self._sent.update((key, sent) for key, sent, _ in batch if sent.at != _NEVER)

    def _encode(self, one: Firing, now: float) -> bytes:
        ends = now + self._settings.resolve_timeout
        return _alert(
            {
                **self._settings.labels,
                **dict(one.labels),
                "alertname": one.alert.name,
                "severity": one.alert.severity,
            },
            one.words,
            one.starts,
            ends if one.until is None else min(ends, one.until),
        )

    def _heartbeat(self, now: float) -> bytes:
        labels = {**self._settings.labels, "alertname": HEARTBEAT, "severity": HEARTBEAT_SEVERITY}
        words = {
            "summary": "The exporter of External Secrets is awake.",
            "description": "Sent for as long as the exporter sees everything that it is asked to watch. When it ends, nobody watches: "
            "kubectl get pods -A -l app.kubernetes.io/name=vault-eso-exporter",
        }
        # Without a beginning Alertmanager would let it begin at its end.
        return _alert(labels, words, self._begun, now + self._settings.resolve_timeout)

    def _succeeded(self) -> None:
        if self.up is False:
            log.info("an Alertmanager takes alerts again", alertmanager=self.name)
        self._backoff.reset()
        self.up = True
        self.last_success = self._clock()

    def _failed(self, error: RequestFailedError) -> float:
        """Counts a failure; returns the seconds to wait."""
        self._counters.failed(self.name, error.reason)
        if self.up is not False:
            log.warning(
                "an Alertmanager does not take alerts", alertmanager=self.name, reason=error.reason, error=str(error)
            )
        self.up = False
        return self._backoff.next(error.retry_after)


def _key(one: Firing) -> Key:
    return one.alert.name, one.alert.severity, one.labels


def _alert(labels: Mapping[str, str], words: Mapping[str, str], starts: float, ends: float) -> bytes:
    times = {"startsAt": _rfc3339(starts), "endsAt": _rfc3339(ends)}
    return msgspec.json.encode({"labels": labels, "annotations": words, **times})


def _rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _batches(due: Iterable[tuple[Key, Sent, bytes]]) -> Iterator[list[tuple[Key, Sent, bytes]]]:
    batch: list[tuple[Key, Sent, bytes]] = []
    size = 0
    for one in due:
        if batch and (len(batch) >= BATCH_ALERTS or size + len(one[2]) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one[2])
    if batch:
        yield batch
