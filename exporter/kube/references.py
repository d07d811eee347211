"""Finds the Secrets and ServiceAccounts that a spec names, wherever they stand in it."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.kube.records import SecretRef


def references(node: object, depth: int = 0) -> Iterator[tuple[str, SecretRef]]:
    """Every Secret and ServiceAccount that a provider's spec names, wherever it stands (reference §3.3, rule 6).

    A Secret reference is an object with `name` and `key` (a caProvider counts only with type Secret); a ServiceAccount
    is what stands under `serviceAccountRef`.
    """
    if depth > 12:
        return
    if isinstance(node, dict):
        name, namespace = node.get("name"), node.get("namespace")
        if isinstance(name, str) and name and isinstance(node.get("key"), str) and node.get("type") != "ConfigMap":
            yield "Secret", SecretRef(namespace if isinstance(namespace, str) else "", name)
        for key, value in node.items():
            if key == "serviceAccountRef" and isinstance(value, dict) and isinstance(value.get("name"), str):
                where = value.get("namespace")
                yield "ServiceAccount", SecretRef(where if isinstance(where, str) else "", value["name"])
            else:
                yield from references(value, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from references(value, depth + 1)
