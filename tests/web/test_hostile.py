"""Clients that mean harm, or are broken: beside them a scrape goes on, and what they held comes back."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest

from exporter.web import scrape
from tests.web.serving import exchange, large, rest, serving

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"


@contextlib.contextmanager
def closing_all():
    sockets = []
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


def web_threads():
    return [thread for thread in threading.enumerate() if thread.name == "web"]


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_two_hundred_half_sent_heads():
    with serving(max_connections=20, header_timeout=5.0) as running, closing_all() as held:
        for _ in range(200):
            sock = running.raw()
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\n")
            held.append(sock)
        running.wait_until(lambda: running.rejected("connections") >= 180)
        assert running.server.connections <= 20
        assert running.get().status == 200
        assert running.get().status == 200
    # No client has closed anything; the server gave all of it back.
    running.wait_until(lambda: not web_threads())


def test_half_sent_heads_are_dropped_in_time():
    with serving(header_timeout=1.0) as running, closing_all() as held:
        for _ in range(30):
            held.append(running.raw())
            held[-1].sendall(b"GET /metrics HTTP/1.1\r\n")
        running.wait_until(lambda: running.rejected("header_timeout") == 30)
        assert all(sock.recv(1) == b"" for sock in held)
        running.wait_until(lambda: not web_threads())


def test_one_byte_now_and_then_is_no_way_round_the_deadline():
    with serving(header_timeout=1.0) as running, running.raw() as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        with contextlib.suppress(OSError):
            while not running.rejected("header_timeout"):
                slow.sendall(b"x")
                time.sleep(0.05)
        running.wait_until(lambda: running.rejected("header_timeout") == 1)


def test_a_body_that_never_comes():
    with serving(header_timeout=1.0) as running, running.raw() as slow:
        slow.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc")
        assert slow.recv(1) == b""
        assert running.rejected("header_timeout") == 1


def test_clients_that_say_nothing_are_no_rejected_requests():
    with serving(header_timeout=0.2, idle_timeout=0.2) as running, running.raw() as silent, running.raw() as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        while idle.recv(1000):
            pass
        assert silent.recv(1) == b""
        running.wait_empty()
        assert running.rejected("header_timeout") == 0


def test_sixty_clients_that_never_read():
    exposition = large()
    with serving(exposition, header_timeout=60.0, idle_timeout=60.0) as running, closing_all() as held:
        length = int(running.get(method="HEAD").headers["content-length"])
        before = resident()
        for _ in range(60):
            held.append(running.raw(receive_buffer=4096))
            held[-1].sendall(SCRAPE)
        # Each gives its place back once it has stalled; whoever comes before that may be told to come again.
        running.wait_until(lambda: running.get().status == 200)
        assert running.server.connections >= 60
        for _ in range(3):
            answer = running.get()
            assert (answer.status, len(answer.body)) == (200, length)
        assert resident() - before < 10 * length


def test_clients_that_never_read_are_dropped_in_time():
    with serving(large(), header_timeout=1.0) as running, closing_all() as held:
        for _ in range(12):
            held.append(running.raw(receive_buffer=4096))
            held[-1].sendall(SCRAPE)
        running.wait_until(lambda: running.rejected("send_timeout") == 12)
        running.wait_empty()
        running.wait_until(lambda: not web_threads())
        assert running.get("/").status == 200


def test_a_client_that_reads_too_slowly_for_ever_is_dropped_too():
    with serving(large(), header_timeout=5.0, idle_timeout=0.3) as running, running.raw(receive_buffer=4096) as slow:
        slow.sendall(SCRAPE)
        with contextlib.suppress(OSError):
            while not running.rejected("send_timeout"):
                slow.recv(2000)
                time.sleep(0.01)
        assert running.rejected("send_timeout") == 1


def test_a_client_that_goes_away_in_the_middle():
    with serving(large(), header_timeout=30.0, idle_timeout=30.0) as running:
        for _ in range(5):
            sock = running.raw()
            sock.sendall(SCRAPE)
            sock.recv(1000)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
        running.wait_empty()
        assert running.get().status == 200


def test_at_the_cap_the_one_that_moved_no_byte_for_longest_goes():
    with serving(max_connections=3, header_timeout=30.0) as running, closing_all() as held:

        def latest():
            return max((each.moved for each in list(running.server._connections._open)), default=0.0)

        def move(sock, text):
            before = latest()
            sock.sendall(text)
            running.wait_until(lambda: latest() > before)

        for _ in range(3):
            held.append(running.raw())
            running.wait_until(lambda: running.server.connections == len(held))
            move(held[-1], b"GET / HTTP/1.1\r\n")
        # The oldest connection moves a byte: now the second one has been still for longest.
        move(held[0], b"A: b\r\n")
        held.append(running.raw())
        assert held[1].recv(1) == b""
        assert exchange(held[0], b"Host: h\r\nConnection: close\r\n\r\n").endswith(b"landing\n")
        assert running.rejected("connections") == 1


class Stuck:
    """An exposition whose bodies come when told."""

    def __init__(self, real):
        self._real = real
        self.asked = threading.Semaphore(0)
        self.go = threading.Event()

    def body(self, **options):
        self.asked.release()
        self.go.wait(30)
        return self._real.body(**options)


@pytest.fixture
def stuck():
    made = Stuck(large())
    yield made
    made.go.set()


def test_too_many_scrapes_at_once_are_sent_away_and_told_when_to_come_back(stuck):
    with serving(stuck, max_scrapes=2, header_timeout=30.0) as running, closing_all() as held:
        for _ in range(2):
            held.append(running.raw())
            held[-1].sendall(SCRAPE)
            assert stuck.asked.acquire(timeout=30)
        answer = running.get()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert running.rejected("scrapes") == 1
        assert running.get("/").status == 200
        stuck.go.set()
        assert running.get().status == 200


def test_a_crowd_that_asks_for_no_gzip_does_not_send_prometheus_away(stuck, monkeypatch):
    monkeypatch.setattr(scrape, "WAIT_SECONDS", 60.0)
    with serving(stuck, max_scrapes=1, header_timeout=30.0) as running, closing_all() as held:
        for _ in range(6):  # one place, four in line, and one that is sent away
            held.append(running.raw())
            held[-1].sendall(SCRAPE)
        running.wait_until(lambda: running.rejected("scrapes") == 1)
        held.append(running.raw())
        held[-1].sendall(SCRAPE.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"))
        stuck.go.set()
        assert rest(held[-1]).startswith(b"HTTP/1.1 200 OK")


def test_a_crowd_of_scrapes_does_not_hold_all_connections(stuck, monkeypatch):
    monkeypatch.setattr(scrape, "WAIT_SECONDS", 60.0)
    with serving(stuck, max_scrapes=1, max_connections=8, header_timeout=60.0) as running, closing_all() as held:
        held.append(running.raw())
        held[0].sendall(SCRAPE)
        assert stuck.asked.acquire(timeout=30)
        for _ in range(7):
            held.append(running.raw())
            held[-1].sendall(SCRAPE)
        running.wait_until(lambda: running.rejected("scrapes") == 3)
        assert running.get("/").status == 200


def test_connections_that_wait_for_us_are_spared_at_the_cap(stuck):
    with serving(stuck, max_connections=1, header_timeout=30.0) as running, running.raw() as first:
        first.sendall(SCRAPE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert stuck.asked.acquire(timeout=30)
        with running.raw() as second:
            assert second.recv(1) == b""
        stuck.go.set()
        assert rest(first).startswith(b"HTTP/1.1 200 OK")
