"""A double of Alertmanager's API v2 for faults that the real one does not show on demand. Keeps what it was sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class AlertmanagerDouble:
    """Listens on loopback. `status` is answered to every POST while it is not 200; `hanging` answers nothing at all."""

    def __init__(self) -> None:
        self.posts: list[list[dict[str, Any]]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.alerts: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.status_of_status = 200
        self.started = "2026-11-25T10:00:00.000Z"
        self.dripping = False
        self.hanging = threading.Event()
        self._go_on = threading.Event()
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                double.take(self, b"")

            def do_POST(self) -> None:
                double.take(self, self.rfile.read(int(self.headers.get("Content-Length", "0"))))

            def log_message(self, *arguments: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def restart(self) -> None:
        """As if it was started anew: it remembers nothing."""
        self.alerts.clear()
        self.started = datetime.fromtimestamp(time.time()).astimezone().isoformat()

    def take(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.hanging.is_set():
            self._go_on.wait(30)
            handler.close_connection = True
            return
        path, headers = urlsplit(handler.path), dict(handler.headers)
        self.requests.append((handler.command, handler.path, headers))
        if path.path.endswith("/api/v2/status"):
            self._answer(handler, self.status_of_status, {"uptime": self.started})
        elif handler.command == "GET":
            names = [one for one in parse_qs(path.query).get("filter", []) if "=~" not in one]
            wanted = {one.split("=", 1)[0]: one.split("=", 1)[1].strip('"') for one in names}
            held = [one for one in self.alerts.values() if wanted.items() <= one["labels"].items()]
            self._answer(handler, 200, held)
        elif self.status != 200:
            self._answer(handler, self.status, {"message": "no"})
        else:
            alerts = json.loads(body)
            self.posts.append(alerts)
            for one in alerts:
                self.alerts[tuple(sorted(one["labels"].items()))] = one
            self._answer(handler, 200, {})

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        handler.send_response(status)
        for name, text in self.headers.items():
            handler.send_header(name, text)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for byte in body if self.dripping else [body]:
            handler.wfile.write(byte.to_bytes() if isinstance(byte, int) else byte)
            handler.wfile.flush()
            if self.dripping:
                self._go_on.wait(0.05)

    def sent(self, name: str) -> list[dict[str, Any]]:
        """Every sending of one alert, oldest first."""
        return [one for post in list(self.posts) for one in post if one["labels"]["alertname"] == name]

    def active(self, now: float | None = None) -> set[str]:
        """Names of the alerts whose end is still to come."""
        now = time.time() if now is None else now
        return {
            one["labels"]["alertname"]
            for one in list(self.alerts.values())
            if datetime.fromisoformat(one["endsAt"]).timestamp() > now
        }


def eventually(look: Callable[[], Any], timeout: float = 20.0) -> Any:
    """Waits until `look` answers something true; the limit is there to end a test that fails."""
    end = time.monotonic() + timeout
    while not (found := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found
