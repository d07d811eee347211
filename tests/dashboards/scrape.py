"""What a scrape adds to the judge's lines: the families of a process, and the labels of the target."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(eq=False)
class Process(Collector):
    """What prometheus_client tells of a process, as of one that lives in the story."""

    started: float
    now: float = 0.0
    cpu: float = 0.0

    def collect(self) -> Iterable[Metric]:
        """The families of ProcessCollector that are used."""
        for name, value in (
            ("process_start_time_seconds", self.started),
            ("process_resident_memory_bytes", 4.6e7 + 3e6 * ((self.now // 1800) % 3)),
            ("process_open_fds", 23),
        ):
            family = GaugeMetricFamily(name, name)
            family.add_metric([], value)
            yield family
        family = CounterMetricFamily("process_cpu_seconds", "process_cpu_seconds")
        family.add_metric([], self.cpu)
        yield family

    def describe(self) -> Iterable[Metric]:
        """Nothing."""
        return ()


_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


def with_labels(ident: str, target: Mapping[str, str]) -> str:
    """`name{labels}` with the target's labels beside its own, which win; empty ones are dropped."""
    name, _, labels = ident.partition("{")
    own = dict(_LABEL.findall(labels))
    defaults = dict(target) if "namespace" in own else {"namespace": "monitoring", **target}
    merged = {label: value for label, value in {**defaults, **own}.items() if value}
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in merged.items()) + "}"
