"""One server process of the lab: started, frozen, killed and started again by its own id, with its own log file."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.waiting import wait_until

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)  # loaded before any fork: a child may not import between fork and exec


STARTED: dict[str, Process] = {}
"""Every process that was started and not yet stopped, by name; their logs are shown when a test fails."""


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Asks the kernel (Linux) to send this process `number` when the thread that started it ends."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, number)


class Process:
    """A server. Subclasses give `command()` and `is_ready()`; `start()` returns when it is ready.

    On Linux the kernel kills it when the test runner dies, however that dies. It has a session of its own, so that Ctrl-C in a
    terminal reaches the test runner alone, which then ends its servers in order.
    """

    ready_timeout = 60.0

    def __init__(self, name: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str | Path]:
        """What is run."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Variables set beside those of the test runner."""
        return {}

    def is_ready(self) -> bool:
        """Whether the server answers as it should; may raise while it does not."""
        return self.running

    @property
    def running(self) -> bool:
        """Whether the process is there (frozen or not)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the last start. Raises RuntimeError before the first."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code of a process that has ended, negative for a signal; else None."""
        return None if self._process is None else self._process.poll()

    def spawn(self) -> None:
        """Starts the process without waiting for it to be ready."""
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        STARTED[self.name] = self
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def start(self) -> None:
        """Starts the process and waits until it is ready. Raises NotYetError, or RuntimeError when it ends at once."""
        self.spawn()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Waits for `is_ready`, unless the process ends first, which is an error with its last words."""

        def look() -> bool:
            return not self.running or self.is_ready()

        wait_until(f"{self.name} is ready (log: {self.log})", look, self.ready_timeout)
        if not self.running:
            raise RuntimeError(f"{self.name} ended with {self.exit_code} before it was ready:\n{self.log_tail()}")

    def stop(self, timeout: float = 10.0) -> int | None:
        """Asks the process to end (SIGTERM), kills it when it has not after `timeout` seconds; returns its exit code."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGCONT)  # a frozen process would not hear the request
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        STARTED.pop(self.name, None)
        return self.exit_code

    def kill(self) -> None:
        """Ends the process at once (SIGKILL), as a lost machine would."""
        if self._process is not None and self.running:
            self._process.kill()
            self._process.wait()
        STARTED.pop(self.name, None)

    def restart(self) -> None:
        """Stops and starts, with the same command and so the same ports."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freezes the process (SIGSTOP): its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a frozen process go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def hang_up(self) -> None:
        """SIGHUP, by which servers read their configuration again."""
        self._signal(signal.SIGHUP)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or not self.running:
            raise RuntimeError(f"{self.name} is not running")
        self._process.send_signal(number)

    def log_text(self) -> str:
        """All that the process has written, of every start."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, lines: int = 25) -> str:
        """The last lines of the log, each cut at 400 characters."""
        return "\n".join(line[:400] for line in self.log_text().splitlines()[-lines:])
