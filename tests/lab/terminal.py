"""A shell that types what a page prints, and compares what it says with what the page shows."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

from tests.docs.blocks import Command

_END = "\x01end"


class Terminal:
    """A bash session; all that it and its children say is kept in `said`."""

    def __init__(self, folder: Path) -> None:
        self.said = ""
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )

    def run(self, command: str, timeout: float = 150) -> tuple[int, str]:
        """Types one command; returns its exit code and what was said until its end. Raises AssertionError after `timeout` seconds."""
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f"{command}\nprintf '{_END}%s\\n' $?\n".encode())
        self._shell.stdin.flush()
        heard, limit = "", time.monotonic() + timeout
        while (found := re.search(rf"{_END}(\d+)\n", heard)) is None:
            ready, _, _ = select.select([self._shell.stdout], [], [], max(0.0, limit - time.monotonic()))
            assert ready, f"no end after {timeout:.0f} s: {command}\n{heard[-2000:]}"
            piece = os.read(self._shell.stdout.fileno(), 65536)
            assert piece, f"the shell ended: {command}\n{heard[-2000:]}"
            heard += piece.decode(errors="replace")
        output = heard[: found.start()]
        self.said += output
        return int(found[1]), output

    def play(self, command: Command) -> None:
        """Types a command of a page. Raises AssertionError when it fails, or says something else than the page shows.

        `…` on the page stands for any text within a line; the order of lines is free, for `kubectl wait` has none. A command that
        begins with `sleep` looks at what is about to change; on a busy machine it is typed again, for half a minute at most.
        """
        patience = time.monotonic() + (30 if command.text.startswith("sleep ") else 0)
        while True:
            try:
                return self._play(command)
            except AssertionError:
                if time.monotonic() > patience:
                    raise

    def _play(self, command: Command) -> None:
        code, output = self.run(command.text)
        counts_nothing = command.text.rpartition("| ")[2].startswith("grep -c") and command.output == ("0",)
        assert code == (1 if counts_nothing else 0), f"{command.text}\nended with {code}:\n{output[-3000:]}"
        shown = [line for line in command.output if line.strip()]
        if shown:
            said = [line for line in output.splitlines() if line.strip()]
            told = f"{command.text}\nsaid:\n{output}\nand the page shows:\n" + "\n".join(shown)
            for line in shown:
                pattern = ".*".join(re.escape(part) for part in line.split("…"))
                match = next((one for one in said if re.fullmatch(pattern, one.rstrip())), None)
                assert match is not None, told
                said.remove(match)
            assert said == [], told

    def close(self) -> None:
        """Ends the shell and all that it started."""
        if self._shell.poll() is None:
            os.killpg(self._shell.pid, signal.SIGTERM)
            try:
                self._shell.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._shell.pid, signal.SIGKILL)
                self._shell.wait()
