"""Figures beside their bars, as Markdown tables on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A figure, its bar and whether it is kept. `full_size`: the bar was set for the size that was measured."""

    figure: str
    measured: str
    bar: str
    kept: bool
    full_size: bool = True

    @property
    def verdict(self) -> str:
        """One word."""
        return ("pass" if self.kept else "FAIL") + ("" if self.full_size else " (smaller than the bar's size)")


class Report:
    """Prints tables as they come, and remembers the bars."""

    def __init__(self) -> None:
        self.bars: list[Bar] = []

    def section(self, title: str) -> None:
        """A heading."""
        self.say(f"\n## {title}\n")

    def say(self, text: str) -> None:
        """A line."""
        print(text, flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table whose columns stand under each other."""
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        self.say(_row(head, widths))
        self.say("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        for row in rows:
            self.say(_row(row, widths))
        self.say("")

    def bar(self, figure: str, measured: str, bar: str, *, kept: bool, full_size: bool = True) -> None:
        """One bar of issue 4's table."""
        self.bars.append(Bar(figure, measured, bar, kept, full_size))

    def below(
        self, figure: str, value: float, limit: float, text: str = "", unit: str = "", *, full_size: bool = True
    ) -> None:
        """A bar that is an upper limit."""
        measured = text or f"{shown(value)}{unit}"
        self.bar(figure, measured, f"≤ {shown(limit)}{unit}", kept=value <= limit, full_size=full_size)

    def end(self) -> bool:
        """The table of all bars; whether every one is kept."""
        self.section("Bars")
        rows = [(bar.figure, bar.measured, bar.bar, bar.verdict) for bar in self.bars]
        self.table(("figure", "measured", "bar", ""), rows)
        return all(bar.kept for bar in self.bars)


def shown(value: float) -> str:
    """Three significant digits."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def ms(seconds: float) -> str:
    """Milliseconds with three significant digits."""
    return f"{seconds * 1000:.3g}" if seconds < 1 else f"{seconds * 1000:,.0f}"


def mb(count: float) -> str:
    """Bytes as MB (10^6)."""
    return f"{count / 1e6:.3g}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
