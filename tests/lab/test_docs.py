"""What the pages print for a cluster is taken by a real API server: manifests as they stand, and how to verify the exporter's rights."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import Block, blocks, pages
from tests.lab.build import ensure
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.servers import ROOT, Lab

EXAMPLE = ROOT / "deploy" / "examples" / "keybuzz"
NOT_SERVED = {"monitoring.coreos.com", "kustomize.config.k8s.io", "grafana.integreatly.org"}
"""Groups that the lab's API server does not know."""


def manifests(block: Block) -> list[dict]:
    found = [
        one for one in yaml.safe_load_all(block.text) if isinstance(one, dict) and {"apiVersion", "kind"} <= one.keys()
    ]
    return [one for one in found if one["apiVersion"].partition("/")[0] not in NOT_SERVED]


BLOCKS = [block for page in pages() for block in blocks(page) if block.language == "yaml" and manifests(block)]


def test_manifests_of_the_pages(cluster: Cluster) -> None:
    assert BLOCKS
    for block in BLOCKS:
        for one in manifests(block):
            if one["metadata"].get("namespace"):
                cluster.apply(
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one["metadata"]["namespace"]}}
                )
            cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f-", stdin=yaml.safe_dump(one))


@pytest.mark.parametrize("folder", ["cluster", "dev", "dev/external-secrets", "prod"])
def test_the_example_s_manifests_are_taken_strictly(cluster: Cluster, folder: str) -> None:
    objects = list(yaml.safe_load_all(cluster.kubectl("kustomize", str(EXAMPLE / "k8s" / folder))))
    for one in objects:
        if namespace := one["metadata"].get("namespace"):
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f-", stdin=yaml.safe_dump(one))
    assert objects


def test_the_example_s_values_fit_the_chart() -> None:
    chart = ROOT / "deploy" / "helm" / "vault-eso-exporter"
    rendered = subprocess.run(
        [ensure("helm"), "template", "x", chart, "--values", EXAMPLE / "exporter" / "values.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rendered.returncode == 0, rendered.stderr
    [config] = [
        one
        for one in yaml.safe_load_all(rendered.stdout)
        if one and one["kind"] == "ConfigMap" and "config.yaml" in one["data"]
    ]
    assert yaml.safe_load(config["data"]["config.yaml"])["owner"] == {"keys": ["team"]}


def test_how_to_verify_it_yourself(lab: Lab, cluster: Cluster, tmp_path: Path) -> None:
    rights, audit, planted = [block.text for block in blocks("docs/security.md") if block.language == "sh"]
    install_rbac(cluster)
    # Only what this exporter asks for: other tests use its account for what it may not do.
    before = lab.apiserver.audit_log.stat().st_size
    told = tmp_path / "audit.log"
    exporter = Exporter(tmp_path, cluster.service_account_kubeconfig(tmp_path / "kubeconfig", NAMESPACE, ACCOUNT))
    exporter.start()
    try:
        tools = tmp_path / "bin"
        tools.mkdir()
        (tools / "kubectl").symlink_to(ensure("kubectl"))
        environment = {
            "PATH": f"{tools}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "KUBECONFIG": str(cluster.kubeconfig),
            "AUDIT_LOG": str(told),
        }

        def run(text: str) -> list[str]:
            text = text.replace("localhost:10820", exporter.target)
            done = subprocess.run(["bash", "-c", text], env=environment, capture_output=True, text=True, check=False)
            return done.stdout.split("\n")[:-1]

        assert run(rights) == ["no"] * 4
        told.write_bytes(lab.apiserver.audit_log.read_bytes()[before:])
        did = {tuple(line.split()[1:]) for line in run(audit)}
        assert ("list", "secrets") in did
        assert {verb for verb, resource in did} <= {"list", "watch", "get"}
        assert {resource for verb, resource in did if verb == "get"} == {"discovery"}
        made, count, gone = run(planted)
        assert (made, count) == ("secret/planted created", "0")
        assert gone.startswith('secret "planted" deleted')
    finally:
        exporter.stop()
