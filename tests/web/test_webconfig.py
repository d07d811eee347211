"""The web configuration file: what it may say, what is refused, and how it is read anew."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from exporter.config.settings import WebSettings
from exporter.errors import ConfigError
from exporter.web import webconfig
from exporter.web.messages import Request
from exporter.web.server import WebServer
from exporter.web.users import BusyError, Users
from exporter.web.webconfig import WebConfigFile
from tests.exposition.things import shown
from tests.vault.certificates import Authority
from tests.web.serving import serving
from tests.web.test_users import basic, hashed

ANYBODY = Request("GET", "/")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("certificates")
    authority = Authority(made)
    (made / "ca.crt").write_bytes(authority.pem)
    for name in ("one", "two"):
        cert, key = authority.issue("localhost", "127.0.0.1")
        cert.rename(made / f"{name}.crt")
        key.rename(made / f"{name}.key")
    (made / "empty").write_text("")
    return made


TLS = "cert_file: one.crt, key_file: one.key"


def load(folder, text):
    path = folder / "web.yml"
    path.write_text(text)
    return WebConfigFile(str(path)).current()


def test_no_file_is_plain_http_for_everybody():
    config = WebConfigFile("").current()
    assert (config.context, config.headers, config.refusal(ANYBODY)) == (None, {}, None)


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "tls_server_config:\nbasic_auth_users:\n"])
def test_an_empty_file_too(folder, text):
    assert load(folder, text).context is None


def test_the_whole_format(folder):
    config = load(
        folder,
        f"""
tls_server_config:
  cert_file: one.crt
  key_file: {folder}/one.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus]
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  curve_preferences: [CurveP256]
  min_version: TLS12
  max_version: TLS13
  prefer_server_cipher_suites: false
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000
    X-XSS-Protection: ""
basic_auth_users:
  prometheus: {hashed("x")}
