from __future__ import annotations

import base64
import os
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest

from exporter.config.settings import KubernetesSettings
from exporter.errors import ConfigError
from exporter.kube import access
from exporter.kube.access import Access
from exporter.kube.client import KubeClient
from tests.kube.kubeconfig import write_kubeconfig
from tests.vault.certificates import Authority


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cluster, no kubeconfig, no proxy; and the package's own idea of the default file is frozen at its import."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name == "KUBECONFIG" or name.startswith("KUBERNETES_SERVICE") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(access, "RELOAD_AT_MOST_EVERY", 0.0)


def read(path: Path, context: str = "") -> Access:
    return Access.from_settings(KubernetesSettings(kubeconfig=str(path), context=context))


def bearer(source: Access) -> str:
    return source.headers()[1].get("authorization", "")


# Where


def test_neither_cluster_nor_kubeconfig_is_one_sentence() -> None:
    with pytest.raises(ConfigError) as failure:
        KubeClient(KubernetesSettings())
    text = str(failure.value)
    assert "not a pod" in text
    assert "--kubeconfig" in text
    assert "\n" not in text


@pytest.mark.parametrize("content", [None, "", "a: [", "{}", '{"current-context":"x","contexts":[],"clusters":[]}'])
def test_an_unusable_kubeconfig_is_one_sentence(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError) as failure:
        read(path)
    assert str(path) in str(failure.value)
    assert "\n" not in str(failure.value)
    assert ("there is no such file" in str(failure.value)) is (content is None)


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="staging"):
        read(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", {}), context="staging")


def test_kubeconfig_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:7001", {})))
    assert Access.from_settings(KubernetesSettings()).endpoint.host == "http://127.0.0.1:7001"


def test_the_default_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home/.kube").mkdir(parents=True)
    write_kubeconfig(tmp_path / "home/.kube/config", "http://127.0.0.1:7002", {})
    assert Access.from_settings(KubernetesSettings()).endpoint.host == "http://127.0.0.1:7002"


def test_a_path_under_the_server_is_kept(tmp_path: Path) -> None:
    source = read(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1/k8s/clusters/c-1/", {}))
    assert source.endpoint.host == "http://127.0.0.1:1/k8s/clusters/c-1"


# In a cluster


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a ServiceAccount."""
    from kubernetes.config import incluster_config

    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("first")
    (account / "ca.crt").write_bytes(Authority(tmp_path).pem)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(account / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(account / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return account


def test_the_account_of_the_pod(pod: Path) -> None:
    source = Access.from_settings(KubernetesSettings())
    assert source.endpoint.host == "https://10.0.0.1:443"
    assert bearer(source).lower() == "bearer first"


def test_a_rotated_token_is_read_again_on_demand(pod: Path) -> None:
    source = Access.from_settings(KubernetesSettings())
    (pod / "token").write_text("second")
    generation, _ = source.headers()
    assert source.reload(generation)
    assert bearer(source).lower() == "bearer second"


def test_a_reload_that_somebody_did_is_not_done_again(pod: Path) -> None:
    source = Access.from_settings(KubernetesSettings())
    generation, _ = source.headers()
    assert source.reload(generation)
    after = source.generation
    assert source.reload(generation)
    assert source.generation == after


def test_reloads_do_not_come_in_storms(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "RELOAD_AT_MOST_EVERY", 3600.0)
    source = Access.from_settings(KubernetesSettings())
    assert not source.reload(source.generation)


def test_a_token_that_cannot_be_read_leaves_the_old_one(pod: Path) -> None:
    source = Access.from_settings(KubernetesSettings())
    (pod / "token").unlink()
    assert not source.reload(source.generation)
    assert bearer(source).lower() == "bearer first"


def test_a_replaced_authority_makes_a_new_endpoint(pod: Path, tmp_path: Path) -> None:
    source = Access.from_settings(KubernetesSettings())
    before = source.endpoint
    source.reload(source.generation)
    assert source.endpoint is before
    (pod / "ca.crt").write_bytes(Authority(tmp_path).pem)
    source.reload(source.generation)
    assert source.endpoint is not before


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_a_pod_without_an_account_is_one_sentence(pod: Path, missing: str) -> None:
    (pod / missing).unlink()
    with pytest.raises(ConfigError, match="ServiceAccount"):
        Access.from_settings(KubernetesSettings())


def test_a_package_that_gives_no_token_is_refused(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes import client

    monkeypatch.setattr(client.Configuration, "auth_settings", lambda self: {})
    with pytest.raises(ConfigError, match=r"36\.0\.3"):
        Access.from_settings(KubernetesSettings())


# As whom


def test_a_token_file_that_the_package_caches_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    source = read(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", {"tokenFile": str(token)}))
    assert bearer(source) == "Bearer first"
    token.write_text("second")
    source.reload(source.generation)
    assert bearer(source) == "Bearer second"


def test_a_user_with_a_password(tmp_path: Path) -> None:
    user = {"username": "u", "password": "p"}
    assert bearer(read(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", user))) == "Basic dTpw"


def exec_plugin(tmp_path: Path, expiry: str) -> dict[str, Any]:
    """A plugin that gives token-1, token-2, … and an expiry."""
    plugin = tmp_path / "plugin"
    plugin.write_text(
        "#!/bin/sh\n"
        f"n=$(cat {tmp_path}/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > {tmp_path}/n\n"
        'printf \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
        f'"status":{{"token":"token-%s","expirationTimestamp":"{expiry}"}}}}\' $n\n'
    )
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
    }


def test_an_exec_plugin_runs_again_when_its_token_has_expired(tmp_path: Path) -> None:
    user = exec_plugin(tmp_path, "2001-01-01T00:00:00Z")
    source = read(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", user))
    first = int(bearer(source).removeprefix("Bearer token-"))
    assert int(bearer(source).removeprefix("Bearer token-")) > first


def test_an_exec_plugin_runs_again_on_demand_only_while_its_token_holds(tmp_path: Path) -> None:
    user = exec_plugin(tmp_path, "2999-01-01T00:00:00Z")
    source = read(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", user))
    assert (bearer(source), bearer(source)) == ("Bearer token-1", "Bearer token-1")
    source.reload(source.generation)
    assert bearer(source) == "Bearer token-2"


# How


def test_a_proxy_and_its_exceptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_kubeconfig(tmp_path / "config", "http://10.1.2.3:1", {}, **{"proxy-url": "http://127.0.0.1:3128"})
    assert read(path).endpoint.proxy == "http://127.0.0.1:3128"
    monkeypatch.setenv("NO_PROXY", "example.com,10.0.0.0/8")
    assert read(path).endpoint.proxy is None


def test_tls_names_authority_and_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("client")
    path = write_kubeconfig(
        tmp_path / "config",
        "https://127.0.0.1:1",
        {"client-certificate": str(certificate), "client-key": str(key)},
        **{
            "certificate-authority-data": base64.b64encode(authority.pem).decode(),
            "tls-server-name": "api.example.com",
        },
    )
    endpoint = read(path).endpoint
    assert endpoint.server_hostname == "api.example.com"
    assert endpoint.ssl_context is not None
    assert endpoint.ssl_context.verify_mode == ssl.CERT_REQUIRED
    assert len(endpoint.ssl_context.get_ca_certs()) == 1


def test_verification_is_off_only_where_the_kubeconfig_says_so(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", "https://127.0.0.1:1", {}, **{"insecure-skip-tls-verify": True})
    context = read(path).endpoint.ssl_context
    assert context is not None
    assert context.verify_mode == ssl.CERT_NONE


def test_a_kubeconfig_that_became_unreadable_leaves_the_old_credentials(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", {"token": "hunter2"})
    source = read(path)
    path.write_text("{")
    assert not source.reload(source.generation)
    assert bearer(source) == "Bearer hunter2"
