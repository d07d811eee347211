"""What the web server counts of itself, kept by prometheus_client; every reason exists at 0 from the start."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

REASONS = (
    "connections",
    "scrapes",
    "header_timeout",
    "send_timeout",
    "bad_request",
    "tls_handshake",
    "unauthorized",
    "rate_limit",
)
"""connections: dropped at the cap on connections. scrapes: answered 503 at the cap on scrapes. header_timeout: no whole
request in time. send_timeout: did not read its answer in time. The others say what they mean."""

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class WebCounters:
    """Registers the web server's families on `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rejected = Counter(
            "eso_exporter_web_rejected_total",
            "Connections and scrapes that were turned away.",
            ("reason",),
            registry=registry,
        )
        for reason in REASONS:
            self._rejected.labels(reason)
        self._duration = Histogram(
            "eso_exporter_scrape_duration_seconds",
            "How long answering a scrape took.",
            buckets=_BUCKETS,
            registry=registry,
        )

    def rejected(self, reason: str) -> None:
        """Count one; `reason` is one of REASONS."""
        self._rejected.labels(reason).inc()

    def scraped(self, seconds: float) -> None:
        """One scrape was answered, from its request to its last byte."""
        self._duration.observe(seconds)
