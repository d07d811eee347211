"""The dashboards as they are generated now."""

from __future__ import annotations

import pytest

from dashboards.files import all_dashboards
from tests.dashboards.grafana import Json

ALL: dict[str, Json] = {dashboard.uid: dashboard.json() for dashboard in all_dashboards()}


@pytest.fixture(params=list(ALL))
def dashboard(request: pytest.FixtureRequest) -> Json:
    """Each of them in turn."""
    return ALL[request.param]


@pytest.fixture
def dashboards() -> dict[str, Json]:
    """All of them, by uid."""
    return ALL
