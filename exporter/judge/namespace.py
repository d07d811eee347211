"""One namespace: how many Secrets of each class it holds, and how many manual ones survive."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

ACCEPTED = "manual_accepted"
"""How the inventory counts a manual Secret with a valid exception, apart from the surviving ones."""


class NamespaceJudgement(msgspec.Struct, frozen=True, gc=False):
    """What is to be told of a namespace: `classes` are (class, count), None where its Secrets are not judged."""

    name: str
    owner: str
    classes: tuple[tuple[str, int], ...] | None
    manual: int


def judge(name: str, owner: str, ownership: Mapping[str, int] | None) -> NamespaceJudgement:
    """`ownership`: counts by class as the inventory keeps them; None where Secrets are not judged.

    `manual` in `classes` counts every manual Secret, `manual` itself only those without a valid exception. A class
    without any Secret is left out, but for `manual`, whose 0 is the proof that was asked for.
    """
    if ownership is None:
        return NamespaceJudgement(name, owner, None, 0)
    counts = dict(ownership)
    surviving = counts.get("manual", 0)
    counts["manual"] = surviving + counts.pop(ACCEPTED, 0)
    return NamespaceJudgement(name, owner, tuple(sorted(counts.items())), surviving)
