"""The mutation test of the rules: `python -m tests.alerts.mutate` (`make mutate`) changes them in every way of
`mutants.py` and runs the unit tests of the alerts that could notice. Prints the score, and every survivor with its reason.

A survivor without a reason in survivors.yaml, or a score below the bar, is exit code 1. Needs promtool on the PATH.
`--only NAME…` tests the mutants of these rules alone; `--jobs N` runs N promtools at once (default: one a processor).

It is fast because each test of a file runs alone, with only the rules that its outcome hangs on, the tests that noticed the
last mutants of a rule first, and ends at the first that notices.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.alerts import scenarios
from tests.alerts.mutants import Mutant, mutants
from tests.alerts.promtool import hangs_on, run, write
from tests.alerts.rulefile import Rule, load, touched_alerts

BAR = 0.95
NEAR = 6
"""Tests of so many alerts are asked about a mutant."""
# What a mutant's name holds → what the name of the likeliest test holds.
HINTS = (
    ("without cluster", "(clusters)"),
    ("not on cluster", "(clusters)"),
    ("instance kept", "(clusters)"),
    ("window", "(gap)"),
    ("without ", "(twin"),
    ("not on ", "(clusters)"),
)
SURVIVORS = Path(__file__).parent / "survivors.yaml"


@dataclass(frozen=True)
class Case:
    """One test: `alert` is whose file it stands in, `needs` the names of the rules it hangs on."""

    alert: str
    name: str
    step: int
    body: dict[str, Any]
    needs: frozenset[str]

    @property
    def reads_texts(self) -> bool:
        return "alert_rule_test" in self.body


def cases(rules: Sequence[Rule]) -> list[Case]:
    """Every test of every file under alerts/tests."""
    return [
        Case(alert, world.name, world.step, body, hangs_on(body, alert, list(rules)))
        for alert in scenarios.names()
        for world in scenarios.load(alert).worlds
        for body in (world.promtool(),)
    ]


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
            for case in self._order(mutant):
                if not self.passes(place, case, mutant):
                    with self.lock:
                        key = (mutant.rule.title, case.alert, case.name)
                        self.noticed[key] = self.noticed.get(key, 0) + 1
                    return False
            return True
        finally:
            shutil.rmtree(place)

    def passes(self, place: Path, case: Case, mutant: Mutant) -> bool:
        """Whether a test passes with the rules as they are, but for the mutant. Raises RuntimeError for a broken file."""
        rules = [
            Rule(rule.group, rule.index, mutant.body) if rule == mutant.rule else rule
            for rule in self.rules
            if rule.name in case.needs
        ]
        return not run("promtool", write(place, [case.body], case.step, rules, texts=case.reads_texts))

    def _order(self, mutant: Mutant) -> list[Case]:
        """The tests that should notice a change of a rule, the likeliest first.

        These are the tests of the alerts nearest to it. Those farther away might notice as well; that they are not asked
        can only make the score lower.
        """
        near = touched_alerts(mutant.rule, self.rules)[:NEAR]
        hint = next((kind for sign, kind in HINTS if sign in mutant.what), "")
        with self.lock:
            noticed = {key[1:]: count for key, count in self.noticed.items() if key[0] == mutant.rule.title}
        could = [case for case in self.every if mutant.rule.name in case.needs and case.alert in near]
        return sorted(
            could,
            key=lambda case: (
                not (hint and hint in case.name),
                -noticed.get((case.alert, case.name), 0),
                near.index(case.alert),
            ),
        )


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
