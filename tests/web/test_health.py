"""Health, readiness, reload over HTTP."""

from __future__ import annotations

import pytest

from exporter.web.health import health_routes
from exporter.web.messages import Request
from tests.web.serving import serving

LIVE = ("/-/healthy", "/healthz", "/livez")
READY = ("/-/ready", "/readyz")


@pytest.mark.parametrize("state", [True, False])
def test_health_and_readiness_each_answer_their_own_question(state):
    with serving(routes=health_routes(healthy=lambda: state, ready=lambda: not state)) as running:
        assert {running.get(path).status for path in LIVE} == {200 if state else 503}
        assert {running.get(path).status for path in READY} == {503 if state else 200}
        assert running.get("/-/ready", "HEAD").status == (503 if state else 200)


def test_reload_is_off_unless_allowed():
    with serving(routes=health_routes(healthy=lambda: True, ready=lambda: True)) as running:
        answer = running.get("/-/reload", "POST")
        assert answer.status == 403
        assert b"--web.enable-reload" in answer.body
        assert running.get("/-/reload").status == 405


def test_reload_tells_what_came_of_it():
    complaints = ["", "exporter.yaml, line 3: unknown key"]
    routes = health_routes(healthy=lambda: True, ready=lambda: True, reload=lambda: complaints.pop(0))
    for method, status in (("POST", 200), ("PUT", 500)):
        answer = routes[f"{method} /-/reload"](Request(method, "/-/reload"))
        assert answer.status == status
    assert answer.body == b"the old configuration stays: exporter.yaml, line 3: unknown key\n"
