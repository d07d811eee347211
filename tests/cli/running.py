"""`serve` as a process of its own, on the simulated cluster, for the tests of its life."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


class Serve:
    """`vault-eso-exporter serve` with JSON logs; `with` ends it, by force if it must."""

    def __init__(self, *arguments: str, environ: dict[str, str] | None = None) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "VAULT_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "serve", "--log.format=json", *arguments],
            cwd=ROOT,
            env={**kept, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._arrived: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._arrived.put(line)

    def logged(self, event: str) -> dict[str, Any]:
        """The next log line with this event; lines before it are taken."""
        until = time.monotonic() + PATIENCE
        while (left := until - time.monotonic()) > 0:
            try:
                line = self._arrived.get(timeout=left)
            except queue.Empty:
                break
            if line.startswith("{") and (fields := json.loads(line))["event"] == event:
                return fields
        raise AssertionError(f"no log line {event!r} in {self.lines}")

    def get(self, path: str, method: str = "GET", accept: str = "*/*") -> tuple[int, str]:
        """Status and body of one request."""
        request = urllib.request.Request(self.url + path, method=method, headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def sample(self, name: str) -> float | None:
        """The value of a family's only sample; None when there is none."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith(f"{name} ")]
        return float(lines[0].partition(" ")[2]) if lines else None

    def listening(self) -> Serve:
        """Wait until it listens, and remember where."""
        fields = self.logged("listening")
        self.url = f"http://127.0.0.1:{fields['port']}"
        return self

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str, str]:
        """Wait for the end: exit code, standard output, standard error."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        return code, self.process.stdout.read(), "".join(self.lines)

    def __enter__(self) -> Serve:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it holds within a minute, asked ten times a second."""
    until = time.monotonic() + PATIENCE
    while not (good := holds()) and time.monotonic() < until:
        time.sleep(0.1)
    return good
