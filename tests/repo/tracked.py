"""The files of the repository: those that git tracks, or in an unpacked archive all but what tools leave behind."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

_LEFT_BEHIND = {".git", ".venv", "__pycache__", "build", "dist", "node_modules"}


@cache
def tracked() -> tuple[Path, ...]:
    """Every tracked file that exists."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        files = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        files = [file for file in ROOT.rglob("*") if not _is_left_behind(file.relative_to(ROOT))]
    return tuple(file for file in files if file.is_file())


def _is_left_behind(path: Path) -> bool:
    return any(part in _LEFT_BEHIND or (part.startswith(".") and part.endswith("_cache")) for part in path.parts)


def texts() -> dict[str, str]:
    """The tracked text files by their path from the root."""
    found = {}
    for file in tracked():
        content = file.read_bytes()
        if b"\0" not in content:
            found[str(file.relative_to(ROOT))] = content.decode("utf-8", errors="replace")
    return found
