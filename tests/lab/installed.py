"""The exporter as an installed Deployment would run it: its arguments, environment and mounted files, as the account of its pod.

There is no kubelet in the lab. What one would do is done here: volumes are read from the API server and written where the
container mounts them (below a folder of the test), and the account's token is put into a kubeconfig.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import Exporter
from tests.lab.loopback import answers_200
from tests.lab.rendering import Object
from tests.lab.servers import ROOT
from tests.lab.waiting import wait_until

Container = dict[str, Any]


class Installed(Exporter):
    """The container `container` of a Deployment that the API server holds.

    `port` is where it listens. Its arguments are those of the Deployment, with the folder of its mounts in front of their paths,
    and `listen`, when given, in the place of an address that is not of the loopback (everything in the lab listens there).
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        deployment: Object,
        container: str = "exporter",
        *,
        port: int = 0,
        scheme: str = "http",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        pod = deployment["spec"]["template"]["spec"]
        namespace = deployment["metadata"]["namespace"]
        account = cluster.service_account_kubeconfig(folder / "account", namespace, pod["serviceAccountName"])
        super().__init__(folder, account, name=f"installed-{deployment['metadata']['name']}")
        [self.container] = [one for one in pod["containers"] if one["name"] == container]
        self._etc = folder / "mounts"
        if port:
            self.port = port
            self.target = f"127.0.0.1:{port}"
        self.address = f"{scheme}://{self.target}"
        self._session.verify = False
        for mount in self.container["volumeMounts"]:
            [volume] = [one for one in pod["volumes"] if one["name"] == mount["name"]]
            where = Path(f"{self._etc}{mount['mountPath']}")
            where.mkdir(parents=True)
            for name, content in _files(cluster, namespace, volume):
                (where / name).write_bytes(content)

    def command(self) -> Sequence[str | Path]:
        arguments = [one.replace("=/etc/", f"={self._etc}/etc/") for one in self.container["args"]]
        everywhere = "--web.listen-address=:10820"
        return [
            sys.executable,
            "-m",
            "exporter",
            *(f"--web.listen-address={self.target}" if one == everywhere else one for one in arguments),
        ]

    def environment(self) -> dict[str, str]:
        given = {one["name"]: one["value"] for one in self.container.get("env", ())}
        return {**super().environment(), **given, "KUBECONFIG": str(self._kubeconfig)}

    def answers_probe(self, name: str) -> bool:
        """Whether the container's own probe of this name would succeed."""
        if command := self.container[name].get("exec", {}).get("command"):
            python, script, *arguments = command
            assert (python, script) == ("/app/bin/python", "/app/bin/healthcheck")
            asked = [sys.executable, ROOT / "deploy" / "image" / "healthcheck", *arguments]
            return subprocess.run(asked, env=self.environment(), check=False).returncode == 0
        probe = self.container[name]["httpGet"]
        assert probe.get("scheme", "HTTP").lower() == self.address.partition(":")[0]
        return answers_200(self._session, f"{self.address}{probe['path']}")


def _files(cluster: Cluster, namespace: str, volume: Object) -> list[tuple[str, bytes]]:
    """The files of a volume, as a kubelet would write them."""
    if "projected" in volume:
        return [pair for source in volume["projected"]["sources"] for pair in _files(cluster, namespace, source)]
    if "configMap" in volume:
        found = cluster.get(objects.reference("v1", "ConfigMap", volume["configMap"]["name"], namespace))
        assert found, f"there is no ConfigMap {volume['configMap']['name']}"
        return [(name, text.encode()) for name, text in found.get("data", {}).items()]
    name = volume["secret"].get("secretName") or volume["secret"]["name"]
    found = cluster.get(objects.reference("v1", "Secret", name, namespace))
    assert found, f"there is no Secret {name}"
    return [(key, base64.b64decode(value)) for key, value in found["data"].items()]


def restricted(name: str) -> Object:
    """A namespace that takes only pods of the restricted Pod Security Standard."""
    return objects.namespace(name, {"pod-security.kubernetes.io/enforce": "restricted"})


def wait_pods(cluster: Cluster, deployment: Object, count: int = 1) -> list[Object]:
    """Waits until the controllers have made the Deployment's pods, which Pod Security would else refuse; returns them."""
    namespace = deployment["metadata"]["namespace"]
    wanted = deployment["spec"]["selector"]["matchLabels"].items()

    def pods() -> list[Object]:
        found = cluster.list("v1", "Pod", namespace)
        return [one for one in found if wanted <= one["metadata"].get("labels", {}).items()]

    def enough() -> list[Object] | None:
        found = pods()
        assert len(found) >= count, refused_pods(cluster, namespace)
        return found

    return wait_until(f"Deployment {deployment['metadata']['name']} has {count} pods", enough)


def refused_pods(cluster: Cluster, namespace: str) -> list[str]:
    """What the controllers were told when they could not make a pod."""
    return [one["message"] for one in cluster.list("v1", "Event", namespace) if one["reason"] == "FailedCreate"]
