"""Kubeconfig files for the lab's API server."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from tests.lab.certificates import Certificate


def certificate_user(certificate: Certificate) -> dict[str, str]:
    """The `user` of a kubeconfig that shows a client certificate."""
    return {
        "client-certificate-data": _encoded(certificate.certificate),
        "client-key-data": _encoded(certificate.key),
    }


def write_kubeconfig(path: Path, server: str, authority: Path | None, user: dict[str, str]) -> Path:
    """Writes a kubeconfig with one context, `lab`; `user` is `certificate_user(…)` or `{"token": …}`."""
    cluster = {"server": server}
    if authority is not None:
        cluster["certificate-authority-data"] = _encoded(authority)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "current-context": "lab",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document))
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
