"""How long the first judging waits for lists that are under way."""

from __future__ import annotations

import pytest

from exporter.app.known import LONGEST_PATIENCE, PATIENCE, worth_waiting
from exporter.kube.resource import ReflectorStatus

NOW = 1_780_000_000.0


def status(*, contact: float | None = None, synced: bool = False, denied: bool = False) -> ReflectorStatus:
    made = ReflectorStatus("secrets", "")
    made.last_contact, made.synced, made.denied = contact, synced, denied
    return made


LISTING = status(contact=NOW - PATIENCE + 1)
SILENT = status(contact=NOW - PATIENCE - 1)


@pytest.mark.parametrize(
    ("statuses", "waited", "waits"),
    [
        ([status()], 0.0, True),
        ([status()], PATIENCE - 0.1, True),
        ([status()], PATIENCE, False),
        ([LISTING], PATIENCE, True),
        ([LISTING], LONGEST_PATIENCE - 0.1, True),
        ([LISTING], LONGEST_PATIENCE, False),
        ([SILENT], PATIENCE, False),
        ([LISTING, SILENT], PATIENCE, False),
        ([LISTING, status(synced=True), status(denied=True)], PATIENCE, True),
        ([status(contact=NOW - 1000, synced=True), LISTING], PATIENCE, True),
    ],
)
def test_lists_that_go_on_are_waited_for(statuses, waited, waits):
    assert worth_waiting(statuses, waited, NOW) is waits
