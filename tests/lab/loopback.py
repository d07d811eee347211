"""Free ports on the loopback address, and HTTP sessions to the lab's servers there."""

from __future__ import annotations

import random
import socket

import requests

LOOPBACK = "127.0.0.1"
TIMEOUT = 10.0
"""Seconds that a call of the lab to one of its servers may take."""

# Below the range from which the kernel takes the ports of outgoing connections: a server that is stopped and started again
# must find its port free, and with some hundred connections around, a port of that range may have gone to one of them.
_RANGE = range(20_000, 32_000)
_handed_out: set[int] = set()


def free_port() -> int:
    """A port that nothing listens on now and that was not handed out before in this process."""
    while True:
        port = random.choice(_RANGE)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _handed_out.add(port)
        return port


def new_session() -> requests.Session:
    """A session for one server; nothing from the environment (proxies, netrc) gets between."""
    session = requests.Session()
    session.trust_env = False
    return session


def answers_200(session: requests.Session, url: str) -> bool:
    """Whether a GET is answered with 200; raises requests' exceptions while nothing listens."""
    return session.get(url, timeout=2.0).status_code == 200
