"""The generated files: `python -m tools.generate` writes them, `--check` says which are out of date.

One line of the table a file: its path and the function, `module:name` (or `module:name argument`), that returns its text. The
functions read nothing but the code and files made before, so that the same commit always gives the same text.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]

GENERATED: dict[str, str] = {
    "alerts/prometheusrule.yaml": "alerts.generate:shipped_manifest",
    "docs/alerts.md": "alerts.document:render",
    "docs/configuration.md": "exporter.config.document:render",
    "docs/metrics.md": "exporter.metrics.document:metrics",
    "docs/problems.md": "exporter.metrics.document:problems",
    "dashboards/json/eso-overview.json": "dashboards.files:overview_json",
    "dashboards/json/eso-externalsecret.json": "dashboards.files:externalsecret_json",
    "dashboards/json/eso-migration.json": "dashboards.files:migration_json",
    "dashboards/json/eso-vault.json": "dashboards.files:vault_json",
    "dashboards/json/eso-exporter.json": "dashboards.files:exporter_json",
    "dashboards/kubernetes/configmaps.yaml": "dashboards.files:configmaps",
    "dashboards/kubernetes/grafanadashboards.yaml": "dashboards.files:grafana_dashboards",
    "deploy/sbom.cdx.json": "tools.sbom:render",
    "deploy/helm/vault-eso-exporter/README.md": "tools.chart:readme",
    "deploy/helm/vault-eso-exporter/values.schema.json": "tools.chart:schema",
    "deploy/helm/vault-eso-exporter/files/rbac.yaml": "tools.chart:rbac",
    "deploy/helm/vault-eso-exporter/files/rules.yaml": "tools.chart:rules",
    "deploy/kustomize/base/rbac.yaml": "tools.kustomize:rbac",
    "deploy/kustomize/components/sidecar/clusterrole.yaml": "tools.kustomize:role",
}
GENERATED |= {
    f"deploy/helm/vault-eso-exporter/files/dashboards/{file.name}": f"tools.chart:dashboard {file.name}"
    for file in sorted((ROOT / "dashboards" / "json").glob("*.json"))
}


def text(source: str) -> str:
    """What the function named `module:name` returns, called with the argument where there is one."""
    module, call = source.split(":")
    name, *arguments = call.split(" ")
    written: str = getattr(import_module(module), name)(*arguments)
    return written


def outdated() -> Iterator[str]:
    """The files whose text differs from what the code says, one at a time: one may be made of those before it."""
    return (path for path, source in GENERATED.items() if not _same(ROOT / path, text(source)))


def _same(file: Path, wanted: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == wanted


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare; returns the exit code."""
    stale = False
    for path in outdated():
        stale = True
        if arguments == ["--check"]:
            sys.stderr.write(f"{path} is out of date: run `make generate` and commit it\n")
        else:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text(GENERATED[path]), encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
