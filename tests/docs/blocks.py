"""The fenced code blocks of Markdown pages, and the commands of those that show a terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tests.repo.tracked import ROOT, texts

_OPEN = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<info>[^`\n]*)$")


@dataclass(frozen=True)
class Block:
    """One fenced block: the page's path from the root, the line of its first fence, its language (or ""), its text without indent."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command of a terminal as it is typed (it may span lines), and the lines that the page shows after it."""

    text: str
    output: tuple[str, ...]


@cache
def pages() -> tuple[str, ...]:
    """Every Markdown page of the repository, by its path from the root."""
    return tuple(sorted(path for path in texts() if path.endswith(".md")))


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order. Raises ValueError for a fence that is never closed."""
    found: list[Block] = []
    opened: tuple[int, re.Match[str], list[str]] | None = None
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), 1):
        if opened is None:
            if match := _OPEN.match(line):
                opened = (number, match, [])
            continue
        begun, match, lines = opened
        if line.strip() == match["fence"]:
            language = match["info"].strip().split(" ")[0]
            found.append(Block(page, begun, language, "\n".join(lines)))
            opened = None
        else:
            lines.append(line.removeprefix(match["indent"]))
    if opened is not None:
        raise ValueError(f"{page}:{opened[0]}: this block is never closed")
    return found


def typed(block: Block) -> list[Command]:
    """The commands of a `console` block: lines after `$ `, each with what follows it up to the next."""
    commands: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            commands.append(([line[2:]], []))
        elif not commands:
            raise ValueError(f"{block}: a console block begins with a command, after a $")
        elif commands[-1][0][-1].endswith("\\") and not commands[-1][1]:
            commands[-1][0].append(line.removeprefix("> "))
        else:
            commands[-1][1].append(line)
    return [Command("\n".join(text), tuple(output)) for text, output in commands]
