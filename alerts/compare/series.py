"""Input series for promtool, from what holds from which minute on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Segment = tuple[float, "float | None"]
"""From this minute on, this value; None: no sample."""


@dataclass
class Recording:
    """The series of one incident that lasts `minutes`, one sample every `step` minutes."""

    minutes: int
    step: int = 1
    series: list[dict[str, str]] = field(default_factory=list)

    @property
    def samples(self) -> int:
        """Samples of each series, that of minute 0 and the last included."""
        return self.minutes // self.step + 1

    def add(self, name: str, labels: Mapping[str, str], *segments: Segment) -> None:
        """One series; the first segment begins at minute 0. A series that ends is marked stale, as Prometheus does."""
        values: list[str] = []
        was: float | None = None
        for (begin, value), (end, _) in zip(segments, [*segments[1:], (self.minutes + self.step, None)], strict=True):
            count = self._index(end) - self._index(begin)
            if count <= 0:
                continue
            if value is None:
                ended = was is not None
                values += [*(["stale"] if ended else []), *([f"_x{count - ended}"] if count > ended else [])]
            else:
                values.append(f"{value:g}+0x{count - 1}" if abs(value) < 1e6 else f"{value:.0f}+0x{count - 1}")
            was = value
        self._write(name, labels, " ".join(values))

    def add_clock(self, name: str, labels: Mapping[str, str], end: float | None = None) -> None:
        """A series whose value is the time itself, until minute `end` if given."""
        count = self._index(end if end is not None else self.minutes + self.step)
        self._write(name, labels, f"0+{60 * self.step}x{count - 1}" + (" stale" if end is not None else ""))

    def add_counter(
        self,
        name: str,
        labels: Mapping[str, str],
        increases: Sequence[float],
        end: float | None = None,
        born: float = 0,
    ) -> None:
        """A counter that is there from minute `born` on, as 1, and grows by one at each later of these minutes, until `end`."""
        last = end if end is not None else float("inf")
        later = sorted(at for at in increases if born < at < last)
        steps: list[Segment] = [(born, 1.0), *((at, 2.0 + n) for n, at in enumerate(later))]
        before: list[Segment] = [(0, None)] if born > 0 else []
        self.add(name, labels, *before, *steps, *([(last, None)] if end is not None else []))

    def _index(self, minute: float) -> int:
        return min(-int(-minute // self.step), self.samples)

    def _write(self, name: str, labels: Mapping[str, str], values: str) -> None:
        told = ",".join(f'{key}="{value}"' for key, value in labels.items())
        self.series.append({"series": f"{name}{{{told}}}", "values": values})
