"""Kubeconfig files, as JSON, which is YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_kubeconfig(path: Path, server: str, user: Mapping[str, Any], **cluster: Any) -> Path:
    """One cluster, one user, context `main`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "main", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "main", "user": dict(user)}],
        "contexts": [{"name": "main", "context": {"cluster": "main", "user": "main"}}],
        "current-context": "main",
    }
    path.write_text(json.dumps(config))
    return path
