"""A hook of mkdocs: what the repository's pages say to a reader of the repository, said to a reader of the site.

A link from a page to a file outside `docs/` works where the repository is browsed and leads nowhere on the site: there it becomes
the file's path. Nothing is loaded from elsewhere. A link to a folder leads to the folder's first page. Whether the file exists is asked of the repository itself (tests/docs/test_links.py).
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\n]+)\]\((?P<target>(?:\.\.?/[^)\s#]*)|(?:[\w./-]+/))(?:#[^)\s]*)?\)")
_LOADED = re.compile(r"""<(?:script|img|iframe|link|source)\b[^>]*?\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page's text with links that leave `docs/` written as paths; code blocks are left as they are."""
    folder = posixpath.dirname(page.file.src_uri)
    blocks: list[str] = []

    def keep(match: re.Match[str]) -> str:
        blocks.append(match[0])
        return f"\0{len(blocks) - 1}\0"

    text = _LINK.sub(lambda match: _written(match, folder), _FENCE.sub(keep, markdown))
    return re.sub(r"\0(\d+)\0", lambda match: blocks[int(match[1])], text)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """The page as it was built. Raises ValueError when it would load something from elsewhere."""
    if loaded := _LOADED.findall(output):
        raise ValueError(f"{page.file.src_uri} loads {', '.join(loaded)}: what the site needs is in the site")
    return output


def _written(match: re.Match[str], folder: str) -> str:
    path = posixpath.normpath(posixpath.join("docs", folder, match["target"]))
    if path.startswith("docs/"):
        return f"[{match['text']}]({match['target']}index.md)" if match["target"].endswith("/") else match[0]
    text = match["text"]
    return f"`{path}`" if text.strip("`/") == path else f"{text} (`{path}`)"