rate_limit: {{interval: 1s, burst: 20}}
""",
    )
    assert config.context is not None
    assert config.sans == ("prometheus",)
    assert config.headers == {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=31536000"}
    names = {cipher["name"] for cipher in config.context.get_ciphers() if cipher["protocol"] != "TLSv1.3"}
    assert names == {"ECDHE-ECDSA-AES128-GCM-SHA256"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tls_sever_config: {}", "unknown field `tls_sever_config`"),
        ("tls_server_config: {certfile: x}", "unknown field `certfile` - at `tls_server_config`"),
        ("tls_server_config: {cert_file: [x]}", "Expected `str`, got `array` - at `tls_server_config.cert_file`"),
        ("- a", "Expected `object`, got `array`"),
        ("a: b: c", "line 1"),
        ("a: 1\na: 2", "line 2: the key a stands twice"),
        ("a: !!python/object:os.system {}", "line 1"),
        ("\x00", "not YAML"),
        ("[1]: 2", "line 1"),
        (f"tls_server_config: {{{TLS}, key: x}}", "give one of key and key_file"),
        ("tls_server_config: {cert_file: one.crt}", "give one of key and key_file"),
        ("tls_server_config: {client_ca_file: ca.crt}", "give one of cert and cert_file"),
        ("tls_server_config: {cert_file: one.crt, key_file: two.key}", "the key does not belong to the certificate"),
        (
            "tls_server_config: {cert_file: none.crt, key_file: one.key}",
            "cannot use none.crt and one.key: No such file",
        ),
        ("tls_server_config: {cert_file: empty, key_file: one.key}", "cannot use empty and one.key"),
        ("tls_server_config: {cert: nonsense, key: nonsense}", "cannot use cert and key"),
        (f"tls_server_config: {{{TLS}, min_version: TLS10}}", "TLS10 is broken"),
        (f"tls_server_config: {{{TLS}, min_version: TLS9}}", "min_version"),
        (f"tls_server_config: {{{TLS}, min_version: TLS13, max_version: TLS12}}", "min_version is above max_version"),
        (f"tls_server_config: {{{TLS}, cipher_suites: [RC4]}}", "RC4 is not known, or not safe"),
        (f"tls_server_config: {{{TLS}, curve_preferences: [P1]}}", "P1 is not known"),
        (f"tls_server_config: {{{TLS}, curve_preferences: [X25519, CurveP256]}}", "give one curve"),
        (
            f"tls_server_config: {{{TLS}, client_auth_type: RequireAnyClientCert}}",
            "RequireAnyClientCert is not offered",
        ),
        (f"tls_server_config: {{{TLS}, client_ca_file: ca.crt}}", "a client CA needs client_auth_type"),
        (f"tls_server_config: {{{TLS}, client_allowed_sans: [a]}}", "client_allowed_sans needs"),
        (
            f"tls_server_config: {{{TLS}, client_auth_type: VerifyClientCertIfGiven, client_ca: a, client_ca_file: b}}",
            "give one of client_ca and client_ca_file",
        ),
        (
            f"tls_server_config: {{{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: empty}}",
            "cannot use empty",
        ),
        (
            f"tls_server_config: {{{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca: nonsense}}",
            "cannot use client_ca",
        ),
        ("http_server_config: {headers: {Set-Cookie: x}}", "Set-Cookie cannot be set"),
        ("http_server_config: {headers: {X-Frame-Options: allow}}", "must be deny or sameorigin"),
        ('http_server_config: {headers: {Content-Security-Policy: "a\\r\\nb: c"}}', "printable ASCII"),
        ("basic_auth_users: {a: plain-password}", "not a bcrypt hash"),
        ("basic_auth_users: {a: 1}", "Expected `str`, got `int`"),
        ("rate_limit: {interval: soon, burst: 1}", "rate_limit.interval must be a duration"),
        ("rate_limit: {interval: 1000, burst: 1}", "rate_limit.interval must be a duration"),
        ("rate_limit: {interval: 1s}", "burst must be at least 1"),
        ("rate_limit: {burst: -1}", "burst must be at least 1"),
    ],
)
def test_what_is_refused(folder, text, complaint):
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(str(folder / "web.yml"))
    assert "\n" not in str(caught.value)
    assert "plain-password" not in str(caught.value)


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigError, match=r"/nowhere/web\.yml: cannot be read: No such file"):
        WebServer(WebSettings(config_file="/nowhere/web.yml"), {}, shown())


def test_certificate_and_key_can_stand_in_the_file(folder):
    def block(name):
        return (folder / name).read_text().replace("\n", "\n    ")

    text = f"tls_server_config:\n  cert: |\n    {block('one.crt')}\n  key: |\n    {block('one.key')}\n"
    text += f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca: |\n    {block('ca.crt')}\n"
    config = load(folder, text)
    assert config.context is not None
    assert len(config.context.get_ca_certs()) == 1


def test_without_a_client_ca_the_system_s_are_asked(folder):
    config = load(folder, f"tls_server_config: {{{TLS}, client_auth_type: VerifyClientCertIfGiven}}")
    assert config.context is not None


def test_headers_stand_on_every_answer(folder):
    path = folder / "headers.yml"
    path.write_text(
        "http_server_config: {headers: {Content-Security-Policy: default-src 'self', X-Frame-Options: deny}}"
    )
    with serving(config_file=str(path)) as running:
        for target in ("/", "/metrics", "/nothing", "/broken"):
            assert running.get(target).headers["x-frame-options"] == "deny"


def test_basic_authentication_guards_everything(folder):
    path = folder / "users.yml"
    path.write_text(f"basic_auth_users: {{prometheus: {hashed('secret')}}}")
    with serving(config_file=str(path)) as running:
        for target in ("/", "/metrics", "/nothing"):
            answer = running.get(target)
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith('Basic realm="')
        assert running.get("/metrics", Authorization=basic("prometheus:wrong")).status == 401
        assert running.get("/metrics", Authorization=basic("prometheus:secret")).status == 200
        assert running.rejected("unauthorized") == 4


def test_the_rate_limit(folder):
    path = folder / "rate.yml"
    path.write_text("rate_limit: {interval: 1h, burst: 2}")
    with serving(config_file=str(path)) as running:
        assert [running.get("/").status for _ in range(4)] == [200, 200, 429, 429]
        assert running.rejected("rate_limit") == 2


def test_the_bucket_fills_with_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(webconfig.time, "monotonic", lambda: now[0])
    limiter = webconfig.Limiter(2.0, 2)
    assert [limiter.take() for _ in range(3)] == [True, True, False]
    now[0] += 2.0
    assert [limiter.take() for _ in range(2)] == [True, False]
    now[0] += 60.0
    assert [limiter.take() for _ in range(3)] == [True, True, False]


def test_files_are_looked_at_once_a_second(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(webconfig.time, "monotonic", lambda: now[0])
    path = tmp_path / "web.yml"
    path.write_text("{}")
    file = WebConfigFile(str(path))
    path.write_text("http_server_config: {headers: {X-Frame-Options: deny}}")
    assert file.current().headers == {}
    now[0] += 1.0
    assert file.current().headers == {"X-Frame-Options": "deny"}


def test_a_broken_file_keeps_the_old_state_and_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(webconfig, "CHECK_SECONDS", 0.0)
    path = tmp_path / "web.yml"
    path.write_text("http_server_config: {headers: {X-Frame-Options: deny}}")
    file = WebConfigFile(str(path))
    with capture_logs() as logs:
        path.write_text("http_server_config: {haeders: {}}")
        for _ in range(3):
            assert file.current().headers == {"X-Frame-Options": "deny"}
        path.unlink()
        for _ in range(3):
            assert file.current().headers == {"X-Frame-Options": "deny"}
        path.write_text("{}")
        assert file.current().headers == {}
    assert [entry["log_level"] for entry in logs] == ["error", "error", "info"]
    assert "haeders" in logs[0]["reason"]
    assert "cannot be read" in logs[1]["reason"]


def test_a_certificate_that_comes_later_than_the_file_that_names_it(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(webconfig, "CHECK_SECONDS", 0.0)
    path = tmp_path / "web.yml"
    path.write_text("{}")
    file = WebConfigFile(str(path))
    path.write_text("tls_server_config: {cert_file: tls.crt, key_file: tls.key}")
    assert file.current().context is None
    for suffix in ("crt", "key"):
        (tmp_path / f"tls.{suffix}").write_bytes((folder / f"one.{suffix}").read_bytes())
    assert file.current().context is not None


def test_log_ins_that_find_too_many_others_are_told_to_come_back(folder, monkeypatch):
    config = load(folder, f"basic_auth_users: {{prometheus: {hashed('secret')}}}")

    def busy(*_):
        raise BusyError

    monkeypatch.setattr(Users, "allow", busy)
    reason, response = config.refusal(ANYBODY)
    assert (reason, response.status, response.headers["Retry-After"]) == ("unauthorized", 503, "1")
