"""How many tests ran: reads JUnit files (`python -m tools.tests_total build/*.xml`) and prints `N passed, N failed`.

A file that is missing or cannot be read counts as one failure, so that a run that died never looks like a good one.
Exit code 1 when anything failed or nothing passed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def count(file: Path) -> tuple[int, int, int]:
    """Passed, failed (with errors) and skipped tests of one JUnit file."""
    try:
        # Written by our own pytest a moment ago.
        suites = ElementTree.fromstring(file.read_text(encoding="utf-8")).iter("testsuite")
    except (OSError, ElementTree.ParseError) as error:
        sys.stdout.write(f"{file}: no result ({error})\n")
        return 0, 1, 0
    passed = failed = skipped = 0
    for suite in suites:
        bad = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        left = int(suite.get("skipped", "0"))
        passed += int(suite.get("tests", "0")) - bad - left
        failed += bad
        skipped += left
    return passed, failed, skipped


def main(files: list[str]) -> int:
    """Print a line for each file and the total; returns the exit code."""
    counts = [count(Path(file)) for file in files]
    for file, (passed, failed, skipped) in zip(files, counts, strict=True):
        sys.stdout.write(f"{file}: {passed} passed, {failed} failed, {skipped} skipped\n")
    passed, failed = sum(one[0] for one in counts), sum(one[1] for one in counts)
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
