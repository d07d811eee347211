"""What judging one object gives: its problems, and when to look again."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Problem(msgspec.Struct, frozen=True, gc=False):
    """A present problem: `since` in Unix seconds; `basis` object (the object's own time) or observed (first seen by us).

    `error` is the error class of `not_ready`, else "". `evidence` holds names only.
    """

    id: str
    since: float
    basis: str
    error: str = ""
    evidence: tuple[str, ...] = ()


class Findings:
    """Collects the problems of one object at one moment.

    `observed` tells since when each condition that has no time of its own has been seen without a break; `lasting` is
    what the next judgement gets as its `observed`. `recheck_at` is the moment at which time alone changes the result.
    """

    __slots__ = ("_observed", "lasting", "now", "problems", "recheck_at")

    def __init__(self, now: float, observed: Mapping[str, float]) -> None:
        self.now = now
        self._observed = observed
        self.problems: list[Problem] = []
        self.lasting: dict[str, float] = {}
        self.recheck_at: float | None = None

    def add(self, problem: str, since: float | None, error: str = "", evidence: tuple[str, ...] = ()) -> None:
        """A problem whose beginning the object itself tells; without such a time it counts as first observed now."""
        if since is None:
            self.observe(problem, 0.0, error, evidence)
        else:
            self.problems.append(Problem(problem, since, "object", error, evidence))

    def at(self, problem: str, moment: float, since: float | None = None, evidence: tuple[str, ...] = ()) -> None:
        """A problem from `moment` on, if nothing changes until then; before it, a reason to look again at `moment`."""
        if self.now >= moment:
            self.problems.append(Problem(problem, moment if since is None else since, "object", "", evidence))
        else:
            self.look_again(moment)

    def observe(self, problem: str, delay: float, error: str = "", evidence: tuple[str, ...] = ()) -> None:
        """A condition that holds now: a problem once it has been seen for `delay` seconds without a break."""
        since = self._observed.get(problem, self.now)
        self.lasting[problem] = since
        if self.now - since >= delay:
            self.problems.append(Problem(problem, since, "observed", error, evidence))
        else:
            self.look_again(since + delay)

    def look_again(self, moment: float) -> None:
        """Time alone may change the result at `moment`."""
        if self.recheck_at is None or moment < self.recheck_at:
            self.recheck_at = moment
