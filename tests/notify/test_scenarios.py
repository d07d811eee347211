"""The scenarios meet every alert of the table, so that what compares both roads leaves nothing out."""

from __future__ import annotations

from exporter.notify.table import ALERTS
from tests.notify.scenarios import SCENARIOS, healthy


def test_every_alert_is_met() -> None:
    met = set()
    for change in SCENARIOS.values():
        road = healthy()
        change(road)
        road.look()
        road.wait(3 * 3600.0, step=120.0)
        assert road.outcome is not None
        met |= {(one.alert.name, one.alert.severity) for one in road.outcome.firing}
    assert met == {(alert.name, alert.severity) for alert in ALERTS}
