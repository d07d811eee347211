"""The exporter's own metrics: prometheus_client's text, rendered again only where something changed."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest

from exporter.exposition import own
from exporter.exposition.own import END, OwnMetrics


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.mark.parametrize("openmetrics", [False, True])
def test_always_the_text_of_prometheus_client(registry, openmetrics):
    counter = Counter("own_things_total", 'Own "things".', ("kind",), registry=registry)
    gauge = Gauge("own_state", "Own.", registry=registry)
    histogram = Histogram("own_seconds", "Own.", registry=registry)
    metrics = OwnMetrics(registry)

    def check():
        whole = openmetrics_latest(registry).removesuffix(END) if openmetrics else generate_latest(registry)
        assert metrics.text(openmetrics=openmetrics) == whole
        # Asking for the other format in between must not mix the two up.
        metrics.text(openmetrics=not openmetrics)
        assert metrics.text(openmetrics=openmetrics) == whole

    check()
    counter.labels('a"\n\\').inc()
    check()
    gauge.set(float("nan"))
    check()
    histogram.observe(0.3)
    counter.labels("b").inc(2)
    check()
    gauge.set(2.5)
    check()


def test_what_stands_still_is_not_rendered_again(registry, monkeypatch):
    rendered = []
    real = own._render
    monkeypatch.setattr(
        own,
        "_render",
        lambda metric, *, openmetrics: rendered.append(metric.name) or real(metric, openmetrics=openmetrics),
    )
    still = Counter("own_still_total", "Own.", ("kind",), registry=registry)
    still.labels("a").inc()
    moving = Counter("own_moving_total", "Own.", registry=registry)
    metrics = OwnMetrics(registry)
    for _ in range(3):
        metrics.text(openmetrics=False)
        moving.inc()
    assert rendered == ["own_still", "own_moving", "own_moving", "own_moving"]
