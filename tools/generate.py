"""The generated files: `python -m tools.generate` writes them, `--check` says which are out of date.

One line of the table a file: its path and the function, `module:name`, that returns its text. The functions read nothing but
the code, so that the same commit always gives the same text.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]

GENERATED: dict[str, str] = {
    "alerts/prometheusrule.yaml": "alerts.generate:shipped_manifest",
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
}


def text(source: str) -> str:
    """What the function named `module:name` returns."""
    module, name = source.split(":")
    written: str = getattr(import_module(module), name)()
    return written


def outdated() -> list[str]:
    """The files whose text differs from what the code says."""
    return [path for path, source in GENERATED.items() if not _same(ROOT / path, text(source))]


def _same(file: Path, wanted: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == wanted


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare; returns the exit code."""
    stale = outdated()
    for path in stale:
        if arguments == ["--check"]:
            sys.stderr.write(f"{path} is out of date: run `make generate` and commit it\n")
        else:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text(GENERATED[path]), encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
