"""Reading of a Ready condition: closed reasons, classes instead of messages, and no condition is no status."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from exporter.eso.conditions import NONE, REASONS, closed_reason, detail_of, read_ready


class Condition(NamedTuple):
    """A condition as it is decoded."""

    type: str = "Ready"
    status: str = "True"
    reason: str = "SecretSynced"
    message: bytes = b'"secret synced"'
    lastTransitionTime: str | None = "2026-05-28T20:25:00Z"  # noqa: N815  (Kubernetes' own spelling)


def test_the_ready_condition_is_found_among_others() -> None:
    ready = read_ready([Condition("Deleted", "False", "x"), Condition(status="False", reason="SecretSyncedError")])
    assert (ready.status, ready.reason, ready.detail) == ("False", "SecretSyncedError", "")
    assert ready.transition == "2026-05-28T20:25:00Z"


def test_without_a_ready_condition_there_is_no_status() -> None:
    assert read_ready([]) == NONE
    assert read_ready([Condition("Deleted")]) == NONE


@pytest.mark.parametrize("status", ["", "true", "maybe", "True "])
def test_a_status_that_is_none_of_the_three_reads_as_unknown(status: str) -> None:
    assert read_ready([Condition(status=status)]).status == "Unknown"


def test_reasons_are_closed() -> None:
    assert {closed_reason(reason) for reason in REASONS} == REASONS
    assert closed_reason("planted") == "other"
    assert closed_reason("") == ""


@pytest.mark.parametrize(
    ("message", "detail"),
    [
        ("target is owned by another ExternalSecret", "owned_by_other"),
        ("failed to take ownership of target secret", "ownership_conflict"),
        ("could not update secret, target is immutable", "immutable_target"),
        ("could not delete secret", "delete_conflict"),
        ("could not delete resource", "delete_conflict"),
        ("invalid generic target", "invalid_target"),
        ("secret retained due to DeletionPolicy=Retain", "retained"),
        ("Secret retained due to deletionPolicy", "retained"),
        ("secret synced", ""),
        ("could not delete orphaned secrets", ""),
        ("could not get secret data from provider", ""),
        ("", ""),
    ],
)
def test_what_a_message_says_beyond_its_reason(message: str, detail: str) -> None:
    for form in (message, message.upper(), json.dumps(message)):
        assert detail_of(form.encode()) == detail
