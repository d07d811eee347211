"""A normal scrape beside clients that mean harm, against the same scrape alone."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import usage
from benchmarks.contestants import Contestant
from benchmarks.figures import Report, ms, shown
from benchmarks.rounds import ratio
from benchmarks.scraper import Scraper
from tests.lab.loopback import LOOPBACK

_SCRAPES = 40
_LEFT = 10.0
"""Megabytes: what an allocator may keep of a crowd that has gone."""

_HEAD = b"GET /metrics HTTP/1.1\r\nHost: h\r\n"


@dataclass(frozen=True)
class Attack:
    """`begin` is given a port and a place for the sockets it opens."""

    name: str
    begin: Callable[[int, list[socket.socket]], None]
    tls: bool = False


def _connected(port: int, held: list[socket.socket], receive_buffer: int = 0) -> socket.socket:
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(5.0)
    sock.connect((LOOPBACK, port))
    held.append(sock)
    return sock


def _half_heads(port: int, held: list[socket.socket]) -> None:
    for _ in range(200):
        _connected(port, held).sendall(_HEAD)


def _never_read(port: int, held: list[socket.socket]) -> None:
    for _ in range(60):
        _connected(port, held, 4096).sendall(_HEAD + b"\r\n")


def _slow_bytes(port: int, held: list[socket.socket]) -> None:
    for _ in range(30):
        sock = _connected(port, held)
        sock.sendall(_HEAD[:1])
        threading.Timer(0.5, _one_more, (sock,)).start()


def _one_more(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(_HEAD[1:2])


def _silent(port: int, held: list[socket.socket]) -> None:
    for _ in range(60):
        _connected(port, held)


ATTACKS = (
    Attack("200 half-sent headers", _half_heads),
    Attack("60 clients that never read", _never_read),
    Attack("30 clients of a byte now and then", _slow_bytes),
    Attack("60 clients that never say a word", _silent),
    Attack("60 TLS clients that never say hello", _silent, tls=True),
)


def measure_hostile(report: Report, ours: Contestant, over_tls: Contestant, rounds: int, *, full: bool) -> None:
    """Alone and beside, in turn: over HTTP, and `over_tls` beside clients that never say hello."""
    _settle(ours)
    before = (usage.resident(ours.pid), usage.thread_count(ours.pid))
    rows = []
    worst = 0.0
    for attack in ATTACKS:
        one = over_tls if attack.tls else ours
        alone, beside = [], []
        for _ in range(rounds):
            alone.append(_p50(one))
            with _attacked(attack, one.port):
                beside.append(_p50(one))
        slower = ratio(beside, alone)
        worst = max(worst, slower)
        rows.append((attack.name, ms(min(alone)), ms(min(beside)), f"{slower:.3g} ×"))
    report.table(("gzip scrape beside hostile clients", "alone, ms", "beside, ms", "ratio"), rows)
    resident, threads = _rested(ours.pid, before[1])
    report.say(
        f"Afterwards {threads} threads (before: {before[1]}) and {shown(resident)} MB resident (before: "
        f"{shown(before[0])} MB).\n"
    )
    report.below("gzip scrape beside hostile clients : alone, worst", worst, 3.0, full_size=full)
    report.below("threads that hostile clients leave", threads - before[1], 0)
    report.below("memory that hostile clients leave", resident - before[0], _LEFT, unit=" MB")


def _settle(ours: Contestant) -> None:
    """As many connections as there may be, once: what the first crowd makes a process take, it may keep for the next."""
    with contextlib.ExitStack() as held:
        for _ in range(30):
            scraper = Scraper(ours.port, gzip=True)
            held.callback(scraper.close)
            scraper()


@contextlib.contextmanager
def _attacked(attack: Attack, port: int) -> Iterator[None]:
    held: list[socket.socket] = []
    try:
        attack.begin(port, held)
        yield
    finally:
        for sock in held:
            sock.close()


def _p50(one: Contestant) -> float:
    scraper = Scraper(one.port, gzip=True, tls=one.tls)
    scraper()
    times = sorted(scraper().seconds for _ in range(_SCRAPES))
    scraper.close()
    return times[_SCRAPES // 2]


def _rested(pid: int, threads: int) -> tuple[float, int]:
    """Resident memory and threads once they are as before, or after half a minute."""
    for _ in range(300):
        if usage.thread_count(pid) <= threads:
            break
        time.sleep(0.1)
    return usage.resident(pid), usage.thread_count(pid)
