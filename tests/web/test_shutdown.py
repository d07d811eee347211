"""Stopping: the listener goes first, what was asked is still answered, nobody is waited for in vain."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.web.serving import large, rest, serving
from tests.web.test_hostile import SCRAPE, Stuck


def refused(running):
    try:
        socket.create_connection((running.host, running.port), 10).close()
    except ConnectionError:
        return True
    return False


def stopping(running, grace=30.0):
    results = []
    thread = threading.Thread(target=lambda: results.append(running.server.shutdown(grace)))
    thread.start()
    return thread, results


def test_a_scrape_under_way_is_finished():
    stuck = Stuck(large())
    with serving(stuck, header_timeout=30.0, idle_timeout=30.0) as running, running.raw() as client:
        client.sendall(SCRAPE)
        assert stuck.asked.acquire(timeout=30)
        thread, results = stopping(running)
        running.wait_until(lambda: refused(running))
        stuck.go.set()
        received = rest(client)
        thread.join()
    assert results == [True]
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    assert f"\r\nContent-Length: {len(body)}\r\n".encode() in head


def test_those_without_a_request_are_cut_at_once():
    with serving(header_timeout=30.0, idle_timeout=30.0) as running:
        with running.raw() as silent, running.raw() as half, running.raw() as idle:
            half.sendall(b"GET / HTTP/1.1\r\n")
            idle.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert idle.recv(1000).endswith(b"landing\n")
            running.wait_until(lambda: running.server.connections == 3)
            assert running.server.shutdown(30.0)
            assert [sock.recv(1) for sock in (silent, half, idle)] == [b"", b"", b""]
        assert not running.server.alive()


def test_who_does_not_finish_within_the_grace_is_cut():
    with serving(large(), header_timeout=30.0) as running, running.raw(receive_buffer=4096) as client:
        client.sendall(SCRAPE)
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        assert running.server.shutdown(0.2) is False
        running.wait_empty()


def test_shutdown_twice_and_after_nothing():
    with serving() as running:
        assert running.server.shutdown()
        assert running.server.shutdown()


@pytest.mark.parametrize("grace", [0.0, 1.0])
def test_shutdown_without_connections(grace):
    with serving() as running:
        assert running.server.shutdown(grace)
        assert refused(running)
