"""The Kubernetes side of the lab: etcd, the API server, its controllers, and the External Secrets Operator."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab.build import ensure
from tests.lab.certificates import Authority, Certificate, service_account_key
from tests.lab.kubeconfig import certificate_user, write_kubeconfig
from tests.lab.loopback import LOOPBACK, answers_200, free_port, new_session
from tests.lab.process import Process

Command = Sequence[str | Path]

# Who asked for what, with which answer; never a body. The stage before the answer would only double the lines.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True)
class AuditEvent:
    """One line of the API server's audit log."""

    user: str
    verb: str
    uri: str
    resource: str  # empty for a URL that is not of a resource, such as discovery
    group: str
    subresource: str
    namespace: str
    name: str
    code: int
    agent: str
    at: float  # when the request came in, Unix seconds


class Etcd(Process):
    """The API server's store; its data lies in the run's folder and is not synced to disk."""

    def __init__(self, folder: Path, name: str = "etcd") -> None:
        super().__init__(name, folder)
        self.port, self._peer_port = free_port(), free_port()
        self.address = f"http://{LOOPBACK}:{self.port}"
        self._session = new_session()

    def command(self) -> Command:
        peer = f"http://{LOOPBACK}:{self._peer_port}"
        return [
            ensure("etcd"),
            f"--data-dir={self.folder / self.name}",
            f"--listen-client-urls={self.address}",
            f"--advertise-client-urls={self.address}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def is_ready(self) -> bool:
        return answers_200(self._session, f"{self.address}/readyz")


class ApiServer(Process):
    """kube-apiserver with RBAC on, and an audit log of every request."""

    def __init__(self, folder: Path, etcd: Etcd, name: str = "kube-apiserver") -> None:
        super().__init__(name, folder)
        self._etcd = etcd
        self.port = free_port()
        self.address = f"https://{LOOPBACK}:{self.port}"
        self.certificates = folder / f"{name}-certificates"
        self.authority = Authority(self.certificates)
        self.service_account_key = service_account_key(self.certificates)
        self._server_certificate = self.authority.server("apiserver")
        self.admin = self.authority.client("lab-admin", "system:masters")
        self.audit_log = folder / f"{name}-audit.jsonl"
        self._audit_policy = folder / f"{name}-audit-policy.yaml"
        self._audit_policy.write_text(yaml.safe_dump(_AUDIT_POLICY))
        self._session = new_session()
        self._session.verify = str(self.authority.certificate)
        self._session.cert = (str(self.admin.certificate), str(self.admin.key))

    def command(self) -> Command:
        return [
            ensure("kube-apiserver"),
            f"--etcd-servers={self._etcd.address}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={self.port}",
            "--endpoint-reconciler-type=none",  # it would refuse to advertise a loopback address
            f"--tls-cert-file={self._server_certificate.certificate}",
            f"--tls-private-key-file={self._server_certificate.key}",
            f"--client-ca-file={self.authority.certificate}",
            "--authorization-mode=RBAC",
            f"--service-account-key-file={self.service_account_key}",
            f"--service-account-signing-key-file={self.service_account_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",  # nobody runs Pods here, and their accounts come late
            f"--audit-policy-file={self._audit_policy}",
            f"--audit-log-path={self.audit_log}",
            f"--cert-dir={self.certificates}",
        ]

    def is_ready(self) -> bool:
        return answers_200(self._session, f"{self.address}/readyz")

    def user(self, name: str) -> Certificate:
        """A client certificate with all rights, so that each of the lab's own parts has a name in the audit log."""
        return self.authority.client(name, "system:masters")

    def kubeconfig(self, path: Path, user: Mapping[str, str], address: str = "") -> Path:
        """Writes a kubeconfig for this server, or for a proxy in front of it at `address`."""
        authority = None if address.startswith("http:") else self.authority.certificate
        return write_kubeconfig(path, address or self.address, authority, dict(user))

    def audit_events(self, user: str = "") -> list[AuditEvent]:
        """What was asked so far, oldest first; of one user when named (`system:serviceaccount:<namespace>:<name>`).

        A watch shows at its start and again when it ends.
        """
        with self.audit_log.open() as log:
            events = [_audit_event(json.loads(line)) for line in log if line.endswith("\n")]
        return [event for event in events if user in ("", event.user)]


class ControllerManager(Process):
    """kube-controller-manager: the garbage collector, deletion of namespaces, Deployments, default ServiceAccounts."""

    def __init__(self, folder: Path, apiserver: ApiServer, name: str = "kube-controller-manager") -> None:
        super().__init__(name, folder)
        self._apiserver = apiserver
        self.port = free_port()
        user = certificate_user(apiserver.user(name))
        self._kubeconfig = apiserver.kubeconfig(folder / f"{name}.kubeconfig", user)
        self._certificate = apiserver.authority.server(name)
        self._session = new_session()
        self._session.verify = str(apiserver.authority.certificate)

    def command(self) -> Command:
        return [
            ensure("kube-controller-manager"),
            f"--kubeconfig={self._kubeconfig}",
            f"--service-account-private-key-file={self._apiserver.service_account_key}",
            f"--root-ca-file={self._apiserver.authority.certificate}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self._certificate.certificate}",
            f"--tls-private-key-file={self._certificate.key}",
        ]

    def is_ready(self) -> bool:
        return answers_200(self._session, f"https://{LOOPBACK}:{self.port}/healthz")


class Eso(Process):
    """The External Secrets Operator's controller; its CRDs must be there before it starts."""

    def __init__(self, folder: Path, apiserver: ApiServer, name: str = "external-secrets") -> None:
        super().__init__(name, folder)
        self._metrics_port, self._live_port = free_port(), free_port()
        self.metrics_address = f"{LOOPBACK}:{self._metrics_port}"
        user = certificate_user(apiserver.user(name))
        self._kubeconfig = apiserver.kubeconfig(folder / f"{name}.kubeconfig", user)
        self._session = new_session()

    def command(self) -> Command:
        return [
            ensure("external-secrets"),
            f"--metrics-addr={self.metrics_address}",
            f"--live-addr={LOOPBACK}:{self._live_port}",
            "--concurrent=4",
        ]

    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self._kubeconfig)}

    def is_ready(self) -> bool:
        return answers_200(self._session, f"http://{self.metrics_address}/metrics")


def _audit_event(line: dict[str, Any]) -> AuditEvent:
    reference = line.get("objectRef", {})
    return AuditEvent(
        user=line["user"].get("username", ""),
        verb=line["verb"],
        uri=line["requestURI"],
        resource=reference.get("resource", ""),
        group=reference.get("apiGroup", ""),
        subresource=reference.get("subresource", ""),
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        code=line.get("responseStatus", {}).get("code", 0),
        agent=line.get("userAgent", ""),
        at=datetime.datetime.fromisoformat(line["requestReceivedTimestamp"]).timestamp(),
    )
