"""Runs every incident through promtool and tells who noticed."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from alerts.compare.incidents import INCIDENTS, Incident
from alerts.rules import RULES

USUAL = Path(__file__).with_name("usual.yaml")
CONTENDERS = {
    "ESO's metrics": "UsualEso",
    "a Vault exporter": "UsualVault",
    "Vault's telemetry": "UsualTelemetry",
    "ours": "Eso",
}
"""Column by the beginning of its alerts' names."""

_SAMPLE = re.compile(r"(\{[^{}]*\}) (-?[0-9.]+(?:[eE][+-]?[0-9]+)?)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class CompareError(RuntimeError):
    """promtool did not do what was asked of it; the text is its own."""


@dataclass(frozen=True)
class Fired:
    """Alerts of one name and severity: how many, the minutes when the first began and the last ended."""

    name: str
    severity: str
    number: int
    first: int
    last: int


def fired(incident: Incident, promtool: Path) -> list[Fired]:
    """What fires in an incident. Raises CompareError."""
    world = incident.world()
    series = world.record()
    window = f"[{world.minutes}m:{world.step}m]"
    firing = 'ALERTS{alertstate="firing"}'
    questions = {
        "number": f"count by (alertname, severity) (max_over_time({firing}{window}))",
        "first": f"min by (alertname, severity) (min_over_time(timestamp({firing}){window}))",
        "last": f"max by (alertname, severity) (max_over_time(timestamp({firing}){window}))",
    }
    # A query that must give nothing gives all it finds as the reason of its failure.
    asked = [{"expr": question, "eval_time": f"{world.minutes}m", "exp_samples": []} for question in questions.values()]
    document = {
        "rule_files": [str(RULES), str(USUAL)],
        "evaluation_interval": f"{world.step}m",
        "tests": [{"interval": f"{world.step}m", "input_series": series, "promql_expr_test": asked}],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(document, file)
        file.flush()
        done = subprocess.run([promtool, "test", "rules", file.name], capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    if done.returncode == 0 and "SUCCESS" in told:
        return []
    answers = dict.fromkeys(questions, "")
    for part in told.split("expr:")[1:]:
        name = next(
            (
                key
                for key, question in questions.items()
                if yaml.safe_load(part.split(", time:")[0].strip()) == question
            ),
            None,
        )
        if name is None or "got:" not in part:
            raise CompareError(told[-3000:])
        answers[name] = part.split("got:")[1]
    if not all(answers.values()):
        raise CompareError(told[-3000:])
    found = {name: _samples(answer) for name, answer in answers.items()}
    return [
        Fired(name, severity, round(number), *(round(found[when][name, severity] / 60) for when in ("first", "last")))
        for (name, severity), number in sorted(found["number"].items())
    ]


def _samples(text: str) -> dict[tuple[str, str], float]:
    found = {}
    for labels, value in _SAMPLE.findall(text):
        told = dict(_LABEL.findall(labels))
        found[told["alertname"], told["severity"]] = float(value)
    return found


def verdict(incident: Incident, alerts: Sequence[Fired]) -> tuple[str, bool]:
    """One cell of the table, and whether it is what is wanted: one alert of it, or rightly none.

    What fired before the incident began tells nothing of it.
    """
    told = [
        _told(incident, one)
        for one in sorted(alerts, key=lambda one: (one.first, one.name))
        if one.first >= incident.begin
    ]
    noise = [f"fires anyway: {_name(one)}" for one in alerts if one.first < incident.begin]
    number = sum(one.number for one in alerts if one.first >= incident.begin)
    if not incident.wanted:
        return "<br>".join([f"**false**: {one}" for one in told] + noise) or "silent", not alerts
    many = [f"**{number} alerts**:"] if number > 1 else []
    return "<br>".join([*many, *(told or ["**missed**"]), *noise]), number == 1 and not noise


def _name(one: Fired) -> str:
    return f"{re.sub('^Usual(Eso|Vault|Telemetry)', '', one.name)} ({one.severity})"


def _told(incident: Incident, one: Fired) -> str:
    times = f" ×{one.number}" if one.number > 1 else ""
    return f"{_name(one)}{times} after {one.first - incident.begin} min"


def compare(promtool: Path) -> str:
    """The page. Raises CompareError."""
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda one: fired(one, promtool), INCIDENTS))
    rows, right = [], dict.fromkeys(CONTENDERS, 0)
    for incident, result in zip(INCIDENTS, results, strict=True):
        cells = []
        for column, prefix in CONTENDERS.items():
            cell, good = verdict(incident, [one for one in result if one.name.startswith(prefix)])
            cells.append(cell)
            right[column] += good
        rows.append(f"| **{incident.title}**: {incident.story} | {' | '.join(cells)} |")
    head = f"| incident | {' | '.join(CONTENDERS)} |\n|{'---|' * (1 + len(CONTENDERS))}"
    total = f"| **one alert for one trouble, or rightly none** | {' | '.join(f'{one} of {len(INCIDENTS)}' for one in right.values())} |"
    return _PAGE.format(table="\n".join([head, *rows, total]), usual=_listed(USUAL))


def _listed(path: Path) -> str:
    """The usual rules, as a table."""
    rows = ["| rule | expression | for |", "|---|---|---|"]
    for group in yaml.safe_load(path.read_text())["groups"]:
        for rule in group["rules"]:
            expression = " ".join(rule["expr"].split()).replace("|", "\\|")
            rows.append(f"| {rule['alert'].removeprefix('Usual')} | `{expression}` | {rule.get('for', '0m')} |")
    return "\n".join(rows)


_PAGE = """# Who notices: our rules and the usual ones

<!-- Generated by `make rules-compare`; do not edit. -->

Thirteen incidents (the sealed Vault in two sizes), told as each kind of exporter would tell them, through `promtool test rules`: our rules (`alerts/rules.yaml`) and equivalents of the rules
that are usually published for ESO's own metrics, for exporters of Vault, and for Vault's telemetry. The equivalents are written by us from the
documented expressions (below); they are no copies, and what each of their authors ships today may differ. A cell tells which alerts fire and how long after
the beginning; several alerts of one incident are that many messages before any grouping. What ESO and Vault do in each incident is modelled after what
was measured on real servers or read in their source (`alerts/compare/world.py`).

{table}

What it does not show: the usual rules for Vault's telemetry watch much else (audit failures, raft, leases); a mixin for ESO has rules for its webhook.
The incidents are ours, and chosen from troubles that really were missed. With Prometheus' own `up == 0` or `absent()` for each job, which many
set-ups add by hand, the usual sets notice that an exporter or the operator is gone.

## The usual rules, as compared

{usual}
"""
