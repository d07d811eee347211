"""Ordinary requests."""

from __future__ import annotations

import contextlib
import errno
import gzip
import socket
import threading

import pytest
import requests
import urllib3
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from structlog.testing import capture_logs

from exporter.exposition.splice import OPENMETRICS_TYPE, TEXT_TYPE
from exporter.web.connection import Connection
from tests.exposition.things import Thing, plain, shown
from tests.web.serving import PATIENCE, exchange, got, large, rest, serving


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


def test_a_scrape_in_the_text_format(server):
    answer = server.get()
    assert (answer.status, answer.headers["content-type"]) == (200, TEXT_TYPE)
    assert "content-encoding" not in answer.headers
    assert next(family.name for family in parse_text(answer.body.decode())) == "t_ready"


def test_a_scrape_as_prometheus_3_does_it(server):
    accept = (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
    )
    answer = server.get(Accept=accept, Accept_Encoding="gzip")
    assert answer.headers["content-type"] == OPENMETRICS_TYPE
    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert next(family.name for family in parse_openmetrics(gzip.decompress(answer.body).decode())) == "t_ready"


def test_http_libraries_read_all_of_a_large_gzip_scrape():
    exposition = large()
    text = plain(exposition)
    with serving(exposition, header_timeout=30.0, idle_timeout=30.0) as running:
        url = f"http://{running.host}:{running.port}/metrics"
        assert requests.get(url, timeout=PATIENCE).content == text
        assert urllib3.request("GET", url, headers={"Accept-Encoding": "gzip"}, timeout=PATIENCE).data == text
        assert running.get().body == text


def test_many_requests_on_one_connection(server):
    with contextlib.closing(server.connect()) as connection:
        connection.connect()
        sock = connection.sock
        for _ in range(5):
            assert got(connection).status == 200
            assert got(connection, "/nothing").status == 404
            assert got(connection, "/metrics", "HEAD").body == b""
            assert got(connection, "/echo", "POST", b"body").body.endswith(b" body")
        assert connection.sock is sock


def test_head_has_the_length_of_get(server):
    # Own metrics change between the two by a digit at most; the landing page does not.
    head, get = server.get("/", "HEAD"), server.get("/")
    assert (head.body, head.headers["content-length"]) == (b"", str(len(get.body)))
    assert int(server.get(method="HEAD").headers["content-length"]) > 100


def test_routes_get_method_path_query_and_body(server):
    assert server.get("/echo?a=1&b=%20").body == b"GET /echo {'a': '1', 'b': ' '} "
    assert server.get("/tree/x/y").body == b"GET /tree/x/y {} "
    assert server.get("/echo", "POST", b"x" * 65536).body.endswith(b"x" * 65536)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"404 Not Found"),
        (b"DELETE /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"405 Method Not Allowed"),
        (b"DELETE /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"405 Method Not Allowed"),
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000, b"413 "),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"x" * 20000, b"431 "),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"x" * 20000 + b"\r\n\r\n", b"431 "),
        (b"\r\n\r\nGET / HTTP/1.0\r\n\r\n", b"200 OK"),
        (
            b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            b"200 OK",
        ),
    ],
)
def test_one_exchange(server, request_, status):
    with server.raw() as sock:
        received = exchange(sock, request_)
    assert received.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nConnection: close\r\n" in received


def test_a_bad_request_is_counted_and_the_sentence_says_why(server):
    before = server.rejected("bad_request")
    with server.raw() as sock:
        assert exchange(sock, b"GET / HTTP/1.1\r\n\r\n").endswith(b"a request of HTTP/1.1 needs a Host header\n")
    assert server.rejected("bad_request") == before + 1


def test_requests_that_come_together_are_answered_in_turn(server):
    with server.raw() as sock:
        received = exchange(
            sock,
            b"GET /echo?1 HTTP/1.1\r\nHost: h\r\n\r\n"
            b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
            b"GET /echo?3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        )
    assert [part.split(b"\r\n\r\n")[1] for part in received.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"GET /echo {'1': ''} ",
        b"POST /echo {} abc",
        b"GET /echo {'3': ''} ",
    ]


def test_a_client_that_asks_before_it_sends_its_body(server):
    with server.raw() as sock:
        sock.sendall(
            b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        )
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert exchange(sock, b"abc").endswith(b"abc")


def test_a_client_that_half_closes_after_its_request(server):
    with server.raw() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        sock.shutdown(1)
        assert rest(sock).endswith(b"landing\n")


def test_http_1_0_ends_the_connection_unless_asked(server):
    with server.raw() as sock:
        assert b"Connection: close" in exchange(sock, b"GET / HTTP/1.0\r\n\r\n")
    with server.raw() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"Connection: keep-alive" in sock.recv(1000)
        assert exchange(sock, b"GET / HTTP/1.0\r\n\r\n").endswith(b"landing\n")


def test_a_page_that_fails_is_500_without_its_reason(server):
    answer = server.get("/broken")
    assert answer.status == 500
    assert b"hidden" not in answer.body
    assert server.get("/").status == 200


def test_an_exposition_that_fails_is_500_and_keeps_no_place():
    class Failing:
        def body(self, **_):
            raise RuntimeError("no")

    with serving(Failing(), max_scrapes=1) as running:
        assert [running.get().status for _ in range(4)] == [500] * 4


def test_scrapes_are_timed_from_request_to_last_byte():
    with serving() as running:
        for _ in range(3):
            running.get()
        running.wait_empty()
        assert running.registry.get_sample_value("eso_exporter_scrape_duration_seconds_count") == 3


def test_the_clock_is_the_exposition_s_now():
    with serving(shown(Thing("a", "x", sync=1))) as running:
        age = [line for line in running.get().body.split(b"\n") if line.startswith(b"t_sync_age")]
    assert int(age[0].rsplit(b" ", 1)[1]) > 1_700_000_000


def test_when_no_connection_can_be_accepted_for_a_while_the_server_lives_on(monkeypatch):
    with serving() as running:
        faults = [OSError(errno.EMFILE, "Too many open files"), BlockingIOError(), ConnectionAbortedError()]
        real = socket.socket.accept

        def accept(self):
            if faults:
                raise faults.pop()
            return real(self)

        monkeypatch.setattr(socket.socket, "accept", accept)
        assert running.get("/").status == 200
        assert not faults


def test_when_no_thread_can_be_had_the_connection_is_dropped(monkeypatch):
    with serving() as running:

        def start(self):
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)  # before the server can have accepted
            with running.raw() as sock:
                assert rest(sock) == b""
        assert running.get("/").status == 200


def test_a_defect_in_a_connection_ends_that_connection_only(monkeypatch):
    with serving() as running, capture_logs() as logs:

        def head(*_):
            raise RuntimeError("defect")

        with monkeypatch.context() as patched:
            patched.setattr(Connection, "head", head)
            with running.raw() as sock:
                assert rest(sock) == b""
        assert running.get("/").status == 200
    assert [entry["log_level"] for entry in logs] == ["error"]
