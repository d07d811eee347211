from __future__ import annotations

import email.utils
import time
from typing import get_args

import pytest

from exporter.kube.failure import WHAT_TO_DO, Reason, of_status, retry_after_seconds
from exporter.kube.resource import LIST_RESULTS, RESTART_REASONS


@pytest.mark.parametrize(
    ("status", "retry_after", "reason", "seconds"),
    [
        (401, None, "unauthorized", None),
        (403, None, "denied", None),
        (404, None, "absent", None),
        (406, None, "form", None),
        (410, None, "gone", None),
        (429, "3", "throttled", 3.0),
        (429, None, "throttled", None),
        (500, None, "error", None),
        (503, None, "error", None),
        (503, "7", "throttled", 7.0),
        (504, None, "timeout", None),
        (302, None, "error", None),
    ],
)
def test_every_status_has_a_reason(status: int, retry_after: str | None, reason: str, seconds: float | None) -> None:
    failure = of_status(status, "/api/v1/secrets", retry_after)
    assert (failure.reason, failure.status, failure.retry_after) == (reason, status, seconds)


def test_every_reason_tells_what_to_do() -> None:
    assert set(WHAT_TO_DO) == set(get_args(Reason))


def test_the_sentence_names_request_and_status() -> None:
    assert str(of_status(403, "/api/v1/secrets")) == (
        "/api/v1/secrets: HTTP 403: the API server refuses it; grant list and watch (deploy/rbac.yaml)"
    )


def test_retry_after_as_a_date() -> None:
    seconds = retry_after_seconds(email.utils.formatdate(time.time() + 100, usegmt=True))
    assert seconds is not None
    assert 90 < seconds <= 101


@pytest.mark.parametrize("header", ["", "soon", "-3", "Thu, 99 Foo 2026", "1.5.2"])
def test_nonsense_is_no_retry_after(header: str) -> None:
    assert retry_after_seconds(header) is None


def test_retry_after_is_bounded_and_never_negative() -> None:
    assert retry_after_seconds("99999999999999999999") == 300.0
    assert retry_after_seconds("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0


def test_reasons_are_labels_of_the_counters() -> None:
    assert {"gone", "denied", "absent"} <= set(LIST_RESULTS)
    assert {"gone", "denied", "absent", "unauthorized", "throttled", "timeout", "network", "replay"} <= set(
        RESTART_REASONS
    )
