"""The unit tests of the alerts: `alerts/tests/<Alert>.yaml`, and the promtool tests that are made of them.

A file says how long each severity waits (`for`) and stays (`keep`), and lists cases: series over time, and when each alert's
condition holds. From that follow the moments that are looked at: one evaluation before it fires, when it fires, the last
one at which it fires, and the next. At each all firing alerts are compared, so that none may fire that is not named.

    severities: {critical: {for: 5m, keep: 5m}}
    words: {store: 'store_kind="SecretStore",store_namespace="shop",store="vault"'}
    cases:
      - name: pages after five minutes
        series:
          eso_secretstore_ready{<store>}: {0m: 1, 10m: 0, 31m: 1}
        firing:
          critical{<store>,namespace="shop"}: 10m-30m
        also: [clusters, gap, store]

- A series is a value, or `{from: value, …}`; `-` ends it. Time begins at 0, which is also Unix time 0; one sample a minute
  (`interval` of the case, if given).
- `10m-30m`: the condition holds from the evaluation at 10m to that at 30m. `10m-30m +6m`: its series end after 30m, and are
  looked back at for six minutes. `10m~11m-`: it begins at one of two evaluations (at the edge of a window Prometheus 2 and 3
  differ), and lasts. Another alert is named with its severity, as `EsoVaultSealed/critical{vault="main"}`.
- `name="db<1..3>"` stands for three series, `<word>` for a word from `words`.
- `also` runs the case again: `clusters`, with two replicas, one of which restarts, in each of two clusters of which one lags
  behind; `gap`, without the five scrapes after the first condition begins; or a label, or labels joined by +, in which a twin
  of every series that carries them differs and lags behind.
- `look` adds moments at which all firing alerts are compared.
- `end` is when the case ends if nothing fires; `texts` gives the annotations at a moment.

`python -m tests.alerts.scenarios FOLDER` writes everything as plain promtool files.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from alerts.generate import RUNBOOKS

TESTS = Path(__file__).parents[2] / "alerts" / "tests"
MINUTE = 60
GAP = 5
PORTION = 12
LAG = 17
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Labels = dict[str, str]
Values = list[str]
"""One promtool value a step: a number, `_` or `stale`."""


@dataclass(frozen=True)
class Moment:
    """An evaluation, or two neighbours of which either may be meant; seconds."""

    first: int
    last: int

    def later(self, seconds: int) -> Moment:
        return Moment(self.first + seconds, self.last + seconds)


@dataclass(frozen=True)
class Firing:
    """One alert: its labels, when it begins to fire, and its last evaluation (None: it does not end)."""

    labels: tuple[tuple[str, str], ...]
    begins: Moment
    ends: Moment | None

    def at(self, time: int) -> bool | None:
        """Whether it fires; None where either is right."""
        if time < self.begins.first or (self.ends and time > self.ends.last):
            return False
        return True if time >= self.begins.last and (not self.ends or time <= self.ends.first) else None

    def edges(self, step: int) -> Iterator[int]:
        yield from (self.begins.first - step, self.begins.last)
        if self.ends:
            yield from (self.ends.first, self.ends.last + step)

    def changed(self, labels: Mapping[str, str], later: int) -> Firing:
        return Firing(
            tuple(sorted((dict(self.labels) | labels).items())),
            self.begins.later(later),
            self.ends.later(later) if self.ends else None,
        )


@dataclass(frozen=True)
class Series:
    """One input series."""

    name: str
    labels: tuple[tuple[str, str], ...]
    values: tuple[str, ...]

    def changed(self, labels: Mapping[str, str], later: int = 0, step: int = MINUTE) -> Series:
        """Itself with other labels, and so many seconds later: its times are later too."""
        values = self.values
        if later:
            if self.name.endswith("_timestamp_seconds"):
                values = tuple(value if value in ("_", "stale") else str(int(value) + later) for value in values)
            values = ("_",) * (later // step) + values
        return Series(self.name, tuple(sorted((dict(self.labels) | labels).items())), values)

    def between(self, begin: int, end: int) -> Series:
        """Its samples of the steps from begin to before end."""
        values = tuple(value if begin <= index < end else "_" for index, value in enumerate(self.values))
        if begin < end < len(values):
            values = (*values[:end], "stale", *values[end + 1 :])
        return Series(self.name, self.labels, values)

    def without(self, begin: int, end: int) -> Series:
        """Itself without the samples of the steps from begin to before end."""
        there = self.values[begin - 1] not in ("_", "stale")
        missing = ("stale" if there else "_", *("_",) * (end - begin - 1))
        return Series(self.name, self.labels, (*self.values[:begin], *missing, *self.values[end:]))

    def text(self) -> str:
        return f"{self.name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in self.labels)}}}"


@dataclass(frozen=True)
class World:
    """One test: what is measured, and what fires. `only` restricts the look to alerts with or without a label's value."""

    name: str
    step: int
    end: int
    series: tuple[Series, ...]
    looks: tuple[tuple[str, tuple[Firing, ...]], ...]
    texts: tuple[dict[str, Any], ...] = ()
    extra: tuple[int, ...] = ()

    def promtool(self) -> dict[str, Any]:
        """The test as promtool wants it."""
        expressions = [look for matcher, firing in self.looks for look in self._look(matcher, firing)]
        test: dict[str, Any] = {
            "name": self.name,
            "interval": f"{self.step}s",
            "input_series": [{"series": one.text(), "values": packed(one.values)} for one in self.series],
            "promql_expr_test": expressions,
        }
        if self.texts:
            test["alert_rule_test"] = list(self.texts)
        return test

    def _look(self, matcher: str, firing: tuple[Firing, ...]) -> Iterator[dict[str, Any]]:
        times = {time for one in firing for time in one.edges(self.step) if 0 <= time <= self.end} | set(self.extra)
        for time in sorted(times or set(range(0, self.end + 1, 5 * self.step)) | {self.end}):
            states = [(one.labels, one.at(time)) for one in firing]
            samples = {labels for labels, state in states if state}
            if any(state is None and labels not in samples for labels, state in states):
                continue
            yield {
                "expr": f'ALERTS{{alertstate="firing"{matcher}}}',
                "eval_time": f"{time}s",
                "exp_samples": [{"labels": _sample(dict(labels)), "value": 1} for labels in sorted(samples)],
            }


