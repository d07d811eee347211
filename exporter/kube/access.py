"""Where the API server is and who we are: read through the `kubernetes` package, which is used for nothing else.

Its loaders know kubeconfig files, exec plugins, token files, client certificates, proxies and in-cluster accounts.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import structlog
import urllib3
from urllib3.util.ssl_ import create_urllib3_context

from exporter.config.settings import KubernetesSettings
from exporter.errors import ConfigError

log = structlog.get_logger(__name__)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_KUBECONFIG = Path("~/.kube/config")
RELOAD_AT_MOST_EVERY = 1.0  # seconds: many reflectors may see the same 401 at once, and an exec plugin is slow


class Endpoint(NamedTuple):
    """How to open a connection: one TLS context is shared by all of them."""

    host: str
    ssl_context: ssl.SSLContext | None
    server_hostname: str | None
    assert_hostname: Any
    proxy: str | None
    proxy_headers: dict[str, str] | None


class Access:
    """The endpoint and the credentials, both read again on demand.

    `load` fills a `kubernetes.client.Configuration`; it is called again by `reload`, so that a rotated token, client
    certificate or CA is found however the package caches it.
    """

    def __init__(self, load: Callable[[], Any], what: str) -> None:
        self._load = load
        self._what = what
        self._lock = threading.Lock()
        self._loaded_at = 0.0
        self._headers: dict[str, str] = {}
        self.generation = 0
        self._configuration = self._read()
        self._fingerprint = _fingerprint(self._configuration)
        self.endpoint = _endpoint(self._configuration)

    @classmethod
    def from_settings(cls, settings: KubernetesSettings) -> Access:
        """--kubeconfig or --context, else $KUBECONFIG, else the account of the pod we run in, else ~/.kube/config.

        Raises ConfigError with one sentence when there is none of them, or when the chosen one cannot be used.
        """
        path, context = settings.kubeconfig, settings.context
        default = DEFAULT_KUBECONFIG.expanduser()
        if path or context or os.environ.get("KUBECONFIG"):
            return cls(
                lambda: _kubeconfig(path, context), f"kubeconfig {path or os.environ.get('KUBECONFIG', default)}"
            )
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            return cls(_in_cluster, f"the pod's ServiceAccount ({SERVICE_ACCOUNT})")
        if default.exists():
            return cls(lambda: _kubeconfig(path, context), f"kubeconfig {default}")
        raise ConfigError(
            f"No way to a Kubernetes API server: this is not a pod and there is no {default}; "
            "give --kubeconfig FILE (and --context NAME), or run in the cluster"
        )

    def headers(self) -> tuple[int, dict[str, str]]:
        """The generation of the credentials and the headers that carry them. Call it for every request: the package's
        refresh hook reads a token file again every minute and runs an exec plugin again when its token has expired."""
        with self._lock:
            # A token file that is being replaced or a plugin that fails: the last headers may still do, and if they
            # do not, the API server will say so.
            with contextlib.suppress(Exception):
                self._headers = _auth_headers(self._configuration)
            return self.generation, self._headers

    def reload(self, seen: int) -> bool:
        """Read everything again, unless somebody did so since generation `seen`. False: too soon, or it cannot be read."""
        with self._lock:
            if self.generation != seen:
                return True
            if time.monotonic() - self._loaded_at < RELOAD_AT_MOST_EVERY:
                return False
            try:
                configuration = self._read()
                fingerprint = _fingerprint(configuration)
                if fingerprint != self._fingerprint:
                    self.endpoint = _endpoint(configuration)
                    self._fingerprint = fingerprint
            except (ConfigError, OSError) as error:
                log.warning("credentials could not be read again", source=self._what, error=type(error).__name__)
                return False
            self._configuration = configuration
            self.generation += 1
            return True

    def _read(self) -> Any:
        self._loaded_at = time.monotonic()
        try:
            configuration = self._load()
            self._headers = _auth_headers(configuration)
        except Exception as error:
            # The package raises whatever its parsers raise; its texts name keys and files, never tokens.
            raise ConfigError(
                f"Cannot use {self._what}: {_one_line(error)}; check the file, or choose another with --kubeconfig and --context"
            ) from error
        return configuration


def _kubeconfig(path: str, context: str) -> Any:
    from kubernetes import client, config

    if path and not Path(path).exists():
        raise FileNotFoundError("there is no such file")
    configuration: Any = client.Configuration()
    load: Any = config.load_kube_config
    load(
        config_file=path or os.environ.get("KUBECONFIG") or None,
        context=context or None,
        client_configuration=configuration,
        persist_config=False,
    )
    return configuration


def _in_cluster() -> Any:
    from kubernetes import client, config

    configuration: Any = client.Configuration()
    load: Any = config.load_incluster_config
    load(configuration)
    if not _auth_headers(configuration):
        # kubernetes 36.0.0 and 36.0.1 send no token (their issues 2582, 2584, 2591).
        raise ConfigError("the kubernetes package gives no token; version 36.0.3 or later is needed")
    return configuration


def _auth_headers(configuration: Any) -> dict[str, str]:
    settings = configuration.auth_settings().values()
    return {entry["key"]: entry["value"] for entry in settings if entry["in"] == "header" and entry["value"]}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _fingerprint(configuration: Any) -> str:
    """Changes when a connection has to be made in another way: the files' contents count, not their names."""
    digest = hashlib.sha256()
    for name in ("host", "proxy", "no_proxy", "verify_ssl", "tls_server_name", "assert_hostname"):
        digest.update(repr(getattr(configuration, name, None)).encode() + b"\0")
    for name in ("ssl_ca_cert", "cert_file", "key_file"):
        path = getattr(configuration, name, None)
        if path and Path(path).is_file():
            digest.update(Path(path).read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def _endpoint(configuration: Any) -> Endpoint:
    host = str(configuration.host).rstrip("/")
    proxy = getattr(configuration, "proxy", None) or None
    if proxy and _bypasses_proxy(host, getattr(configuration, "no_proxy", None)):
        proxy = None
    headers = getattr(configuration, "proxy_headers", None)
    return Endpoint(
        host=host,
        ssl_context=_ssl_context(configuration) if host.startswith("https") else None,
        server_hostname=getattr(configuration, "tls_server_name", None) or None,
        assert_hostname=getattr(configuration, "assert_hostname", None),
        proxy=proxy,
        proxy_headers=dict(headers) if headers else None,
    )


def _bypasses_proxy(host: str, no_proxy: str | None) -> bool:
    from requests.utils import should_bypass_proxies  # knows CIDR, which the standard library's does not

    return bool(should_bypass_proxies(host, no_proxy=no_proxy))


def _ssl_context(configuration: Any) -> ssl.SSLContext:
    context = create_urllib3_context()
    # Python 3.13 turned strict RFC 5280 checks on; cluster CAs of several distributions lack the key identifiers it wants.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if configuration.verify_ssl:
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = configuration.assert_hostname is not False
        if configuration.ssl_ca_cert:
            context.load_verify_locations(configuration.ssl_ca_cert)
        else:
            context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
