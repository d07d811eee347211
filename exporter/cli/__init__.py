"""The command line: one file per command; `run.py` turns what goes wrong into one sentence and an exit code."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (0 good, 1 failed, 2 usage or configuration, 130 interrupted)."""
    from exporter.cli.run import run

    return run(arguments)
