"""What the unchanged rules record and fire in a test, as input series: a changed rule is then run with its readers alone.

promtool cannot print series, but tells what it got where nothing was expected; that is read here.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.alerts.promtool import run, write
from tests.alerts.rulefile import Rule
from tests.alerts.scenarios import packed

_WHEN = re.compile(r'expr: "[^\n]*", time: (\S+?),')
_SAMPLE = re.compile(r"\{([^}]*)\} (\S+?)(?:, (?=\{)|$)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_PART = re.compile(r"(\d+)(ms|[dhms])")
_UNITS = {"ms": 0, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Recorded:
    """One series that a rule made: `rule` is the title of the rule, `series` and `values` are as promtool wants them."""

    rule: str
    series: str
    values: str


def recorded(test: dict[str, Any], step: int, rules: Iterable[Rule]) -> list[Recorded]:
    """All series that the rules make in a test."""
    chosen = list(rules)
    steps = _last(test) // step
    looks = [
        {
            "expr": '{__name__=~"eso:.+|ALERTS"}',
            "eval_time": f"{number * step}s",
            "exp_samples": [],
        }
        for number in range(steps + 1)
    ]
    looking = {"interval": test["interval"], "input_series": test["input_series"], "promql_expr_test": looks}
    with tempfile.TemporaryDirectory() as folder:
        said = run("promtool", write(Path(folder), [looking], step, chosen, texts=False))
    found: dict[tuple[tuple[str, str], ...], dict[int, str]] = {}
    number = 0
    for line in said.splitlines():
        if match := _WHEN.search(line):
            number = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(match[1])) // step
        elif line.strip().startswith("got: {"):
            for sample in _SAMPLE.finditer(line.strip().removeprefix("got: ")):
                labels = tuple(sorted((key, json.loads(f'"{value}"')) for key, value in _LABEL.findall(sample[1])))
                found.setdefault(labels, {})[number] = f"{float(sample[2]):.15g}"
    return [_series(dict(labels), values, steps) for labels, values in found.items()]


def _series(labels: dict[str, str], values: dict[int, str], steps: int) -> Recorded:
    name = labels.pop("__name__")
    rule = f"{labels['alertname']}/{labels['severity']}" if name == "ALERTS" else name
    texts = []
    for number in range(steps + 1):
        gone = number > 0 and number - 1 in values
        texts.append(values.get(number, "stale" if gone else "_"))
    inside = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
    return Recorded(rule, f"{name}{{{inside}}}", packed(texts))


def _last(test: dict[str, Any]) -> int:
    looks = [*test["promql_expr_test"], *test.get("alert_rule_test", ())]
    return max(int(look["eval_time"].rstrip("s")) for look in looks)
