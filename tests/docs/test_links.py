"""Links within the repository lead to a file, and to a heading of it; asked of every page, without a network."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import pages
from tests.repo.tracked import ROOT

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)


def prose(page: str) -> str:
    """A page without its code."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", (ROOT / page).read_text()))


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them, and those set by hand."""
    text = _FENCE.sub("", (ROOT / page).read_text())
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.+?)(?: *\{.*\})?$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    repeated = {f"{slug}{mark}{n}" for slug, times in found.items() for n in range(1, times + 1) for mark in "-_"}
    return (
        set(found)
        | repeated
        | set(re.findall(r'(?:id|name)="([^"]+)"', text))
        | set(re.findall(r"\{ *#([\w-]+)", text))
    )


@pytest.mark.parametrize("page", pages())
def test_links(page: str) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            assert not target.startswith("http:"), f"{page}: {target}"
            continue
        file, _, anchor = target.partition("#")
        aim = ((ROOT / page).parent / file).resolve() if file else ROOT / page
        if not aim.exists() or (anchor and aim.suffix == ".md" and anchor not in anchors(str(aim.relative_to(ROOT)))):
            dead.append(target)
    assert dead == []
