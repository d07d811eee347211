"""TLS on the wire: versions, reload, client certificates, and clients that do not play along."""

from __future__ import annotations

import contextlib
import ssl

import pytest

from exporter.web import webconfig
from tests.vault.certificates import Authority
from tests.web.serving import exchange, got, large, rest, serving
from tests.web.test_hostile import SCRAPE, web_threads


class Files:
    """A folder with a CA and a web configuration."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder)
        (folder / "ca.crt").write_bytes(self.authority.pem)
        self.config = folder / "web.yml"

    def certify(self, *names):
        for path, name in zip(self.authority.issue(*names), ("tls.crt", "tls.key"), strict=True):
            path.rename(self.folder / name)

    def write(self, **settings):
        settings = {"cert_file": "tls.crt", "key_file": "tls.key", **settings}
        self.config.write_text(f"tls_server_config: {settings}")
        return str(self.config)

    def client(self, *names):
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if names:
            cert, key = self.authority.issue(*names)
            context.load_cert_chain(cert, key)
        return context


@pytest.fixture
def files(tmp_path):
    made = Files(tmp_path)
    made.certify("localhost", "127.0.0.1")
    return made


def scrape(running, context, path="/metrics"):
    with contextlib.closing(running.connect_tls(context)) as connection:
        return got(connection, path)


def subject(running, context):
    with running.raw() as sock, context.wrap_socket(sock, server_hostname="127.0.0.1") as secure:
        return dict(secure.getpeercert()["subject"][0])["commonName"]


def test_a_large_scrape_over_tls(files):
    with serving(large(), config_file=files.write(), header_timeout=30.0, idle_timeout=30.0) as running:
        answer = scrape(running, files.client())
        assert answer.status == 200
        assert len(answer.body) == int(answer.headers["content-length"]) > 20_000_000


def test_keep_alive_over_tls(files):
    with (
        serving(config_file=files.write()) as running,
        contextlib.closing(running.connect_tls(files.client())) as connection,
    ):
        connection.connect()
        sock = connection.sock
        assert [got(connection, "/").body for _ in range(3)] == [b"landing\n"] * 3
        assert connection.sock is sock


def test_versions(files):
    with serving(config_file=files.write(min_version="TLS13")) as running:
        context = files.client()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            scrape(running, context)
        assert scrape(running, files.client()).status == 200
        running.wait_until(lambda: running.rejected("tls_handshake") == 1)


def test_a_renewed_certificate_is_used_for_new_connections(files, monkeypatch):
    monkeypatch.setattr(webconfig, "CHECK_SECONDS", 0.0)
    with serving(config_file=files.write()) as running, contextlib.closing(running.connect_tls(files.client())) as old:
        assert subject(running, files.client()) == "localhost"
        assert got(old, "/").status == 200
        files.certify("renewed", "127.0.0.1")
        assert subject(running, files.client()) == "renewed"
        assert got(old, "/").status == 200
        (files.folder / "tls.crt").write_text("broken")
        assert subject(running, files.client()) == "renewed"


def test_tls_that_is_switched_on_ends_plain_connections(files, monkeypatch):
    monkeypatch.setattr(webconfig, "CHECK_SECONDS", 0.0)
    files.config.write_text("{}")
    with serving(config_file=str(files.config)) as running, running.raw() as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert plain.recv(1000).endswith(b"landing\n")
        files.write()
        plain.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert rest(plain) == b""
        assert scrape(running, files.client()).status == 200


def test_a_client_needs_a_certificate_of_the_ca(files, tmp_path_factory):
    stranger = Files(tmp_path_factory.mktemp("stranger"))
    with serving(
        config_file=files.write(client_ca_file="ca.crt", client_auth_type="RequireAndVerifyClientCert")
    ) as running:
        assert scrape(running, files.client("prometheus")).status == 200
        foreign = files.client()
        foreign.load_cert_chain(*stranger.authority.issue("prometheus"))
        for context in (files.client(), foreign):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                scrape(running, context)
        running.wait_until(lambda: running.rejected("tls_handshake") == 2)


def test_a_client_certificate_needs_an_allowed_name(files):
    config = files.write(
        client_ca_file="ca.crt",
        client_auth_type="RequireAndVerifyClientCert",
        client_allowed_sans=["prometheus", "10.0.0.1"],
    )
    with serving(config_file=config) as running:
        assert scrape(running, files.client("prometheus", "x")).status == 200
        assert scrape(running, files.client("10.0.0.1")).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            scrape(running, files.client("grafana"))
        running.wait_until(lambda: running.rejected("tls_handshake") == 1)


def test_a_client_that_never_says_hello_stops_nobody(files):
    with serving(config_file=files.write(), header_timeout=2.0) as running, contextlib.ExitStack() as held:
        for _ in range(20):
            held.enter_context(running.raw())
        assert scrape(running, files.client()).status == 200
        running.wait_until(lambda: running.rejected("tls_handshake") == 20)
        running.wait_until(lambda: not web_threads())


def test_silent_clients_at_the_cap_make_room(files):
    with (
        serving(config_file=files.write(), header_timeout=30.0, max_connections=4) as running,
        contextlib.ExitStack() as held,
    ):
        for _ in range(30):
            held.enter_context(running.raw())
        running.wait_until(lambda: running.rejected("connections") >= 26)
        assert scrape(running, files.client()).status == 200
    running.wait_until(lambda: not web_threads())


def test_plain_http_on_the_tls_port_is_told_so(files):
    with serving(config_file=files.write()) as running, running.raw() as plain:
        assert exchange(plain, SCRAPE).endswith(b"this port speaks HTTPS\n")


def test_a_client_that_stops_reading_over_tls(files):
    with serving(large(), config_file=files.write(), header_timeout=2.0) as running:
        with (
            running.raw(receive_buffer=4096) as sock,
            files.client().wrap_socket(sock, server_hostname="127.0.0.1") as slow,
        ):
            slow.sendall(SCRAPE)
            running.wait_until(lambda: running.rejected("send_timeout") == 1)
        assert scrape(running, files.client(), "/").status == 200
