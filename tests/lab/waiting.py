"""Waiting for something to become true: the one way every part of the lab polls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NotYetError(AssertionError):
    """What was waited for did not come; the message says what, how long, and what was seen last."""


def wait_until(what: str, look: Callable[[], T | None], timeout: float = 30.0, every: float = 0.05) -> T:
    """Calls `look` until it answers something other than None or False, and returns that. Raises NotYetError.

    `timeout` and `every` are seconds. An exception of `look` counts as "not yet" and is told at the end. The limit is there
    to end a test that fails, so it is generous: no test proves a speed by it.
    """
    end = time.monotonic() + timeout
    while True:
        trouble: Exception | None = None
        try:
            seen = look()
        except Exception as error:
            seen, trouble = None, error
        if seen is not None and seen is not False:
            return seen
        if time.monotonic() > end:
            last = f"{type(trouble).__name__}: {trouble}" if trouble else "nothing to see"
            raise NotYetError(f"waited {timeout:.0f} s in vain for: {what} ({last})") from trouble
        time.sleep(every)
