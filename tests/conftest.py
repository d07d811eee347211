"""What holds for every test: in CI (CI=true) nothing is skipped, since a missing tool there is a fault and no excuse."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")


def fail_if_skipped(report: Report) -> Report:
    """The report of a skip as one of a failure that tells the reason; any other as it is."""
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{reason}\nIn CI a test may not be skipped: install what it needs in .ci/run."
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tests that skip themselves."""
    report = yield
    return fail_if_skipped(report) if IN_CI else report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Modules that skip themselves while they are imported."""
    report = yield
    return fail_if_skipped(report) if IN_CI else report
