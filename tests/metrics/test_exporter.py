"""The exporter's own counters: there from the start at 0, and made anew only when they counted."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from exporter.kube.resource import ReflectorStatus
from exporter.metrics.exporter import KubeCounters, OwnCollector, OwnState, VaultCounters


def made(registry):
    return {metric.name: metric for metric in registry.collect()}


def test_every_series_of_a_watched_resource_is_there_at_zero():
    registry = CollectorRegistry()
    counters = KubeCounters(registry, ["secrets"])
    assert registry.get_sample_value("eso_exporter_lists_total", {"resource": "secrets", "result": "ok"}) == 0
    assert registry.get_sample_value("eso_exporter_watch_events_total", {"resource": "secrets", "type": "ADDED"}) == 0
    counters.listed("secrets", "ok")
    counters.event("secrets", "ADDED")
    counters.event("secrets", "ADDED")
    counters.restarted("secrets", "gone")
    counters.decode_error("secrets", "text")
    text = generate_latest(registry).decode()
    for line in (
        'eso_exporter_lists_total{resource="secrets",result="ok"} 1.0',
        'eso_exporter_watch_events_total{resource="secrets",type="ADDED"} 2.0',
        'eso_exporter_watch_restarts_total{reason="gone",resource="secrets"} 1.0',
        'eso_exporter_decode_errors_total{reason="text",resource="secrets"} 1.0',
        "# TYPE eso_exporter_lists_total counter",
    ):
        assert f"\n{line}\n" in f"\n{text}"


def test_a_family_that_did_not_count_is_not_made_anew():
    registry = CollectorRegistry()
    counters = KubeCounters(registry, ["secrets"])
    before = made(registry)
    counters.event("secrets", "MODIFIED")
    after = made(registry)
    assert after["eso_exporter_lists"] is before["eso_exporter_lists"]
    assert after["eso_exporter_watch_events"].samples != before["eso_exporter_watch_events"].samples


def test_a_request_to_vault_makes_its_series():
    registry = CollectorRegistry()
    count = VaultCounters(registry)
    count("main", "health", "200")
    labels = {"vault": "main", "operation": "health", "code": "200"}
    assert registry.get_sample_value("eso_exporter_vault_requests_total", labels) == 1


def test_a_resource_is_synced_denied_or_absent():
    states = {"secrets": "synced", "events": "denied", "pushsecrets": "absent", "namespaces": ""}
    statuses = []
    for resource, state in states.items():
        status = ReflectorStatus(resource, "")
        if state:
            setattr(status, state, True)
        statuses.append(status)
    own = OwnState(lambda: statuses, dict, dict, dict, lambda: (True, 1.0), list)
    registry = CollectorRegistry()
    registry.register(OwnCollector(own, "abc"))
    for resource, state in states.items():
        for name in ("synced", "denied", "absent"):
            value = registry.get_sample_value(f"eso_exporter_resource_{name}", {"resource": resource, "scope": ""})
            assert value == (name == state), (resource, name)
