"""Objects that time alone may change, by the moment at which to look again."""

from __future__ import annotations

import heapq


class Rechecks:
    """Objects to be judged again at a moment, to the second. An object may stand at several: judging is harmless."""

    def __init__(self) -> None:
        self._at: dict[int, list[str]] = {}
        self._seconds: list[int] = []

    def add(self, moment: float, kind: str, namespace: str, name: str) -> None:
        """Has an object judged at the first whole second that is not before `moment`."""
        second = int(moment) + 1
        names = self._at.get(second)
        if names is None:
            names = self._at[second] = []
            heapq.heappush(self._seconds, second)
        names += (kind, namespace, name)

    def due(self, now: float) -> list[tuple[str, str, str]]:
        """Takes out everything whose moment has come: (kind, namespace, name)."""
        found: list[tuple[str, str, str]] = []
        while self._seconds and self._seconds[0] <= now:
            names = self._at.pop(heapq.heappop(self._seconds))
            found += zip(names[::3], names[1::3], names[2::3], strict=True)
        return found

    @property
    def next(self) -> float | None:
        """The next moment, None when nothing waits."""
        return float(self._seconds[0]) if self._seconds else None
