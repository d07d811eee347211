"""Writes docs/comparison-alerts.md: `python -m alerts.compare [--check] [--promtool FILE]`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from alerts.compare.run import compare

PAGE = Path(__file__).parents[2] / "docs" / "comparison-alerts.md"


def main() -> int:
    """0; 1 when `--check` finds the page stale; 2 without a promtool."""
    options = argparse.ArgumentParser(prog="python -m alerts.compare", description=__doc__)
    options.add_argument("--check", action="store_true", help="write nothing, fail when the page is stale")
    options.add_argument(
        "--promtool", default=shutil.which("promtool"), help="which promtool (default: the one on the PATH)"
    )
    given = options.parse_args()
    if not given.promtool:
        sys.stderr.write("no promtool on the PATH: install Debian's package prometheus, or name one with --promtool\n")
        return 2
    page = compare(Path(given.promtool))
    if given.check:
        if page == PAGE.read_text():
            return 0
        sys.stderr.write(f"{PAGE} is not what the rules do: run `make rules-compare`\n")
        return 1
    PAGE.write_text(page)
    sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
