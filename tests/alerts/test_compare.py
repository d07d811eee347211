"""The incidents of `make rules-compare` speak of metrics that exist; their series and the table's cells are made rightly."""

from __future__ import annotations

import re

import pytest

from alerts.compare.incidents import INCIDENTS, Incident
from alerts.compare.run import Fired, verdict
from alerts.compare.series import Recording
from exporter.metrics.catalogue import FAMILIES

LABELS = {family.name: set(family.labels) for family in FAMILIES}


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda one: one.title.replace(" ", "-"))
def test_our_series_are_those_of_the_catalogue(incident: Incident) -> None:
    ours = [one["series"] for one in incident.world().record() if one["series"].startswith("eso_")]
    assert len(ours) > 50
    for series in ours:
        name, labels = series.split("{", 1)
        assert name in LABELS
        assert set(re.findall(r'(\w+)="', labels)) <= LABELS[name] | {"instance", "job"}, series
    assert len(set(ours)) == len(ours), "each series once"


def test_segments_become_samples() -> None:
    recording = Recording(minutes=6)
    recording.add("up", {"job": "x"}, (0, 1), (3, None), (5, 0))
    recording.add_clock("clock", {}, end=2)
    recording.add_counter("total", {}, [1, 4], born=1)
    assert recording.series == [
        {"series": 'up{job="x"}', "values": "1+0x2 stale _x1 0+0x1"},
        {"series": "clock{}", "values": "0+60x1 stale"},
        {"series": "total{}", "values": "_x1 1+0x2 2+0x2"},
    ]


def incident(*, wanted: bool) -> Incident:
    return Incident("one", "something happens", 60, wanted, INCIDENTS[0].world)


@pytest.mark.parametrize(
    ("wanted", "alerts", "cell", "right"),
    [
        (True, [], "**missed**", False),
        (True, [Fired("EsoX", "critical", 1, 62, 90)], "EsoX (critical) after 2 min", True),
        (True, [Fired("UsualEsoX", "warning", 3, 75, 90)], "**3 alerts**:<br>X (warning) ×3 after 15 min", False),
        (True, [Fired("EsoX", "critical", 1, 5, 90)], "**missed**<br>fires anyway: EsoX (critical)", False),
        (False, [], "silent", True),
        (False, [Fired("EsoX", "critical", 1, 62, 90)], "**false**: EsoX (critical) after 2 min", False),
    ],
)
def test_cells(wanted: bool, alerts: list[Fired], cell: str, right: bool) -> None:
    assert verdict(incident(wanted=wanted), alerts) == (cell, right)