@dataclass(frozen=True)
class Scenario:
    """The tests of one alert: how long its severities wait and stay, and its worlds."""

    alert: str
    severities: Mapping[str, tuple[int, int]]
    worlds: tuple[World, ...] = field(default=())


class FormError(ValueError):
    """A test file that does not keep to the form."""


def load(alert: str) -> Scenario:
    """The tests of an alert. Raises FormError for a file that cannot be understood, FileNotFoundError without one."""
    content = _read(alert)
    times = _times(content)
    worlds = tuple(world for case in content["cases"] for world in _worlds(alert, case, content.get("words", {})))
    return Scenario(alert, times, worlds)


def names() -> list[str]:
    """The alerts that have a test file."""
    return sorted(path.stem for path in TESTS.glob("*.yaml"))


def parts() -> list[tuple[str, int]]:
    """All tests in portions that are run at a time: (alert, number of the portion)."""
    return [(alert, number) for alert in names() for number in range(-(-len(load(alert).worlds) // PORTION))]


def part(alert: str, number: int) -> tuple[World, ...]:
    """One portion of an alert's tests."""
    return load(alert).worlds[number * PORTION : (number + 1) * PORTION]


def _read(alert: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((TESTS / f"{alert}.yaml").read_text(encoding="utf-8"))
    if unknown := set(content) - {"severities", "words", "cases"}:
        raise FormError(f"{alert}: unknown {', '.join(sorted(unknown))}")
    return content


def _times(content: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    return {
        severity: (seconds(times["for"]), seconds(times.get("keep", "0m")))
        for severity, times in content["severities"].items()
    }


def seconds(text: str) -> int:
    """`90m`, `2h`, `1d` as seconds."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if not match:
        raise FormError(f"{text!r} is not a time such as 10m")
    return int(match[1]) * _UNITS[match[2]]


_CASE = {"name", "series", "firing", "also", "end", "interval", "texts", "gap", "look"}


def _worlds(alert: str, case: dict[str, Any], words: Mapping[str, str]) -> Iterator[World]:
    if unknown := set(case) - _CASE:
        raise FormError(f"{alert}, {case.get('name')}: unknown {', '.join(sorted(unknown))}")
    step = seconds(case.get("interval", "1m"))
    firing = tuple(
        _firing(alert, key, when, words, step)
        for key, times in case.get("firing", {}).items()
        for when in ([times] if isinstance(times, str) else times)
    )
    ends = [time + 5 * step for one in firing for time in one.edges(step)]
    end = max([*ends, *([seconds(case["end"])] if "end" in case else [])])
    series = tuple(
        _series(one, values, end, step)
        for key, values in case["series"].items()
        for one in _several(_worded(key, words))
    )
    extra = tuple(map(seconds, case.get("look", ())))
    texts = (_texts(alert, case["texts"], words),) if "texts" in case else ()
    base = World(f"{alert}: {case['name']}", step, end, series, (("", firing),), texts, extra)
    yield base
    for variant in case.get("also", ()):
        if variant == "clusters":
            yield _clusters(base, firing)
        elif variant == "gap":
            yield _gap(base, seconds(case["gap"]) if "gap" in case else _begin(alert, case))
        else:
            yield _twin(base, firing, variant.split("+"))


def _worded(text: str, words: Mapping[str, str]) -> str:
    for _ in range(3):
        text = re.sub(r"<(\w+)>", lambda match: words[match[1]], text)
    return text


def _several(text: str) -> Iterator[str]:
    """`name="db<1..3>"` as three."""
    match = re.search(r"<(\d+)\.\.(\d+)>", text)
    if not match:
        yield text
        return
    for number in range(int(match[1]), int(match[2]) + 1):
        yield from _several(text.replace(match[0], str(number)))


def _firing(alert: str, key: str, when: str, words: Mapping[str, str], step: int) -> Firing:
    head, _, inside = _worded(key, words).partition("{")
    other, _, severity = head.rpartition("/")
    begin, end = _interval(when)
    waits, stays = (-(-time // step) * step for time in _times(_read(other or alert))[severity])
    labels = {"alertname": other or alert, "severity": severity, **dict(_LABEL.findall(inside))}
    return Firing(_known(labels), begin.later(waits), end.later(stays) if end else None)


def _known(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, value) for key, value in labels.items() if value))


def _interval(text: str) -> tuple[Moment, Moment | None]:
    match = re.fullmatch(r"(\w+)(?:~(\w+))?-(?:(\w+)(?:~(\w+))?)?(?: \+(\w+))?", text)
    if not match:
        raise FormError(f"{text!r} is not an interval such as 10m-30m")
    begin = Moment(seconds(match[1]), seconds(match[2] or match[1]))
    if not match[3]:
        return begin, None
    end = Moment(seconds(match[3]), seconds(match[4] or match[3]))
    if match[5]:
        window = seconds(match[5])
        end = Moment(end.first + window - MINUTE, end.last + window)
    return begin, end


def _begin(alert: str, case: Mapping[str, Any]) -> int:
    first = [times if isinstance(times, str) else times[0] for times in case["firing"].values()]
    return min(_interval(when)[0].first for when in first) + MINUTE


def _series(key: str, given: Any, end: int, step: int) -> Series:
    name, _, inside = key.partition("{")
    changes = {seconds(time): value for time, value in (given if isinstance(given, dict) else {"0m": given}).items()}
    values: Values = []
    for time in range(0, end + 1, step):
        if time in changes:
            now = changes[time]
            values.append(str(now) if now != "-" else ("stale" if values and values[-1] != "_" else "_"))
        else:
            values.append("_" if not values or values[-1] == "stale" else values[-1])
    return Series(name, tuple(sorted(dict(_LABEL.findall(inside)).items())), tuple(values))


def _clusters(base: World, firing: tuple[Firing, ...]) -> World:
    """Two clusters of two replicas each; one restarts under another name soon after trouble began. One cluster lags."""
    restart = min((one.begins.first for one in firing), default=base.end // 2) // base.step + 1
    series: list[Series] = []
    for cluster, later in (("east", 0), ("west", LAG * base.step)):
        for one in base.series:
            moved = one.changed({"cluster": cluster}, later, base.step)
            own = {"job": "eso"} if "job" not in dict(one.labels) else {}
            if "instance" in dict(one.labels):
                series.append(moved.changed(own))
            else:
                series += [
                    moved.changed({"instance": "a", **own}),
                    moved.between(0, restart + later // base.step).changed({"instance": "b", **own}),
                    moved.between(restart + later // base.step, len(moved.values)).changed({"instance": "c", **own}),
                ]
    return World(
        f"{base.name} (clusters)",
        base.step,
        base.end + LAG * base.step,
        tuple(series),
        (
            (',cluster="east"', tuple(one.changed({"cluster": "east"}, 0) for one in firing)),
            (',cluster="west"', tuple(one.changed({"cluster": "west"}, LAG * base.step) for one in firing)),
        ),
    )


def _gap(base: World, begin: int) -> World:
    at = begin // base.step
    series = tuple(one.without(at, at + GAP) for one in base.series)
    return World(f"{base.name} (gap)", base.step, base.end, series, base.looks)


def _twin(base: World, firing: tuple[Firing, ...], labels: Sequence[str]) -> World:
    """The same once more under other values of some labels, lagging behind."""

    def other(of: tuple[tuple[str, str], ...]) -> Labels:
        found = {key: f"{value}-2" for key, value in of if key in labels and value}
        return found if found else {}

    twins = [one.changed(other(one.labels), LAG * base.step, base.step) for one in base.series if other(one.labels)]
    if not twins:
        raise FormError(f"{base.name}: no series carries {'+'.join(labels)}")
    marked = next(label for label in labels if any(label in dict(one.labels) for one in firing) or not firing)
    value = next((dict(one.labels)[marked] for one in firing if marked in dict(one.labels)), "")
    long = base.end + LAG * base.step
    kept = [Series(one.name, one.labels, one.values + _after(one.values, long, base.step)) for one in base.series]
    return World(
        f"{base.name} (twin by {'+'.join(labels)})",
        base.step,
        long,
        (*kept, *twins),
        (
            (f',{marked}!="{value}-2"', firing),
            (
                f',{marked}="{value}-2"',
                tuple(one.changed(other(one.labels), LAG * base.step) for one in firing if other(one.labels)),
            ),
        ),
    )


def _after(values: tuple[str, ...], end: int, step: int) -> tuple[str, ...]:
    last = "_" if values[-1] == "stale" else values[-1]
    return (last,) * (end // step + 1 - len(values))


def _texts(alert: str, texts: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    expected = []
    for key, given in texts.items():
        if key != "at":
            severity, _, inside = _worded(key, words).partition("{")
            annotations = {
                "summary": given["summary"],
                "description": given["description"],
                "runbook_url": RUNBOOKS.format(alert=alert),
                "dashboard_url": f"https://grafana.example.com/d/{given['dashboard']}",
            }
            labels = dict(_known(dict(_LABEL.findall(inside)))) | {"severity": severity}
            expected.append({"exp_labels": labels, "exp_annotations": annotations})
    return {"eval_time": f"{seconds(texts['at'])}s", "alertname": alert, "exp_alerts": expected}


def _sample(labels: Labels) -> str:
    return "ALERTS{" + ",".join(f"{k}={json.dumps(v)}" for k, v in ({"alertstate": "firing"} | labels).items()) + "}"


def packed(values: Sequence[str]) -> str:
    """Values in promtool's short form: `1x9` for ten ones."""
    parts: list[str] = []
    index = 0
    while index < len(values):
        run = index
        while run + 1 < len(values) and values[run + 1] == values[index]:
            run += 1
        count = run - index
        value = values[index]
        if value == "_":
            parts.append(f"_x{count + 1}")
        elif value == "stale":
            parts += ["stale"] * (count + 1)
        else:
            parts.append(f"{value}x{count}")
        index = run + 1
    return " ".join(parts)


def main(arguments: Sequence[str]) -> int:
    """Write plain promtool files into a folder; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tests.alerts.scenarios FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    rules = (Path(__file__).parents[2] / "alerts" / "rules.yaml").as_posix()
    for alert in names():
        tests = [world.promtool() for world in load(alert).worlds]
        content = {
            "rule_files": [rules],
            "evaluation_interval": "1m",
            "group_eval_order": ["eso-exporter", "eso"],
            "tests": tests,
        }
        (folder / f"{alert}.yaml").write_text(yaml.safe_dump(content, sort_keys=False, width=200), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
