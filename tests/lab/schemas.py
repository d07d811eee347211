"""JSON schemas for kubeconform, made from what the lab's own API server says of its kinds (OpenAPI v3), CRDs included."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.lab.build import ensure
from tests.lab.rendering import Object, run

Schema = dict[str, Any]

GROUP_VERSIONS = (
    "v1",
    "apps/v1",
    "rbac.authorization.k8s.io/v1",
    "networking.k8s.io/v1",
    "policy/v1",
    "admissionregistration.k8s.io/v1",
    "apiextensions.k8s.io/v1",
    "monitoring.coreos.com/v1",
    "external-secrets.io/v1",
)
"""The kinds that deploy/ holds, and those of ESO's own chart."""


class Schemas:
    """The schemas of some group-versions (`v1`, `apps/v1`), written into `folder`. `ask(path)` is a GET on the API server."""

    def __init__(self, folder: Path, ask: Callable[[str], Schema], versions: Iterable[str]) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for version in versions:
            self._add(version, ask)

    def _add(self, version: str, ask: Callable[[str], Schema]) -> None:
        document = ask(f"/openapi/v3/{'apis' if '/' in version else 'api'}/{version}")
        schemas = document["components"]["schemas"]
        for schema in schemas.values():
            _close(schema)
        shared = f"{version.replace('/', '_')}.json"
        (self._folder / shared).write_text(json.dumps({"components": {"schemas": schemas}}))
        for name, schema in schemas.items():
            for kind in schema.get("x-kubernetes-group-version-kind", []):
                if f"{kind['group']}/{kind['version']}".removeprefix("/") == version:
                    suffix = f"{kind['group'].partition('.')[0]}-{kind['version']}".removeprefix("-")
                    reference = {"$ref": f"{shared}#/components/schemas/{name}"}
                    (self._folder / f"{kind['kind'].lower()}-{suffix}.json").write_text(json.dumps(reference))

    def complaints(self, objects: Iterable[Object]) -> list[str]:
        """What kubeconform, strictly, says against these objects; empty when all are valid. An unknown kind is a complaint."""
        command = [
            ensure("kubeconform"),
            "-strict",
            "-output=json",
            "-verbose",
            f"-schema-location={self._folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
            "-exit-on-error=false",
            "-",
        ]
        wanted = list(objects)
        said = json.loads(_answer(command, "\n---\n".join(map(json.dumps, wanted))))["resources"]
        assert len(said) == len(wanted), "kubeconform did not look at every object"
        return [f"{one['kind']} {one['name']}: {one['msg']}" for one in said if one["status"] != "statusValid"]


def _answer(command: list[str | Path], stdin: str) -> str:
    # It ends with 1 when something is invalid, and has said what on its standard output.
    return run(["sh", "-c", '"$@" || true', "sh", *command], stdin)


def _close(schema: Any) -> None:
    """Makes every object with named properties refuse other ones, as `kubectl --validate=strict` does."""
    match schema:
        case dict():
            open_ = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
            if isinstance(schema.get("properties"), dict) and not open_:
                schema["additionalProperties"] = False
            for part in schema.values():
                _close(part)
        case list():
            for part in schema:
                _close(part)
