"""The whole lab: every server of a run, started together and stopped in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.lab import objects
from tests.lab.build import ensure_crds
from tests.lab.cluster import Cluster
from tests.lab.control_plane import ApiServer, ControllerManager, Eso, Etcd
from tests.lab.monitoring import Alertmanager, Prometheus
from tests.lab.openbao import POLICY_OF_ESO, OpenBao
from tests.lab.process import Process

ROOT = Path(__file__).parents[2]
ESO_NAMESPACE = "external-secrets"
VAULT_TOKEN = {"name": "vault-token", "namespace": ESO_NAMESPACE, "key": "token"}
"""Where the ClusterSecretStores find the token by which they log in."""


class Lab:
    """All servers of a run; each keeps its log in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.etcd = Etcd(folder)
        self.apiserver = ApiServer(folder, self.etcd)
        self.cluster = Cluster(self.apiserver, folder)
        self.controllers = ControllerManager(folder, self.apiserver)
        self.eso = Eso(folder, self.apiserver)
        self.openbao = OpenBao(folder)
        self.prometheus = Prometheus(folder)
        self.alertmanager = Alertmanager(folder)

    @property
    def processes(self) -> list[Process]:
        """In the order in which they depend on each other."""
        return [
            self.etcd,
            self.apiserver,
            self.controllers,
            self.openbao,
            self.eso,
            self.prometheus,
            self.alertmanager,
        ]

    def start(self) -> None:
        """Starts everything; on return every server is ready, ESO's CRDs are served and Vault's two engines are mounted."""
        # Processes are started from this thread (see Process: they die with the thread that started them), waited for together.
        self.etcd.start()
        for early in (self.apiserver, self.prometheus, self.alertmanager):
            early.spawn()
        self.openbao.start()
        self.openbao.mount("secret", version=2)
        self.openbao.mount("database", version=1)
        self.openbao.policy("eso", POLICY_OF_ESO)
        self.apiserver.wait_ready()
        self.controllers.spawn()
        install_crds(self.cluster)
        self.cluster.apply(objects.namespace(ESO_NAMESPACE))
        token = {VAULT_TOKEN["key"]: self.openbao.token("eso")}
        self.cluster.apply(objects.secret(ESO_NAMESPACE, VAULT_TOKEN["name"], token))
        self.eso.spawn()
        for process in self.processes:
            process.wait_ready()

    def stop(self) -> None:
        """Ends everything, in the other order, so that none complains of another's end. Logs stay.

        At once: nobody needs the data any more, and an API server that is asked waits for its clients' watches to end.
        """
        for process in reversed(self.processes):
            process.kill()


class BareCluster:
    """A second, smaller cluster: an API server without controllers and without ESO's CRDs."""

    def __init__(self, folder: Path) -> None:
        self.etcd = Etcd(folder, "bare-etcd")
        self.apiserver = ApiServer(folder, self.etcd, "bare-kube-apiserver")
        self.cluster = Cluster(self.apiserver, folder, "bare-admin")

    def start(self) -> None:
        """Starts both servers and waits until they are ready."""
        self.etcd.start()
        self.apiserver.start()

    def stop(self) -> None:
        """Ends both servers."""
        self.apiserver.kill()
        self.etcd.kill()


def manifests(path: Path) -> list[dict[str, Any]]:
    """The objects of a YAML file."""
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def install_crds(cluster: Cluster, project: str = "external-secrets") -> None:
    """Applies a project's CRDs (ESO's, or one of `build.CRDS`) and waits until the API server serves them."""
    definitions = [json.loads(file.read_bytes()) for file in sorted(ensure_crds(project).iterdir())]
    for definition in definitions:
        cluster.apply(definition)
    for definition in definitions:
        cluster.wait_for(definition, _established, what="is established")
    # Each is asked for once: an API server that has just learnt a kind may answer 404 or 429 for a moment.
    for spec in (definition["spec"] for definition in definitions):
        for version in spec["versions"]:
            if version["served"]:
                cluster.list(f"{spec['group']}/{version['name']}", spec["names"]["kind"])


def _established(definition: dict[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions", [])
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
