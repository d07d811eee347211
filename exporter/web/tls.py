"""TLS as exporter-toolkit's `tls_server_config` describes it, in Python's terms."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from exporter.errors import ConfigError

#: Go's names of the cipher suites that exporter-toolkit takes, and OpenSSL's. Those of TLS 1.3 cannot be chosen, here as there.
CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
CIPHERS_13 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CLIENT_AUTH = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class TLSServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The section `tls_server_config`."""

    cert: str = ""
    key: str = ""
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    client_auth_type: str = ""
    client_allowed_sans: tuple[str, ...] | None = None
    cipher_suites: tuple[str, ...] = ()
    curve_preferences: tuple[str, ...] = ()
    min_version: Literal["TLS10", "TLS11", "TLS12", "TLS13"] = "TLS12"
    max_version: Literal["TLS10", "TLS11", "TLS12", "TLS13"] = "TLS13"
    prefer_server_cipher_suites: bool = True

    def on(self) -> bool:
        """Whether TLS is asked for, as exporter-toolkit decides it."""
        return any(
            (
                self.cert,
                self.key,
                self.cert_file,
                self.key_file,
                self.client_ca,
                self.client_ca_file,
                self.client_auth_type,
            )
        )

    def files(self, base: Path) -> list[Path]:
        """The files it names; relative ones stand beside the configuration file."""
        return [base / name for name in (self.cert_file, self.key_file, self.client_ca_file) if name]


def context(config: TLSServerConfig, base: Path) -> ssl.SSLContext:
    """What TLS connections are made with. Raises ConfigError with the reason."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    made.set_alpn_protocols(["http/1.1"])
    made.minimum_version, made.maximum_version = _versions(config)
    if config.prefer_server_cipher_suites:
        made.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    _ciphers(made, config.cipher_suites)
    _curves(made, config.curve_preferences)
    _certificate(made, config, base)
    _clients(made, config, base)
    return made


def allowed_san(sans: Sequence[str] | None, certificate: dict[str, object] | None) -> bool:
    """Whether a verified client certificate carries one of these alternative names (None: any will do)."""
    if sans is None:
        return True
    names = (certificate or {}).get("subjectAltName", ())
    assert isinstance(names, tuple)
    return any(value in sans for _, value in names)


def _versions(config: TLSServerConfig) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    for key, name in (("min_version", config.min_version), ("max_version", config.max_version)):
        if name not in VERSIONS:
            raise ConfigError(f"tls_server_config.{key}: {name} is broken and not spoken here; use TLS12 or TLS13")
    low, high = VERSIONS[config.min_version], VERSIONS[config.max_version]
    if low > high:
        raise ConfigError("tls_server_config: min_version is above max_version")
    return low, high


def _ciphers(made: ssl.SSLContext, names: Sequence[str]) -> None:
    for name in names:
        if name not in CIPHERS and name not in CIPHERS_13:
            raise ConfigError(
                f"tls_server_config.cipher_suites: {name} is not known, or not safe; known: {', '.join(CIPHERS)}"
            )
    chosen = [CIPHERS[name] for name in names if name in CIPHERS]
    if chosen:
        made.set_ciphers(":".join(chosen))


def _curves(made: ssl.SSLContext, names: Sequence[str]) -> None:
    for name in names:
        if name not in CURVES:
            raise ConfigError(f"tls_server_config.curve_preferences: {name} is not known; known: {', '.join(CURVES)}")
    if len(names) > 1:
        raise ConfigError("tls_server_config.curve_preferences: give one curve, or none for the usual choice")
    if names:
        made.set_ecdh_curve(CURVES[names[0]])


def _certificate(made: ssl.SSLContext, config: TLSServerConfig, base: Path) -> None:
    for name in ("cert", "key"):
        inline, file = getattr(config, name), getattr(config, f"{name}_file")
        if bool(inline) == bool(file):
            raise ConfigError(f"tls_server_config: give one of {name} and {name}_file")
    where = f"{config.cert_file or 'cert'} and {config.key_file or 'key'}"
    try:
        with _path(config.cert, base / config.cert_file) as cert, _path(config.key, base / config.key_file) as key:
            # An encrypted key would ask for its password on the terminal.
            made.load_cert_chain(cert, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise ConfigError(f"tls_server_config: cannot use {where}: {_reason(error)}") from None


def _clients(made: ssl.SSLContext, config: TLSServerConfig, base: Path) -> None:
    if config.client_auth_type not in CLIENT_AUTH:
        raise ConfigError(
            f"tls_server_config.client_auth_type: {config.client_auth_type} is not offered; "
            f"use {', '.join(name for name in CLIENT_AUTH if name)}"
        )
    made.verify_mode = CLIENT_AUTH[config.client_auth_type]
    ca = bool(config.client_ca or config.client_ca_file)
    if config.client_ca and config.client_ca_file:
        raise ConfigError("tls_server_config: give one of client_ca and client_ca_file")
    if made.verify_mode is ssl.CERT_NONE and ca:
        raise ConfigError("tls_server_config: a client CA needs client_auth_type RequireAndVerifyClientCert")
    if config.client_allowed_sans is not None and made.verify_mode is not ssl.CERT_REQUIRED:
        raise ConfigError("tls_server_config: client_allowed_sans needs client_auth_type RequireAndVerifyClientCert")
    if made.verify_mode is ssl.CERT_NONE:
        return
    try:
        if config.client_ca:
            made.load_verify_locations(cadata=config.client_ca)
        elif config.client_ca_file:
            made.load_verify_locations(cafile=base / config.client_ca_file)
        else:
            made.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"tls_server_config: cannot use {config.client_ca_file or 'client_ca'}: {_reason(error)}"
        ) from None


@contextlib.contextmanager
def _path(inline: str, file: Path) -> Iterator[Path]:
    """The file, or one that holds the inline text as long as needed: OpenSSL's binding reads certificates from files only."""
    if not inline:
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pem"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(inline)
        yield path


def _reason(error: Exception) -> str:
    """Why, in a few words and without content of the files."""
    if isinstance(error, ssl.SSLError):
        known = {
            "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
            "NO_START_LINE": "there is no PEM in it",
        }
        return known.get(error.reason or "", error.reason or "not usable PEM")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "not usable PEM"
