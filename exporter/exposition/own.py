"""The exporter's own metrics, which prometheus_client keeps and renders: counters, histograms, process_* and python_*."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client import generate_latest as text_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest
from prometheus_client.samples import Sample

END = b"# EOF\n"


def disabled(name: str, globs: Sequence[str]) -> bool:
    """Whether a family is left out by `--metrics.disable`."""
    return any(fnmatchcase(name, glob) for glob in globs)


class _Rendered(NamedTuple):
    """A family as it stood, and prometheus_client's text of it."""

    samples: tuple[Sample, ...]
    text: bytes


class _One:
    """A family as prometheus_client's encoders want it: they ask a registry."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


class OwnMetrics:
    """Renders a registry, less the disabled families (a counter goes by its name with or without `_total`).

    prometheus_client takes ten microseconds and more for a line, and most lines are counters that stand still: a family
    is given to it only when its samples differ from those of the scrape before. For one thread at a time.
    """

    def __init__(self, registry: CollectorRegistry | None, disable: Sequence[str] = ()) -> None:
        self._registry = CollectorRegistry() if registry is None else registry
        self._disable = tuple(disable)
        self._rendered: dict[tuple[bool, str], _Rendered] = {}

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client's encoders ask for."""
        for metric in self._registry.collect():
            names = (metric.name, f"{metric.name}_total") if metric.type == "counter" else (metric.name,)
            if not any(disabled(name, self._disable) for name in names):
                yield metric

    def text(self, *, openmetrics: bool) -> bytes:
        """The families in the asked format, without OpenMetrics' end mark."""
        return b"".join([self._text(metric, openmetrics=openmetrics) for metric in self.collect()])

    def _text(self, metric: Metric, *, openmetrics: bool) -> bytes:
        key, samples = (openmetrics, metric.name), tuple(metric.samples)
        rendered = self._rendered.get(key)
        if rendered is None or rendered.samples != samples:
            rendered = self._rendered[key] = _Rendered(samples, _render(metric, openmetrics=openmetrics))
        return rendered.text


def _render(metric: Metric, *, openmetrics: bool) -> bytes:
    if not openmetrics:
        return text_latest(_One(metric))
    text: bytes = openmetrics_latest(_One(metric))  # type: ignore[no-untyped-call]
    return text.removesuffix(END)
