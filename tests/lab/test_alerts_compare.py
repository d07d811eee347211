"""docs/comparison-alerts.md is what `make rules-compare` writes."""

from __future__ import annotations

import pytest

from alerts.compare.__main__ import PAGE
from alerts.compare.run import compare
from tests.lab.build import ensure


@pytest.mark.timeout(600)  # a week of evaluations
def test_the_page_is_what_the_rules_do() -> None:
    assert PAGE.read_text() == compare(ensure("promtool")), "run `make rules-compare` and read what changed"
