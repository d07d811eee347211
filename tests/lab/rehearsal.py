"""The keybuzz system before its migration, on a lab that runs: what the walkthrough of docs/walkthrough-keybuzz.md finds there.

`python -m tests.lab.rehearsal dev` (or `prod`) takes the addresses from the environment that `.lab/env` sets, as the walkthrough's
own commands do. Values are random and pass through standard input and HTTP only.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests
import yaml

from tests.lab.loopback import TIMEOUT, new_session

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "examples" / "keybuzz"
MANIFESTS = EXAMPLE / "k8s" / "dev" / "external-secrets"

IN_VAULT: Mapping[str, tuple[str, ...]] = {
    "secret/data/keybuzz/smtp": ("from_email", "host", "password", "port", "username"),
    "secret/data/keybuzz/redis": ("password", "url"),
    "secret/data/keybuzz/litellm": ("database_url", "master_key", "openai_api_key"),
    "secret/data/observability/slack": ("webhook_url",),
    "secret/data/observability/pagerduty": ("routing_key",),
    "database/static-creds/keybuzz-api": ("username", "password"),
}
"""What Vault holds before the migration, by the path of its API. `database` is a KV v1 engine that stands in for the database engine."""


def made_by_hand(environment: str) -> list[dict[str, object]]:
    """The three Secrets as somebody made them, with random values; namespace, name and keys are those of the manifests."""
    made = []
    for file in sorted(MANIFESTS.glob("keybuzz-*.yaml")):
        one = yaml.safe_load(file.read_text())
        namespace = one["metadata"]["namespace"].removesuffix("-dev") + f"-{environment}"
        values = {item["secretKey"]: f"{environment}-{secrets.token_urlsafe(24)}" for item in one["spec"]["data"]}
        metadata = {"name": one["spec"]["target"]["name"], "namespace": namespace}
        made.append({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})
    return made


def kubectl(*arguments: str, stdin: str = "") -> None:
    """The kubectl on the PATH; its output is not shown. Raises CalledProcessError."""
    subprocess.run(["kubectl", *arguments], input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)


def put(session: requests.Session, path: str, keys: Sequence[str]) -> None:
    """Random values for these keys, in KV v1 or v2 as the path says."""
    values = {key: secrets.token_urlsafe(24) for key in keys}
    body = {"data": values} if "/data/" in path else values
    url = f"{os.environ['VAULT_ADDR']}/v1/{path}"
    session.post(
        url, json=body, headers={"X-Vault-Token": os.environ["VAULT_TOKEN"]}, timeout=TIMEOUT
    ).raise_for_status()


def prepare(environment: str) -> None:
    """Namespaces, the three Secrets made by hand, and for DEV what else was there: paths in Vault, the operator's account."""
    kubectl("apply", f"--filename={EXAMPLE / 'k8s' / environment / 'namespaces.yaml'}")
    if environment == "dev":
        session = new_session()
        for path, keys in IN_VAULT.items():
            put(session, path, keys)
        account = {"name": "external-secrets", "namespace": "external-secrets"}
        kubectl("apply", "-f-", stdin=json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}))
    for one in made_by_hand(environment):
        kubectl("create", "-f-", stdin=json.dumps(one))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.rehearsal", description=__doc__.split("\n")[0])
    parser.add_argument("environment", choices=("dev", "prod"))
    chosen = parser.parse_args(arguments)
    if not {"KUBECONFIG", "VAULT_ADDR", "VAULT_TOKEN"} <= os.environ.keys():
        print(
            "error: no lab is known here: start one with `python -m tests.lab.up` and source .lab/env", file=sys.stderr
        )
        return 1
    prepare(chosen.environment)
    print(f"{chosen.environment}: 3 Secrets made by hand")
    return 0


if __name__ == "__main__":
    sys.exit(main())
