"""When an alert begins and ends: the `for` and `keep_firing_for` of Prometheus, and the memory by which parents silence children.

Pure but for what it remembers: time is an argument. One evaluation goes through the conditions in the order of the table,
each seeing what the ones before it made fire, as Prometheus does within a group.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import msgspec

from exporter.notify.table import Alert, Severity

Labels = tuple[tuple[str, str], ...]
"""Sorted, without alertname, severity and external labels, and without empty values."""
Words = Mapping[str, str]
"""Annotations."""

SILENCE = 600.0
"""Seconds for which a parent that ended still silences its children: what reads from it needs time to recover."""
ENDED_FOR = 900.0
"""Seconds for which an alert that ended is kept, for an Alertmanager that forgot it."""
ENDED_AT_MOST = 5_000
"""So many ended alerts are kept, the newest."""


class Condition(msgspec.Struct, frozen=True):
    """Something that is true now and that `alert` tells. `words` makes its annotations when they are needed."""

    labels: Labels
    words: Callable[[], Words]


class Firing(msgspec.Struct, frozen=True):
    """An alert that fires. `starts` is Unix seconds; `until` its end, where its condition is over and it only lingers."""

    alert: Alert
    labels: Labels
    words: Words
    starts: float
    until: float | None = None


class Adopted(msgspec.Struct, frozen=True):
    """An alert that fired before this process began, as an Alertmanager tells it; `ends` is when it would let it go."""

    name: str
    severity: str
    labels: Labels
    starts: float
    ends: float


class _Standing(msgspec.Struct):
    """`since`: first true; `fired`: None while pending; `seen`: last true."""

    since: float
    seen: float
    fired: float | None = None
    words: Words = {}


Key = tuple[str, str, Labels]
"""(alert, severity, labels)."""


def labels(**given: str) -> Labels:
    """Labels of an alert; an empty one is as if it were not there, as in Prometheus."""
    return tuple(sorted((name, value) for name, value in given.items() if value))


class Timeline:
    """Every alert that is pending or firing. For one thread.

    `scale` multiplies all waiting times. `held(alert, labels)` tells that what the alert is read from cannot be read
    now: then the alert neither begins nor ends.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self._standing: dict[tuple[str, str], dict[Labels, _Standing]] = {}
        self._last_fired: dict[tuple[str, str], dict[Labels, float]] = {}
        self._adopted: dict[Key, Adopted] = {}
        self._ended: dict[Key, Firing] = {}

    def adopt(self, alerts: Iterable[Adopted], now: float) -> None:
        """What fired before this process began: it goes on at once where its condition still holds, without a new `for`,
        and silences its children as any parent does."""
        for one in alerts:
            key = (one.name, one.severity, one.labels)
            known = self._adopted.get(key)
            if known is None or one.ends > known.ends:
                self._adopted[key] = one
            self._last_fired.setdefault(key[:2], {})[one.labels] = now

    def adopted(self, name: str, severity: str, one: Labels) -> Adopted | None:
        """What was adopted under this name and these labels, as long as its Alertmanager held it."""
        return self._adopted.get((name, severity, one))

    def step(
        self,
        alert: Alert,
        conditions: Iterable[Condition],
        now: float,
        held: Callable[[Labels], bool] = lambda _: False,
    ) -> None:
        """Takes over what is true of one alert at `now`."""
        standing = self._standing.setdefault((alert.name, alert.severity), {})
        true = {condition.labels: condition for condition in conditions}
        for one, condition in true.items():
            state = standing.get(one)
            if state is None:
                if held(one):
                    continue
                state = standing[one] = _Standing(now, now)
            state.seen = now
            before = self._adopted.get((alert.name, alert.severity, one))
            if state.fired is None and before is not None and before.ends >= now:
                state.fired = before.starts
            if state.fired is None and now - state.since >= alert.wait * self.scale:
                state.fired = now
            if state.fired is not None:
                state.words = condition.words()
        for one in standing.keys() - true.keys():
            state = standing[one]
            if held(one):
                state.seen = now
            elif state.fired is None:
                del standing[one]
            elif now - state.seen >= alert.keep * self.scale:
                del standing[one]
                ends = state.seen + alert.keep * self.scale
                self._ended[alert.name, alert.severity, one] = Firing(alert, one, state.words, state.fired, ends)
        fired = self._last_fired.setdefault((alert.name, alert.severity), {})
        for one, state in standing.items():
            if state.fired is not None:
                fired[one] = now
                self._ended.pop((alert.name, alert.severity, one), None)

    def recently(
        self, names: Collection[str], now: float, severity: Severity | None = None, window: float = SILENCE
    ) -> Iterator[Mapping[str, str]]:
        """Labels of the alerts of these names that fire or did within `window` seconds."""
        within = max(window * self.scale, 1e-9)
        for (name, of), fired in self._last_fired.items():
            if name in names and severity in (None, of):
                yield from (dict(one) for one, at in fired.items() if now - at < within)

    def firing(self, alert: Alert, now: float) -> Iterator[Firing]:
        """What fires of one alert."""
        for one, state in self._standing.get((alert.name, alert.severity), {}).items():
            if state.fired is not None:
                until = None if state.seen >= now else state.seen + alert.keep * self.scale
                yield Firing(alert, one, state.words, state.fired, until)

    def pending(self) -> int:
        """How many alerts wait for their `for`."""
        return sum(state.fired is None for standing in self._standing.values() for state in standing.values())

    def ended(self) -> tuple[Firing, ...]:
        """What ended within ENDED_FOR seconds; `until` is when."""
        return tuple(self._ended.values())

    def forget(self, now: float) -> None:
        """Drops what is too old to matter."""
        for key, fired in self._last_fired.items():
            self._last_fired[key] = {one: at for one, at in fired.items() if now - at < SILENCE}
        self._adopted = {key: one for key, one in self._adopted.items() if one.ends >= now}
        kept = [(key, one) for key, one in self._ended.items() if now - (one.until or 0.0) < ENDED_FOR]
        self._ended = dict(sorted(kept, key=lambda pair: pair[1].until or 0.0)[-ENDED_AT_MOST:])
