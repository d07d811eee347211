"""One connection from its handshake to its end: request after request, each answered or refused."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence

import structlog

from exporter.config.settings import WebSettings
from exporter.web.answer import Answer
from exporter.web.connection import Connection, SilentError
from exporter.web.connections import Connections
from exporter.web.counters import WebCounters
from exporter.web.head import BadRequestError, Head
from exporter.web.messages import Request, Response, sentence
from exporter.web.routing import Router
from exporter.web.tls import allowed_san
from exporter.web.webconfig import WebConfig, WebConfigFile

log = structlog.stdlib.get_logger(__name__)

_LINGER_SECONDS = 0.5
_NOT_TLS = b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nthis port speaks HTTPS\n"
_NO_HEADERS: dict[str, str] = {}


class Sessions:
    """Runs connections, each in a thread of its own: `run` returns when the connection is done, and never raises."""

    def __init__(
        self,
        settings: WebSettings,
        router: Router,
        config: WebConfigFile,
        connections: Connections,
        counters: WebCounters,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._router = router
        self._config = config
        self._connections = connections
        self._counters = counters
        self._clock = clock

    def run(self, connection: Connection) -> None:
        """Serve a connection until it ends, and close it."""
        try:
            config = self._config.current()
            secure = config.context is not None
            if config.context is None or self._handshake(connection, config.context, config.sans):
                # A new connection has something to say at once; a kept one may take its time.
                patience = self._settings.header_timeout
                while self._next(connection, patience, secure):
                    patience = self._settings.idle_timeout
        except (SilentError, OSError):
            pass
        except Exception as error:
            # A defect; it must not end in a dead thread's traceback.
            log.error("a connection failed; please report it", exc_info=error)
        finally:
            self._connections.remove(connection)
            connection.close()

    def _handshake(self, connection: Connection, context: ssl.SSLContext, sans: Sequence[str] | None) -> bool:
        try:
            connection.handshake(context, self._settings.header_timeout)
        except (OSError, ValueError) as error:
            self._counters.rejected("tls_handshake")
            if isinstance(error, ssl.SSLError) and error.reason == "HTTP_REQUEST":
                connection.say(_NOT_TLS, _LINGER_SECONDS)
            return False
        if not allowed_san(sans, connection.certificate()):
            self._counters.rejected("tls_handshake")
            return False
        return True

    def _next(self, connection: Connection, patience: float, secure: bool) -> bool:
        """Read and answer one request; whether another one may follow."""
        limit = self._settings.header_timeout
        try:
            head = connection.head(patience, limit)
            body = connection.body(head, limit)
        except TimeoutError:
            self._counters.rejected("header_timeout")
            return False
        except BadRequestError as error:
            self._counters.rejected("bad_request")
            self._send(connection, Answer.of(sentence(error.status, error.sentence)), _NO_HEADERS, keep_alive=False)
            connection.linger(_LINGER_SECONDS)
            return False
        config = self._config.current()
        if (config.context is not None) != secure or not self._connections.begin(connection):
            return False
        try:
            keep = self._answer(connection, config, head, body)
        finally:
            self._connections.end(connection)
        # Whoever stops the server after this point finds the connection without a request, and cuts it.
        return keep and not self._connections.stopping

    def _answer(self, connection: Connection, config: WebConfig, head: Head, body: bytes) -> bool:
        request = Request(head.method, head.path, head.query, head.headers, body)
        connection.waiting = False
        answer = self._find(config, request)
        try:
            keep_alive = head.keep_alive and not self._connections.stopping
            self._send(connection, answer, config.headers, keep_alive=keep_alive, bodiless=head.method == "HEAD")
        except TimeoutError:
            self._counters.rejected("send_timeout")
            return False
        finally:
            answer.finished()
        return keep_alive

    def _find(self, config: WebConfig, request: Request) -> Answer:
        refusal = config.refusal(request)
        if refusal is not None:
            reason, response = refusal
            self._counters.rejected(reason)
            return Answer.of(response)
        try:
            found = self._router.find(request.method, request.path)
            given = found if isinstance(found, Response) else found(request)
            return Answer.of(given) if isinstance(given, Response) else given
        except Exception as error:
            log.error("a page failed; please report it", exc_info=error, path=request.path)
            return Answer.of(sentence(500, "internal error; the log tells more"))

    def _send(
        self,
        connection: Connection,
        answer: Answer,
        extra: dict[str, str],
        *,
        keep_alive: bool,
        bodiless: bool = False,
    ) -> None:
        head = answer.head(extra, keep_alive=keep_alive, now=self._clock())
        settings = self._settings
        parts = [head] if bodiless else _after(head, answer)
        connection.send(parts, settings.header_timeout, 2 * settings.idle_timeout, answer.stalled)


def _after(head: bytes, answer: Answer) -> Iterator[bytes]:
    yield head
    yield from answer.parts()
