"""Times that the contract bounds, measured and shown at the end of the run, not asserted: machines are noisy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Measured:
    """Collects times. `with measured("what", contract=2):` times the block; `contract` is the promised bound in seconds."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def __call__(self, what: str, contract: float) -> Iterator[None]:
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        kept = "" if took <= contract else "   LONGER"
        self.lines.append(f"{took:7.2f} s  of {contract:3g} s  {what}{kept}")


MEASURED = Measured()
"""Those of this run."""
