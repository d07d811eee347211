"""The mutation test of the rules: `python -m tests.alerts.mutate` (`make mutate`) changes them in every way of
`mutants.py` and runs the unit tests of the alerts that could notice. Prints the score, and every survivor with its reason.

A survivor without a reason in survivors.yaml, or a score below the bar, is exit code 1. Needs promtool on the PATH.
`--only NAME…` tests the mutants of these rules alone, `--match REGEX` those of whose names (as reports print them) some part
matches, `--from FILE` those whose names stand in a report printed earlier; `--jobs N` runs N promtools at once (default: one a
processor).

It is fast because each test runs alone, with only the changed rule and those that read it (what the others make of the test is
worked out once), the likeliest test first, and ends at the first that notices. Each test that does is run in the same way with
the unchanged rule, too, and must pass.
"""

from __future__ import annotations

import argparse
import os
import random
import re
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
from tests.alerts.baseline import Recorded, recorded
from tests.alerts.mutants import Mutant, mutants
from tests.alerts.promtool import closure, hangs_on, run, write
from tests.alerts.rulefile import Rule, load, reads, touched_alerts
from tests.alerts.scenarios import World

BAR = 0.95
TRIES, TRIES_EXPLAINED = 160, 30
"""So many tests are asked about a mutant; about one that survives for a reason told in survivors.yaml, fewer."""
# What a mutant's name holds → what the name of the likeliest test holds.
HINTS = (
    ("without cluster", "(clusters)"),
    ("not on cluster", "(clusters)"),
    ("instance kept", "(clusters)"),
    ("window", "(gap)"),
    ("any alertstate", "(pending)"),
    ("any alertname", "hide"),
    ("any severity", "hide"),
    ("min → max", "replicas"),
    ("max → min", "replicas"),
    ("or: only", "silent"),
    ("dropped", "silent"),
    ("without ", "(twin"),
    ("not on ", "("),
)
SURVIVORS = Path(__file__).parent / "survivors.yaml"


@dataclass(frozen=True)
class Case:
    """One test: `alert` is whose file it stands in, `needs` the names of the rules it is run with.

    `hangs_on` are the titles of the rules that what fires in it hangs on, `fires` the severities of its own alert that fire.
    """

    alert: str
    name: str
    step: int
    body: dict[str, Any]
    needs: frozenset[str]
    hangs_on: frozenset[str]
    fires: frozenset[str]

    @property
    def cost(self) -> int:
        """Rules evaluated, to compare tests by."""
        last = max(int(look["eval_time"].rstrip("s")) for look in self.body["promql_expr_test"])
        return last // self.step * len(self.needs)

    @property
    def reads_texts(self) -> bool:
        return "alert_rule_test" in self.body


def cases(rules: list[Rule]) -> list[Case]:
    """Every test of every file under alerts/tests."""
    return [_case(alert, world, rules) for alert in scenarios.names() for world in scenarios.load(alert).worlds]


def _case(alert: str, world: World, rules: list[Rule]) -> Case:
    body = world.promtool()
    fire = {
        (labels["alertname"], labels["severity"])
        for _, firing in world.looks
        for labels in (dict(one.labels) for one in firing)
    }
    titles = {f"{name}/{severity}" for name, severity in fire}
    if alert not in {name for name, _ in fire}:
        titles |= {rule.title for rule in rules if rule.name == alert}
    read = closure({name for rule in rules if rule.title in titles for name in reads(rule, rules)}, rules)
    return Case(
        alert,
        world.name,
        world.step,
        body,
        hangs_on(body, alert, rules),
        frozenset(titles | {rule.title for rule in rules if rule.name in read}),
        frozenset(severity for name, severity in fire if name == alert),
    )


