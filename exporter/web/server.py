"""The HTTP server: one thread accepts, one per connection answers, and both are bounded."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping

import structlog
from prometheus_client import CollectorRegistry

from exporter.config.settings import WebSettings
from exporter.web.connection import Connection
from exporter.web.connections import Connections
from exporter.web.counters import WebCounters
from exporter.web.listening import listen
from exporter.web.messages import Route
from exporter.web.routing import Router
from exporter.web.scrape import Bodies, Scrapes
from exporter.web.session import Sessions
from exporter.web.webconfig import WebConfigFile

log = structlog.stdlib.get_logger(__name__)

#: What the kernel may hold for a client that does not read. Left to itself it takes several MB for each, which count as the
#: container's memory; this still fills 20 MB/s over a round trip of 20 ms.
_SEND_BUFFER = 256 * 1024
#: After a failed accept (no file descriptor left, say) the acceptor rests, instead of spinning.
_REST_SECONDS = 0.1


class WebServer:
    """Serves /metrics from `exposition` and everything else from `routes` (patterns: see `Router`).

    Limits are those of the settings: connections, scrapes at once, `header_timeout` for a TLS handshake, for the head and
    body of a request and for a client that stops reading, `idle_timeout` between requests, and twice that for a whole
    answer. Own metrics go to `registry`. Raises ConfigError for a web configuration file that cannot be used.
    """

    def __init__(
        self,
        settings: WebSettings,
        routes: Mapping[str, Route],
        exposition: Bodies,
        registry: CollectorRegistry | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address = settings.listen_address
        self._counters = WebCounters(registry if registry is not None else CollectorRegistry())
        self._connections = Connections(settings.max_connections, lambda: self._counters.rejected("connections"))
        self._sessions = Sessions(
            settings,
            Router({**routes, "/metrics": Scrapes(exposition, settings.max_scrapes, self._counters, clock)}),
            WebConfigFile(settings.config_file),
            self._connections,
            self._counters,
            clock,
        )
        self._listener: socket.socket | None = None
        self._bound: tuple[str, int] | None = None
        self._wake, self._waker = socket.socketpair()
        self._acceptor = threading.Thread(target=self._run, name="web-accept", daemon=True)

    def start(self) -> None:
        """Listen and serve. Raises ExporterError (ConfigError for an address that is none) when it cannot be had."""
        self._listener = listen(self._address)
        self._listener.setblocking(False)
        self._bound = self._listener.getsockname()[:2]
        self._acceptor.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are bound. Raises RuntimeError before `start`."""
        if self._bound is None:
            raise RuntimeError("the web server has not been started")
        return self._bound

    def alive(self) -> bool:
        """Whether connections are accepted."""
        return self._acceptor.is_alive()

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._connections.count

    def shutdown(self, grace: float = 5.0) -> bool:
        """Accept no more, finish requests that have come, and end; True when all were finished within `grace` seconds.

        May be called more than once, and before `start`.
        """
        # Before the listener is seen to be gone, so that no answer after that promises to keep its connection.
        self._connections.refuse()
        self._waker.close()
        if self._acceptor.ident is not None:
            self._acceptor.join()
        self._wake.close()
        return self._connections.stop(grace)

    def _run(self) -> None:
        assert self._listener is not None
        with self._listener, self._wake, selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not any(key.fileobj is self._wake for key, _ in selector.select()):
                self._accept(self._listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            # The client is gone again.
            return
        except OSError as error:
            log.warning("cannot accept a connection", reason=error.strerror)
            time.sleep(_REST_SECONDS)
            return
        connection = Connection(sock)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            if not self._connections.add(connection):
                connection.close()
                return
            threading.Thread(target=self._sessions.run, args=(connection,), name="web", daemon=True).start()
        except (OSError, RuntimeError) as error:
            # The client is gone, or no thread can be had.
            log.debug("a connection is dropped", reason=str(error))
            self._connections.remove(connection)
            connection.close()
