"""The runbooks as tests see them: their sections, and the commands and queries they print."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.docs import blocks as fenced
from tests.repo.tracked import ROOT

FOLDER = ROOT / "docs" / "runbooks"
SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation")
INDEX = FOLDER / "README.md"
LANGUAGES = frozenset({"sh", "promql"})


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its section, its text without the indentation of a list."""

    page: str
    section: str
    language: str
    text: str

    @property
    def statements(self) -> list[str]:
        """A shell block's complete commands: a line, or several where a pipe, a loop or a here-document goes on."""
        found: list[str] = []
        waiting = ""
        for line in self.text.splitlines():
            waiting = f"{waiting}\n{line}" if waiting else line
            here_document = re.search(r"<<(\w+)$", waiting.splitlines()[0])
            ended = waiting.splitlines()[-1] == here_document[1] if here_document else not line.endswith(("|", "\\"))
            if ended:
                found.append(waiting)
                waiting = ""
        assert not waiting, f"{self.page}: a command does not end: {waiting}"
        return found

    @property
    def queries(self) -> list[str]:
        """A PromQL block's queries: one a line, more deeply indented lines go on."""
        return re.sub(r"\n(?= |\))", " ", self.text).splitlines()


def pages() -> list[Path]:
    """All runbooks, without the index."""
    return sorted(one for one in FOLDER.glob("*.md") if one != INDEX)


def sections(page: Path) -> dict[str, str]:
    """Text by heading of the second level, in the order of the page. What is before the first stands under ""."""
    parts = re.split(r"^## (.+)\n", page.read_text(), flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    lines = page.read_text().splitlines()
    return [
        Block(page.stem, _section(lines[: one.line]), one.language, one.text)
        for one in fenced.blocks(str(page.relative_to(ROOT)))
    ]


def _section(before: list[str]) -> str:
    """The heading of the second level under which a line stands, by what is before it."""
    return next((line.removeprefix("## ") for line in reversed(before) if line.startswith("## ")), "")