@dataclass
class Workshop:
    """Where mutants are tested. `explained` are the names of those that survivors.yaml lists; `noticed` counts, for each rule,
    which tests noticed its mutants; `sound` are (rule, alert, test) of which `_assure` is satisfied."""

    folder: Path
    rules: list[Rule]
    every: list[Case]
    explained: frozenset[str]
    noticed: dict[tuple[str, str, str], int] = field(default_factory=dict)
    downstream: dict[str, frozenset[str]] = field(default_factory=dict)
    baselines: dict[tuple[str, str], list[Recorded]] = field(default_factory=dict)
    sound: set[tuple[str, str, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def survives(self, number: int, mutant: Mutant) -> bool:
        """Whether no test notices the mutant."""
        place = self.folder / str(number)
        place.mkdir()
        try:
            for case in self._order(mutant):
                if not self.passes(place, case, mutant):
                    key = (mutant.rule.title, case.alert, case.name)
                    self._assure(place, case, mutant.rule, key)
                    with self.lock:
                        self.noticed[key] = self.noticed.get(key, 0) + 1
                    return False
            return True
        finally:
            shutil.rmtree(place)

    def _assure(self, place: Path, case: Case, rule: Rule, key: tuple[str, str, str]) -> None:
        """That a test which noticed passes, run the same way, with the rule as it is; once for each. Else RuntimeError."""
        if key not in self.sound:
            if not self.passes(place, case, Mutant(rule, "unchanged", rule.body)):
                raise RuntimeError(f"{case.name}: fails with {rule.title} as it is, when run for its mutants")
            self.sound.add(key)

    def passes(self, place: Path, case: Case, mutant: Mutant) -> bool:
        """Whether a test passes with the rules as they are, but for the mutant. Raises RuntimeError for a broken file."""
        changed = self._downstream(mutant.rule)
        if case.reads_texts:  # of all severities, and only a rule that runs has texts
            changed |= {rule.title for rule in self.rules if rule.name == case.alert}
        rules = [
            Rule(rule.group, rule.index, mutant.body) if rule == mutant.rule else rule
            for rule in self.rules
            if rule.title in changed and rule.name in case.needs
        ]
        given = [one for one in self._recorded(case) if one.rule not in changed]
        inputs = [*case.body["input_series"], *({"series": one.series, "values": one.values} for one in given)]
        body = case.body | {"input_series": inputs}
        return not run("promtool", write(place, [body], case.step, rules, texts=case.reads_texts))

    def _downstream(self, rule: Rule) -> frozenset[str]:
        """The titles of a rule and of all that read it, directly or not."""
        if rule.title not in self.downstream:
            found, queue = {rule.title}, [rule.name]
            while queue:
                name = queue.pop()
                for other in self.rules:
                    if other.title not in found and name in reads(other, self.rules):
                        found.add(other.title)
                        queue.append(other.name)
            self.downstream[rule.title] = frozenset(found)
        return self.downstream[rule.title]

    def _recorded(self, case: Case) -> list[Recorded]:
        """What the unchanged rules make in a test; worked out once. Raises RuntimeError for a test that they fail."""
        key = (case.alert, case.name)
        if key not in self.baselines:
            rules = [rule for rule in self.rules if rule.name in case.needs]
            with tempfile.TemporaryDirectory() as folder:
                if said := run("promtool", write(Path(folder), [case.body], case.step, rules, texts=case.reads_texts)):
                    raise RuntimeError(f"fails with the rules as they are: {said[:2000]}")
            self.baselines[key] = recorded(case.body, case.step, rules)
        return self.baselines[key]

    def _order(self, mutant: Mutant) -> list[Case]:
        """The tests that should notice a change of a rule, the likeliest and cheapest first.

        At most TRIES (TRIES_EXPLAINED) of the alerts nearest to it. Others might notice as well; that they are not asked can
        only make the score lower.
        """
        near = touched_alerts(mutant.rule, self.rules)
        hint = next((kind for sign, kind in HINTS if sign in mutant.what), "")
        with self.lock:
            noticed = {key[1:]: count for key, count in self.noticed.items() if key[0] == mutant.rule.title}
        could = [case for case in self.every if mutant.rule.name in case.needs and case.alert in near]

        def likely(case: Case, hint: str) -> tuple[bool, bool, int, bool, int, int]:
            own = mutant.rule.name == case.alert and bool(case.fires) and mutant.rule.severity not in case.fires
            return (
                mutant.rule.title not in case.hangs_on,
                own,
                -noticed.get((case.alert, case.name), 0),
                not (hint and hint in case.name),
                min(near.index(case.alert), 3),
                case.cost // 500,
            )

        # By turns, so that many tests of the hinted name do not keep the others out.
        plain = sorted(could, key=lambda case: likely(case, ""))
        hinted = sorted(could, key=lambda case: likely(case, hint))
        turns = {(case.alert, case.name): case for pair in zip(hinted, plain, strict=True) for case in pair}
        return list(turns.values())[: TRIES_EXPLAINED if mutant.key in self.explained else TRIES]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.alerts.mutate", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--match", type=re.compile, default="", metavar="REGEX", help="mutants of such names")
    parser.add_argument("--from", dest="earlier", type=Path, metavar="FILE", help="mutants named in this report")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so long: a random sample")
    parser.add_argument("--verbose", action="store_true", help="tell survivors at once")
    chosen = parser.parse_args(arguments)
    if shutil.which("promtool") is None:
        print("error: promtool is not on the PATH; install Debian's package prometheus", file=sys.stderr)
        return 2
    rules = load()
    named = _survived(chosen.earlier) if chosen.earlier else None
    all_of_them = [mutant for rule in rules for mutant in mutants(rule)]
    every = [
        mutant
        for mutant in all_of_them
        if (not chosen.only or mutant.rule.name in chosen.only)
        and chosen.match.search(mutant.key)
        and (named is None or mutant.key in named)
    ]
    if not every:
        print("error: no mutant is called so", file=sys.stderr)
        return 2
    # So that where the time ends the rest is a random sample of all.
    random.Random(6).shuffle(every)
    begun, used = time.monotonic(), _processor_seconds()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(chosen.jobs) as pool:
        workshop = Workshop(Path(folder), rules, cases(rules), frozenset(_reasons()))
        outcomes: list[bool | None] = []
        end = begun + 60 * chosen.minutes if chosen.minutes else float("inf")

        def outcome(number: int, mutant: Mutant) -> bool | None:
            return workshop.survives(number, mutant) if time.monotonic() < end else None

        for mutant, survived in zip(every, pool.map(outcome, range(len(every)), every), strict=True):
            outcomes.append(survived)
            if chosen.verbose and (survived or len(outcomes) % 50 == 0):
                print(f"{len(outcomes)}: {'survived: ' + mutant.key if survived else ''}", file=sys.stderr, flush=True)
    asked = [mutant for mutant, survived in zip(every, outcomes, strict=True) if survived is not None]
    survivors = [mutant for mutant, survived in zip(every, outcomes, strict=True) if survived]
    took = f"{time.monotonic() - begun:.0f} s, {_processor_seconds() - used:.0f} s of a processor"
    if len(asked) < len(every):
        print(f"a random sample: {len(asked)} of {len(every)} mutants")
    return report(asked, survivors, took, whole=len(asked) == len(all_of_them))


def _reasons() -> dict[str, str]:
    """Why mutants survive that no test can notice, by their names."""
    reasons: dict[str, str] = yaml.safe_load(SURVIVORS.read_text(encoding="utf-8")) or {}
    return reasons


def _survived(report: Path) -> set[str]:
    """The names of the mutants that survived by a report, or by what `--verbose` told."""
    return set(re.findall(r"survived: (.+)", report.read_text(encoding="utf-8")))


def _processor_seconds() -> float:
    """What this process and those it started have used: other work on the machine does not lengthen it."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def report(every: Sequence[Mutant], survivors: Sequence[Mutant], took: str, *, whole: bool) -> int:
    """Print the score and the survivors; returns the exit code."""
    reasons = _reasons()
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
    print(f"{len(every) - len(survivors)} of {len(every)} mutants noticed: {score:.1%} in {took} (bar {BAR:.0%})")
    return 1 if unexplained or gone or score < BAR else 0


if __name__ == "__main__":
    sys.exit(main())
