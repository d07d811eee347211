"""How long to wait before asking again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """All times of a reflector, in seconds, and the clocks they are read from. Tests pass their own.

    The wait after the n-th failure in a row is evenly random in 0 … min(ceiling, first · 2ⁿ): full jitter, so that a
    thousand reflectors do not come back at once.
    """

    first: float = 0.5
    ceiling: float = 60.0
    short_stream: float = 1.0  # a watch that ends sooner counts as a failure
    settled_stream: float = 5.0  # a watch that lived so long proves that all is well again
    absent_every: float = 30.0  # a missing CRD is looked for so often, ± 20 %
    absent_grace: float = 5.0  # a CRD that was there is believed gone only after so long: API servers start with 404s
    denied_grace: float = 30.0  # likewise for 403: the authorizer of a starting API server knows no role yet
    denied_list_every: float = 60.0  # where list is allowed and watch is not, list so often
    list_read_timeout: float = 60.0
    watch_read_slack: float = 30.0  # silence so much longer than the asked-for end of a watch means that it is dead
    watch_read_ceiling: float = 300.0
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait

    def around(self, seconds: float) -> float:
        """`seconds` ± 20 %."""
        return seconds * (0.8 + 0.4 * self.random())


class Backoff:
    """Counts failures in a row and says how long to wait."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.failures = 0

    def next(self, at_least: float | None = None) -> float:
        """Seconds to wait now, one failure further. `at_least` is what a Retry-After asked for; we come a little later."""
        ceiling = min(self._pace.ceiling, self._pace.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        delay = self._pace.random() * ceiling
        if at_least is not None and delay < at_least:
            delay = at_least + self._pace.random() * min(1.0, at_least)
        return delay

    def reset(self) -> None:
        """All is well again."""
        self.failures = 0
