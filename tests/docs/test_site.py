"""The hook of the site: links that leave docs/ become paths, links to folders lead to their first page, code is left alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tools.site import on_page_markdown, on_post_page


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("see [the rules](../alerts/rules.yaml)", "see the rules (`alerts/rules.yaml`)"),
        ("see [deploy/x/](../deploy/x/)", "see `deploy/x`"),
        ("see [`deploy/x.sh`](../deploy/x.sh)", "see `deploy/x.sh`"),
        ("see [decisions](decisions/)", "see [decisions](decisions/index.md)"),
        ("see [metrics](metrics.md#vault)", "see [metrics](metrics.md#vault)"),
        ("see [a page](https://example.com/x/)", "see [a page](https://example.com/x/)"),
        ("```sh\necho '[x](../y)'\n```", "```sh\necho '[x](../y)'\n```"),
    ],
)
def test_links(source: str, said: str) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="start.md"))
    assert on_page_markdown(source, page=page) == said


def test_a_page_in_a_folder() -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="runbooks/A.md"))
    assert on_page_markdown("[x](../security.md) [y](../../deploy/rbac.yaml)", page=page) == (
        "[x](../security.md) y (`deploy/rbac.yaml`)"
    )


@pytest.mark.parametrize(
    "output",
    [
        '<script src="https://cdn.example.com/x.js"></script>',
        "<img alt='x' src='//example.com/x.png'>",
        '<link href="https://f.example.com/a.css" rel="stylesheet">',
    ],
)
def test_nothing_is_loaded_from_elsewhere(output: str) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="start.md"))
    with pytest.raises(ValueError, match=r"start\.md loads"):
        on_post_page(output, page=page)
    assert on_post_page('<a href="https://example.com/">x</a>', page=page)
