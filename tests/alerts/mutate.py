"""The mutation test of the rules: `python -m tests.alerts.mutate` (`make mutate`) changes them in every way of
`mutants.py` and runs the unit tests of the alerts that could notice. Prints the score, and every survivor with its reason.

A survivor without a reason in survivors.yaml, or a score below the bar, is exit code 1. Needs promtool on the PATH.
`--only NAME…` tests the mutants of these rules alone; `--jobs N` runs N promtools at once (default: one a processor).

It is fast because each test of a file runs alone, with only the rules that its outcome hangs on, the tests that noticed the
last mutants of a rule first, and ends at the first that notices.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.alerts.mutants import Mutant, mutants
from tests.alerts.rulefile import TESTS, Rule, load, reads, touched_alerts

BAR = 0.95
SURVIVORS = Path(__file__).parent / "survivors.yaml"
# One promtool a processor: its own threads would only fight for it.
ENVIRONMENT = os.environ | {"GOMAXPROCS": "1", "GOGC": "400"}


@dataclass(frozen=True)
class Case:
    """One test of a test file: `alert` is whose file it stands in, `needs` the names of the rules it hangs on."""

    alert: str
    name: str
    interval: str
    body: dict[str, Any]
    needs: frozenset[str]

    @property
    def reads_texts(self) -> bool:
        return "alert_rule_test" in self.body


def cases(rules: Sequence[Rule]) -> list[Case]:
    """Every test of every file under alerts/tests."""
    return [case for file in sorted(TESTS.glob("*.yaml")) for case in _cases_of(file, list(rules))]


def _cases_of(file: Path, rules: list[Rule]) -> Iterator[Case]:
    content = yaml.safe_load(file.read_text())
    alert = file.name.split(".")[0]
    for test in content["tests"]:
        named = set(re.findall(r'alertname="(\w+)"', json.dumps(test).replace('\\"', '"')))
        named |= {one["alertname"] for one in test.get("alert_rule_test", ())}
        yield Case(alert, test["name"], content["evaluation_interval"], test, _closure({alert, *named}, rules))


def _closure(names: set[str], rules: list[Rule]) -> frozenset[str]:
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


@dataclass
class Workshop:
    """Where mutants are tested. `noticed` counts, for each rule, which tests noticed its mutants."""

    folder: Path
    rules: list[Rule]
    every: list[Case]
    noticed: dict[tuple[str, str, str], int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def survives(self, number: int, mutant: Mutant) -> bool:
        """Whether no test notices the mutant."""
        place = self.folder / str(number)
        place.mkdir()
        try:
            for case in self._order(mutant.rule):
                if not self.passes(place, case, mutant):
                    with self.lock:
                        key = (mutant.rule.title, case.alert, case.name)
                        self.noticed[key] = self.noticed.get(key, 0) + 1
                    return False
            return True
        finally:
            shutil.rmtree(place)

    def passes(self, place: Path, case: Case, mutant: Mutant | None) -> bool:
        """Whether a test passes with the rules as they are, but for the mutant. Raises RuntimeError for a broken file."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for rule in self.rules:
            if rule.name in case.needs:
                body = mutant.body if mutant and rule == mutant.rule else rule.body
                if not case.reads_texts:
                    body = {key: value for key, value in body.items() if key != "annotations"}
                groups.setdefault(rule.group, []).append(body)
        # JSON is YAML, and much faster to write.
        (place / "rules.json").write_text(
            json.dumps({"groups": [{"name": name, "rules": rules} for name, rules in groups.items()]})
        )
        (place / "test.json").write_text(
            json.dumps({"rule_files": ["rules.json"], "evaluation_interval": case.interval, "tests": [case.body]})
        )
        done = subprocess.run(
            ["promtool", "test", "rules", str(place / "test.json")],
            capture_output=True,
            text=True,
            check=False,
            env=ENVIRONMENT,
        )
        if "could not parse expression" in done.stderr or "unmarshal" in done.stderr:
            raise RuntimeError(f"not a rule file any more: {done.stderr[:400]}")
        return done.returncode == 0

    def _order(self, rule: Rule) -> list[Case]:
        """The tests that could notice a change of a rule: those that did first, then those of the nearest alerts."""
        near = touched_alerts(rule, self.rules)
        with self.lock:
            noticed = {key[1:]: count for key, count in self.noticed.items() if key[0] == rule.title}
        could = [case for case in self.every if rule.name in case.needs and case.alert in near]
        return sorted(could, key=lambda case: (-noticed.get((case.alert, case.name), 0), near.index(case.alert)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.alerts.mutate", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    chosen = parser.parse_args(arguments)
    if shutil.which("promtool") is None:
        print("error: promtool is not on the PATH; install Debian's package prometheus", file=sys.stderr)
        return 2
    rules = load()
    every = [mutant for rule in rules if not chosen.only or rule.name in chosen.only for mutant in mutants(rule)]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(chosen.jobs) as pool:
        workshop = Workshop(Path(folder), rules, cases(rules))
        outcomes = list(pool.map(workshop.survives, range(len(every)), every))
    survivors = [mutant for mutant, survived in zip(every, outcomes, strict=True) if survived]
    return report(every, survivors, time.monotonic() - begun, whole=not chosen.only)


def report(every: Sequence[Mutant], survivors: Sequence[Mutant], seconds: float, *, whole: bool) -> int:
    """Print the score and the survivors; returns the exit code."""
    reasons: dict[str, str] = yaml.safe_load(SURVIVORS.read_text()) or {}
    keys = {mutant.key for mutant in survivors}
    unexplained = sorted(keys - reasons.keys())
    score = 1 - len(survivors) / len(every)
    for key in sorted(keys & reasons.keys()):
        print(f"survived: {key}\n          {reasons[key]}")
    for key in unexplained:
        print(f"survived: {key}\n          WITHOUT A REASON in {SURVIVORS.name}: add a test, or say why none can tell")
    gone = sorted(reasons.keys() - keys) if whole else []
    for key in gone:
        print(f"no survivor any more, remove it from {SURVIVORS.name}: {key}")
    print(
        f"{len(every) - len(survivors)} of {len(every)} mutants noticed: {score:.1%} in {seconds:.0f} s (bar {BAR:.0%})"
    )
    return 1 if unexplained or gone or score < BAR else 0


if __name__ == "__main__":
    sys.exit(main())
