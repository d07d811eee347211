"""The exporter itself as a process of the lab: the real command, run as the account that `deploy/rbac.yaml` makes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.lab.cluster import Cluster
from tests.lab.loopback import LOOPBACK, TIMEOUT, answers_200, free_port, new_session
from tests.lab.process import Process
from tests.lab.servers import ROOT, manifests
from tests.lab.waiting import wait_until

RBAC = ROOT / "deploy" / "rbac.yaml"
NAMESPACE = ACCOUNT = "vault-eso-exporter"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
"""How the API server's audit log calls the exporter."""


@dataclass(frozen=True)
class Line:
    """One sample of an exposition."""

    name: str
    labels: Mapping[str, str]
    value: float


class Exporter(Process):
    """`vault-eso-exporter serve` on a free port, with debug logs; ready when `/-/ready` says so."""

    def __init__(
        self,
        folder: Path,
        kubeconfig: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        arguments: Iterable[str] = (),
        name: str = "exporter",
    ) -> None:
        super().__init__(name, folder)
        self.port = free_port()
        self.target = f"{LOOPBACK}:{self.port}"
        self.address = f"http://{self.target}"
        self._kubeconfig = kubeconfig
        self._configuration = folder / f"{name}.yaml"
        self._configuration.write_text(yaml.safe_dump(dict(settings or {})))
        self._arguments = list(arguments)
        self._session = new_session()

    def command(self) -> Sequence[str | Path]:
        return [
            sys.executable,
            "-m",
            "exporter",
            "serve",
            f"--kubeconfig={self._kubeconfig}",
            f"--config.file={self._configuration}",
            f"--web.listen-address={self.target}",
            "--log.format=json",
            "--log.level=debug",
            *self._arguments,
        ]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}

    def is_ready(self) -> bool:
        return answers_200(self._session, f"{self.address}/-/ready")

    def wait_serving(self) -> None:
        """Waits until it answers `/metrics`, ready or not."""
        wait_until(f"{self.name} serves", lambda: answers_200(self._session, f"{self.address}/metrics"))

    def get(self, path: str, accept: str = "") -> str:
        """The body of one of its pages, whatever the status."""
        headers = {"Accept": accept} if accept else {}
        return self._session.get(f"{self.address}{path}", headers=headers, timeout=TIMEOUT).text

    def status(self, path: str) -> int:
        """The status code of one of its pages."""
        return self._session.get(f"{self.address}{path}", timeout=TIMEOUT).status_code

    def lines(self, family: str = "", /, **labels: str) -> list[Line]:
        """The samples of its exposition now, of one family and with these labels when given."""
        found = []
        for one in text_string_to_metric_families(self.get("/metrics")):
            for sample in one.samples:
                if family in ("", sample.name) and labels.items() <= sample.labels.items():
                    found.append(Line(sample.name, sample.labels, sample.value))
        return found

    def wait_lines(self, family: str, /, *, timeout: float = 30.0, **labels: str) -> list[Line]:
        """Waits until there are samples of that family with these labels; returns them."""
        return wait_until(f"/metrics holds {family} {labels}", lambda: self.lines(family, **labels) or None, timeout)

    def wait_gone(self, family: str, /, *, timeout: float = 30.0, **labels: str) -> None:
        """Waits until there are no such samples."""
        wait_until(f"/metrics holds no {family} {labels}", lambda: not self.lines(family, **labels), timeout)


def install_rbac(cluster: Cluster) -> None:
    """Applies the shipped RBAC; the exporter's account may do from then on what a user's may, and no more."""
    cluster.apply(*manifests(RBAC))


def granted() -> set[tuple[str, str]]:
    """(group, resource) of everything that the shipped ClusterRole grants."""
    [role] = [one for one in manifests(RBAC) if one["kind"] == "ClusterRole"]
    return {(group, name) for rule in role["rules"] for group in rule["apiGroups"] for name in rule["resources"]}


def granted_verbs() -> set[str]:
    """The verbs of the shipped ClusterRole."""
    [role] = [one for one in manifests(RBAC) if one["kind"] == "ClusterRole"]
    return {verb for rule in role["rules"] for verb in rule["verbs"]}
