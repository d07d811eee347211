"""TLS, credentials and answers of one Alertmanager."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProtocolError, SSLError

from exporter.config.settings import AlertmanagerSettings
from exporter.errors import ConfigError
from exporter.notify.wire import MAX_ANSWER, Api, RequestFailedError, _failed, check, shown
from tests.notify.alertmanager import AlertmanagerDouble
from tests.vault.certificates import Authority

SOMEWHERE = HTTPConnection("nowhere")
POOL = urllib3.HTTPConnectionPool("nowhere")


@pytest.fixture
def double() -> Iterator[AlertmanagerDouble]:
    made = AlertmanagerDouble()
    yield made
    made.close()


def reason(ask: Any) -> str:
    with pytest.raises(RequestFailedError) as raised:
        ask()
    return raised.value.reason


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NameResolutionError("nowhere", SOMEWHERE, OSError()), "dns"),
        (NewConnectionError(SOMEWHERE, "hush"), "connect"),
        (ConnectTimeoutError("hush"), "timeout"),
        (urllib3.exceptions.ReadTimeoutError(POOL, "/", "hush"), "timeout"),
        (SSLError("hush"), "tls"),
        (ProtocolError("hush"), "connect"),
    ],
)
def test_failures_have_a_class_and_never_their_own_text(error: Any, expected: str) -> None:
    failed = _failed("nowhere:9093", error)
    assert failed.reason == expected
    assert "nowhere:9093" in str(failed)
    assert "hush" not in str(failed)


def serve_tls(double: AlertmanagerDouble, authority: Authority, client: bool = False) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("127.0.0.1"))
    if client:
        context.load_verify_locations(cadata=authority.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    double._server.socket = context.wrap_socket(double._server.socket, server_side=True)
    double.url = double.url.replace("http://", "https://")


def test_a_certificate_is_verified_by_the_ca_file(double: AlertmanagerDouble, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    serve_tls(double, authority)
    api = Api(double.url, AlertmanagerSettings(ca_file=str(tmp_path / "ca.pem")))
    assert api.started() == double.started
    api.close()
    assert reason(Api(double.url, AlertmanagerSettings()).started) == "tls"


def test_a_client_certificate_is_shown(double: AlertmanagerDouble, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    serve_tls(double, authority, client=True)
    certificate, key = map(str, authority.issue("exporter"))
    given = {"ca_file": str(tmp_path / "ca.pem")}
    api = Api(double.url, AlertmanagerSettings(**given, cert_file=certificate, key_file=key))
    assert api.started() == double.started
    api.close()
    assert reason(Api(double.url, AlertmanagerSettings(**given)).started) in ("tls", "connect")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"ca_file": "/nowhere"}, "alertmanager.ca_file (/nowhere) cannot be used"),
        ({"cert_file": "/nowhere", "key_file": "/nowhere"}, "alertmanager.cert_file (/nowhere)"),
        ({"urls": ("http://a",), "bearer_token_file": "/nowhere"}, "The credentials file /nowhere cannot be read"),
        ({"urls": ("http://a",), "username": "us", "password_file": "/dev/null"}, "holds no single line of text"),
    ],
)
def test_files_that_cannot_be_used_are_told_before_anything_starts(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(AlertmanagerSettings(**given))
    assert sentence in str(raised.value)


def test_an_answer_that_makes_no_sense(double: AlertmanagerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(double.url, AlertmanagerSettings())
    monkeypatch.setattr(Api, "_ask", lambda *_: b"<html>")
    assert reason(api.started) == "answer"
    assert reason(lambda: api.held([])) == "answer"


def test_an_answer_without_end_is_cut(double: AlertmanagerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.notify.wire.MAX_ANSWER", 10)
    assert MAX_ANSWER > 1 << 20
    assert reason(Api(double.url, AlertmanagerSettings()).started) == "answer"


def test_retry_after_is_read_and_bounded(double: AlertmanagerDouble) -> None:
    double.status = 503
    for given, expected in (("7", 7.0), ("86400", 60.0), ("tomorrow", None)):
        double.headers = {"Retry-After": given}
        with pytest.raises(RequestFailedError) as raised:
            Api(double.url, AlertmanagerSettings()).post(b"[]")
        assert raised.value.retry_after == expected


def test_a_path_before_the_api_is_kept(double: AlertmanagerDouble) -> None:
    Api(f"{double.url}/alerts/", AlertmanagerSettings()).started()
    assert double.requests[0][1] == "/alerts/api/v2/status"
    assert shown("https://am.example:9093/alerts/") == "am.example:9093/alerts"
