"""How many Secrets of each class a namespace holds: kept here, because a deleted Secret must leave its count at once."""

from __future__ import annotations

from collections.abc import Mapping


class OwnershipCounts:
    """Counts by namespace and class; classes and namespaces without any take no room."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {}

    def of(self, namespace: str) -> Mapping[str, int]:
        """How many judged Secrets of a namespace have each class."""
        return self._counts.get(namespace, {})

    def count(self, namespace: str, ownership: str, step: int) -> None:
        """One Secret more (step 1) or less (-1) of this class; "" is no class."""
        if not ownership:
            return
        counts = self._counts.get(namespace)
        if counts is None:
            counts = self._counts[namespace] = {}
        left = counts.get(ownership, 0) + step
        if left:
            counts[ownership] = left
            return
        counts.pop(ownership, None)
        if not counts:
            del self._counts[namespace]

    def totals(self) -> list[int]:
        """How many Secrets have a class, by namespace."""
        return [sum(counts.values()) for counts in self._counts.values()]
