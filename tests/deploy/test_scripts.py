"""The two scripts that ask a running exporter: the image's health check, and what `helm test` runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from exporter.metrics.catalogue import FAMILIES

ROOT = Path(__file__).parents[2]
HEALTHCHECK = ROOT / "deploy" / "image" / "healthcheck"
SCRAPE = ROOT / "deploy" / "helm" / "vault-eso-exporter" / "files" / "scrape.py"

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves one answer for each path given (status, text), 404 for others; returns host:port."""
    servers: list[ThreadingHTTPServer] = []

    def start(**answers: tuple[int, str]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, text = answers.get(self.path.rpartition("/")[2], (404, ""))
                if status == 401 and self.headers["Authorization"]:
                    status = 200
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def health(address: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VAULT_ESO_EXPORTER_WEB_LISTEN_ADDRESS": address}
    command = [sys.executable, str(HEALTHCHECK), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (401, 0), (503, 1)])
def test_the_health_check_takes_a_living_exporters_word(serve: Serve, status: int, code: int) -> None:
    done = health(serve(healthy=(status, "")))

    assert done.returncode == code
    assert ("is not healthy: " in done.stderr) is bool(code)


def test_the_health_check_asks_for_readiness_when_told(serve: Serve) -> None:
    address = serve(healthy=(200, ""), ready=(503, "not ready"))

    done = health(address, "/-/ready")

    assert done.returncode == 1
    assert f"the exporter on {address} is not ready: " in done.stderr
    assert health(address).returncode == 0


def scrape(address: str, *headers: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRAPE), f"http://{address}/metrics", *headers]
    return subprocess.run(command, capture_output=True, text=True, check=False)


SEEN = 'eso_exporter_resource_synced{resource="secrets",scope=""} 1.0\n'
LATE = 'eso_exporter_resource_synced{resource="events",scope=""} 0\n'


@pytest.mark.parametrize(
    ("page", "code", "says"),
    [
        (SEEN, 0, "1 resources are read, 0 are denied, 0 are not in this cluster"),
        (SEEN + LATE, 1, 'not read yet {resource="events",scope=""}'),
        (
            SEEN + LATE + 'eso_exporter_resource_denied{resource="events",scope=""} 1\n',
            0,
            'denied {resource="events",scope=""}',
        ),
        (SEEN + LATE + 'eso_exporter_resource_absent{resource="events",scope=""} 1\n', 0, "1 are not in this cluster"),
        ("up 1\n", 1, "not as vault-eso-exporter does"),
    ],
    ids=["all read", "not all", "denied", "absent", "another program"],
)
def test_helm_test_is_content_when_all_that_can_be_read_is(serve: Serve, page: str, code: int, says: str) -> None:
    done = scrape(serve(metrics=(200, page)))

    assert done.returncode == code
    assert says in done.stdout + done.stderr


def test_helm_test_names_what_to_give_where_users_are_asked_for(serve: Serve) -> None:
    done = scrape(serve(metrics=(401, "")))

    assert done.returncode == 1
    assert "give probes.httpHeaders an Authorization header" in done.stderr


def test_helm_test_sends_the_headers_of_the_probes(serve: Serve) -> None:
    assert scrape(serve(metrics=(401, SEEN)), "Authorization: Basic eA==").returncode == 0


def test_the_names_of_the_families_are_the_exporters() -> None:
    names = {family.name for family in FAMILIES}
    assert {f"eso_exporter_resource_{word}" for word in ("synced", "denied", "absent")} <= names
