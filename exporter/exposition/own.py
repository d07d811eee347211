"""The exporter's own metrics, which prometheus_client keeps and renders: counters, histograms, process_* and python_*."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from prometheus_client import CollectorRegistry
from prometheus_client import generate_latest as text_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest

END = b"# EOF\n"


def disabled(name: str, globs: Sequence[str]) -> bool:
    """Whether a family is left out by `--metrics.disable`."""
    return any(fnmatchcase(name, glob) for glob in globs)


class OwnMetrics:
    """Renders a registry, less the disabled families (a counter goes by its name with or without `_total`)."""

    def __init__(self, registry: CollectorRegistry | None, disable: Sequence[str] = ()) -> None:
        self._registry = CollectorRegistry() if registry is None else registry
        self._disable = tuple(disable)

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client's encoders ask for."""
        for metric in self._registry.collect():
            names = (metric.name, f"{metric.name}_total") if metric.type == "counter" else (metric.name,)
            if not any(disabled(name, self._disable) for name in names):
                yield metric

    def text(self, *, openmetrics: bool) -> bytes:
        """The families in the asked format, without OpenMetrics' end mark."""
        if not openmetrics:
            return text_latest(self)
        rendered: bytes = openmetrics_latest(self)  # type: ignore[no-untyped-call]
        return rendered.removesuffix(END)
