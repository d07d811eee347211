"""Forms of the listen address, and what is said when it cannot be had."""

from __future__ import annotations

import errno
import socket

import pytest

from exporter.config.settings import WebSettings
from exporter.errors import ConfigError, ExporterError
from exporter.web.listening import listen, split
from exporter.web.server import WebServer
from tests.exposition.things import shown


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        (":10820", ("", 10820)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:10820", ("::1", 10820)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_split(address, parts):
    assert split(address) == parts


@pytest.mark.parametrize("address", ["", "10820", "host", "host:", "host:x", "h:65536", "::1:10820", ":\u0662"])
def test_no_address(address):
    with pytest.raises(ConfigError, match="must be host:port"):
        split(address)


@pytest.mark.parametrize("address", [":0", "127.0.0.1:0", "localhost:0"])
def test_a_listening_socket_takes_connections_of_ipv4(address):
    with listen(address) as listener:
        port = listener.getsockname()[1]
        if address != "localhost:0":
            socket.create_connection(("127.0.0.1", port), 10).close()
        assert port > 0


def test_a_port_in_use_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = WebServer(WebSettings(listen_address=f"127.0.0.1:{port}"), {}, shown())
        with pytest.raises(ExporterError, match="the port is in use") as caught:
            server.start()
        assert f"127.0.0.1:{port}" in str(caught.value)
        assert not server.alive()
        assert server.shutdown()
        with pytest.raises(RuntimeError):
            server.address  # noqa: B018


@pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_a_machine_without_ipv6(monkeypatch, code):
    real = socket.create_server

    def create(address, **options):
        if options.get("family") == socket.AF_INET6:
            raise OSError(code, "no IPv6")
        return real(address, **options)

    monkeypatch.setattr(socket, "create_server", create)
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    with listen(":0") as listener:
        assert listener.family == socket.AF_INET


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EACCES, "not permitted"), (errno.EADDRINUSE, "in use"), (errno.ENOBUFS, "No buffer space")],
)
def test_reasons(monkeypatch, code, words):
    def create(*_, **__):
        raise OSError(code, "No buffer space")

    monkeypatch.setattr(socket, "create_server", create)
    with pytest.raises(ExporterError, match=words):
        listen(":80")


@pytest.mark.parametrize("address", ["no-such-host.invalid:1", "192.0.2.1:0"])
def test_an_address_of_others(address):
    with pytest.raises(ExporterError, match="choose another address"):
        listen(address)
