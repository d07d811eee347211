"""A receiver of notifications that writes down what Alertmanager sends, and when."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.lab.loopback import LOOPBACK
from tests.lab.waiting import wait_until


@dataclass(frozen=True)
class Notification:
    """One message: when it came (Unix seconds), the path it was posted to, and its JSON body.

    The properties read the body of a `webhook_configs` receiver (version 4); what Slack, PagerDuty or Teams would get has
    another form and is read from `body`.
    """

    at: float
    path: str
    body: Mapping[str, Any]

    @property
    def receiver(self) -> str:
        """The receiver's name."""
        return str(self.body.get("receiver", ""))

    @property
    def status(self) -> str:
        """`firing`, or `resolved` when every alert of the group is."""
        return str(self.body.get("status", ""))

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Its alerts: status, labels, annotations, startsAt, endsAt, fingerprint."""
        return list(self.body.get("alerts", []))

    @property
    def names(self) -> set[str]:
        """The names of its alerts."""
        return {alert["labels"].get("alertname", "") for alert in self.alerts}

    def __repr__(self) -> str:
        told = [
            f"{alert['status']} {' '.join(f'{key}={value}' for key, value in sorted(alert['labels'].items()))}"
            for alert in self.alerts
        ]
        return f"<{self.status} to {self.receiver or self.path} at {self.at:.1f}: {'; '.join(told)}>"


class Webhook:
    """An HTTP server on loopback that takes every POST of a JSON document, answers 200 and keeps it.

    `url("/pager")` is an address for a receiver's configuration; any path will do. While `refusing` is true it answers 503 and
    keeps nothing, as a receiver that is down.
    """

    def __init__(self) -> None:
        self._received: list[Notification] = []
        self._lock = threading.Lock()
        self.refusing = False
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if webhook.refusing:
                    self.send_error(503)
                    return
                notification = Notification(time.time(), self.path, json.loads(raw))
                with webhook._lock:
                    webhook._received.append(notification)
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")  # what Slack answers; the others look at the status code alone

            def log_message(self, *arguments: Any) -> None:
                """Says nothing: what came is kept."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.address = f"http://{LOOPBACK}:{self._server.server_port}"

    def start(self) -> None:
        """Listens from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Closes the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str = "/") -> str:
        """The address of a path."""
        return self.address + path

    def received(self, receiver: str = "", *, alertname: str = "") -> list[Notification]:
        """What came so far, oldest first; only of one receiver, only what holds an alert of that name."""
        with self._lock:
            found = list(self._received)
        return [
            one
            for one in found
            if (not receiver or one.receiver == receiver) and (not alertname or alertname in one.names)
        ]

    def clear(self) -> None:
        """Forgets what came so far."""
        with self._lock:
            self._received.clear()

    def wait_for(
        self, what: str, predicate: Callable[[Notification], bool], timeout: float = 60.0, receiver: str = ""
    ) -> Notification:
        """Waits for a message that satisfies `predicate`; returns the first. Raises NotYetError, which shows what came instead."""

        def look() -> Notification | None:
            came = self.received(receiver)
            found = next((one for one in came if predicate(one)), None)
            assert found is not None, f"what came: {came}"
            return found

        return wait_until(f"the webhook gets {what}", look, timeout, every=0.1)


def webhook_receivers(webhook: Webhook, *names: str, send_resolved: bool = True) -> list[dict[str, Any]]:
    """Alertmanager's `receivers:`, each of which posts to this webhook."""
    return [
        {"name": name, "webhook_configs": [{"url": webhook.url(f"/{name}"), "send_resolved": send_resolved}]}
        for name in names
    ]
