"""Watching what a program leaves where others can look: arguments and environments of all processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType


class ProcessList:
    """Reads `/proc/*/cmdline` and `/proc/*/environ` over and over, in a thread, and keeps every text it saw once."""

    def __init__(self, every: float = 0.005) -> None:
        self.arguments: set[bytes] = set()
        self.environments: set[bytes] = set()
        self.rounds = 0
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessList:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            for folder in Path("/proc").iterdir():
                if folder.name.isdigit():
                    with suppress(OSError):  # ended meanwhile, or somebody else's
                        self.arguments.add((folder / "cmdline").read_bytes())
                        self.environments.add((folder / "environ").read_bytes())
            self.rounds += 1
            time.sleep(self._every)

    def saw(self, texts: Iterable[str]) -> list[str]:
        """Which of these texts were in an argument or a variable of any process."""
        everything = b"\0".join([*self.arguments, *self.environments])
        return [text for text in texts if text.encode() in everything]
