"""Runs tests of rules with a promtool, each with only the rules that its outcome hangs on."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.alerts.rulefile import Rule, reads
from tests.alerts.scenarios import World

# One promtool a processor: its own threads would only fight for it.
ENVIRONMENT = os.environ | {"GOMAXPROCS": "1", "GOGC": "400"}


def hangs_on(test: dict[str, Any], alert: str, rules: list[Rule]) -> frozenset[str]:
    """The names of the rules that a test's outcome hangs on: those of its alerts, and all they read, directly or not."""
    named = set(re.findall(r'alertname="(\w+)"', json.dumps(test).replace('\\"', '"')))
    named |= {one["alertname"] for one in test.get("alert_rule_test", ())}
    return closure({alert, *named}, rules)


def closure(names: Iterable[str], rules: list[Rule]) -> frozenset[str]:
    """The rules of these names and all they read, directly or not."""
    found, queue = set(names), list(names)
    while queue:
        name = queue.pop()
        for rule in rules:
            if rule.name == name:
                new = reads(rule, rules) - found
                found |= new
                queue += new
    return frozenset(found)


def write(
    folder: Path, tests: Sequence[dict[str, Any]], step: int, rules: Iterable[Rule], *, texts: bool = True
) -> Path:
    """A promtool file with these tests and rules in a folder; without `texts` the rules lose their annotations."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        body = rule.body if texts else {key: value for key, value in rule.body.items() if key != "annotations"}
        groups.setdefault(rule.group, []).append(body)
    # JSON is YAML, and much faster to write.
    content = {"groups": [{"name": name, "rules": bodies} for name, bodies in groups.items()]}
    (folder / "rules.json").write_text(json.dumps(content))
    file = folder / "test.json"
    file.write_text(
        json.dumps(
            {
                "rule_files": ["rules.json"],
                "evaluation_interval": f"{step}s",
                "group_eval_order": [name for name in ("eso-exporter", "eso") if name in groups],
                "tests": list(tests),
            }
        )
    )
    return file


def run(promtool: str | Path, file: Path) -> str:
    """Empty when all tests of a file pass, else what promtool says. Raises RuntimeError for a broken file."""
    done = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=110
    )
    if "could not parse expression" in done.stderr or "unmarshal" in done.stderr:
        raise RuntimeError(f"not a rule file: {done.stderr[:400]}")
    return "" if done.returncode == 0 else done.stdout + done.stderr


def failures(promtool: str | Path, worlds: Iterable[World], alert: str, rules: list[Rule], folder: Path) -> str:
    """Empty when all worlds of an alert pass, else what promtool says."""
    # Texts are rendered at every evaluation, so only where they are looked at.
    alike: dict[tuple[int, bool], list[dict[str, Any]]] = {}
    for world in worlds:
        alike.setdefault((world.step, bool(world.texts)), []).append(world.promtool())
    said = []
    for (step, texts), tests in alike.items():
        needed: frozenset[str] = frozenset()
        for test in tests:
            needed |= hangs_on(test, alert, rules)
        place = folder / f"{step}-{texts}"
        place.mkdir()
        chosen = [rule for rule in rules if rule.name in needed]
        said.append(run(promtool, write(place, tests, step, chosen, texts=texts)))
    return "".join(said)
