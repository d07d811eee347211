"""What the Helm chart holds that is written elsewhere: values.schema.json, the table of its README, rules and dashboards.

Source of the schema: `deploy/helm/values.schema.yaml`, one line a value, and for `config` the exporter's own settings. Source of
the defaults: the chart's values.yaml. The test of the chart proves that both name the same values.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec.inspect as inspect
import yaml

from exporter.config.schema import SECTIONS, note, plain
from exporter.config.settings import Settings
from exporter.kube.resources import resources

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "helm" / "vault-eso-exporter"
LINES = ROOT / "deploy" / "helm" / "values.schema.yaml"
RBAC = ROOT / "deploy" / "rbac.yaml"
RULES = ROOT / "alerts" / "rules.yaml"
DASHBOARDS = ROOT / "dashboards" / "json"

DURATION = {"type": ["string", "number"], "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w|y)?)+$"}
MAP = {"type": "object", "additionalProperties": {"type": "string"}}
TEXTS = {"type": "array", "items": {"type": "string"}}
FREE = {"type": "object", "additionalProperties": True}

KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "flag": {"type": "boolean"},
    "number": {"type": "integer", "minimum": 0},
    "texts": TEXTS,
    "numbers": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
    "map": MAP,
    "object": FREE,
    "objects": {"type": "array", "items": FREE},
    "number-or-percent": {"type": ["integer", "string"], "pattern": "^([0-9]+%)?$"},
    "alerts": {
        "type": "object",
        "propertyNames": {"pattern": r"^Eso[A-Za-z]+(\.(critical|warning|info))?$"},
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "enabled": {"type": "boolean"},
                "for": DURATION,
                "keepFiringFor": DURATION,
                "severity": {"enum": ["critical", "warning", "info"]},
                "labels": MAP,
                "annotations": MAP,
            },
        },
    },
}
"""The JSON schema of each type that values.schema.yaml names; `config` and words with | are made by `_schema_of`."""

LIMITS: dict[str, dict[str, Any]] = {
    "port": {"minimum": 1, "maximum": 65535},
    "service.port": {"minimum": 1, "maximum": 65535},
    "image.digest": {"pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.repository": {"minLength": 1},
    "serviceMonitor.interval": {"pattern": "^([0-9]+(ms|s|m|h))*$"},
    "serviceMonitor.scrapeTimeout": {"pattern": "^([0-9]+(ms|s|m|h))*$"},
    "serviceMonitor.scheme": {"enum": ["", "http", "https"]},
    "fullnameOverride": {"maxLength": 63},
    "nameOverride": {"maxLength": 63},
}
"""What a value must keep to beside its type."""


def lines() -> dict[str, tuple[str, str]]:
    """(type, meaning) of each value by its path."""
    found = {}
    for line in LINES.read_text().splitlines():
        if match := re.fullmatch(r"([\w.]+): (\S*) — (.+)", line):
            found[match[1]] = (match[2], match[3])
        elif line and not line.startswith("#"):
            raise ValueError(f"{LINES.name}: cannot read {line!r}")
    return found


def schema() -> str:
    """The text of values.schema.json."""
    root: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of vault-eso-exporter",
        **_closed(),
    }
    # Helm hands the parent's `global` to every subchart, wanted or not.
    root["properties"]["global"] = {**FREE, "description": "Not read; here for charts that have this one as a part"}
    for path, (kind, meaning) in lines().items():
        place = root
        *parents, last = path.split(".")
        for parent in parents:
            place = place["properties"].setdefault(parent, _closed())
        place["properties"][last] = {"description": meaning, **_schema_of(kind), **LIMITS.get(path, {})}
    return json.dumps(root, indent=1, ensure_ascii=False) + "\n"


def readme() -> str:
    """The text of the chart's README."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = []
    for path, (kind, meaning) in lines().items():
        value: Any = defaults
        for part in path.split("."):
            value = value[part]
        shown = json.dumps(value, ensure_ascii=False) if value not in ("", [], {}) else ""
        must_be = kind.strip("|").replace("|", ", ") if "|" in kind else kind.replace("-", " ")
        rows.append(f"| `{path}` | {must_be} | {f'`{shown}`' if shown else ''} | {meaning} |")
    return _README + "\n".join(rows) + "\n"


def role_rules() -> list[dict[str, Any]]:
    """The rules of the ClusterRole in deploy/rbac.yaml, which is the one source of what the exporter may do."""
    [role] = [one for one in yaml.safe_load_all(RBAC.read_text()) if one["kind"] == "ClusterRole"]
    found: list[dict[str, Any]] = role["rules"]
    return found


def rbac() -> str:
    """The text of the chart's files/rbac.yaml: those rules, apart for cluster-wide kinds and for kinds in namespaces."""
    namespaced = {(one.group, one.name) for one in resources(Settings()) if one.namespaced}
    halves: dict[str, list[dict[str, Any]]] = {"cluster": [], "namespaced": []}
    for rule in role_rules():
        for half, wanted in (("cluster", False), ("namespaced", True)):
            [group] = rule["apiGroups"]
            names = [name for name in rule["resources"] if ((group, name) in namespaced) is wanted]
            if names:
                halves[half].append({**rule, "resources": names})
    return "# Generated from deploy/rbac.yaml by `make generate`; do not edit.\n" + yaml.dump(
        halves, Dumper=_Plain, sort_keys=False
    )


def rules() -> str:
    """The text of the chart's files/rules.yaml: the alerts as they are; the templates change them as the values say."""
    return RULES.read_text()


def dashboard(name: str) -> str:
    """The chart's copy of a dashboard, without line breaks: every release carries its chart in a Secret."""
    read = json.loads((DASHBOARDS / name).read_text())
    return json.dumps(read, separators=(",", ":"), ensure_ascii=False) + "\n"


class _Plain(yaml.SafeDumper):
    """Without anchors: what two rules have in common is written twice, for people."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Whatever it is."""
        return True


def _closed() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _schema_of(kind: str) -> dict[str, Any]:
    if kind == "config":
        return {**_closed(), "properties": {name: _of_type(section) for name, section in SECTIONS.items()}}
    if "|" in kind:
        return {"enum": kind.split("|")}
    return KINDS[kind]


def _of_type(kind: inspect.Type) -> dict[str, Any]:
    """The JSON schema of a type of the settings, as a person writes it in the file."""
    inner = plain(kind)
    match inner:
        case inspect.StructType():
            needed = [field.name for field in inner.fields if field.required]
            properties = {field.name: _of_type(field.type) for field in inner.fields}
            return {**_closed(), "properties": properties, **({"required": needed} if needed else {})}
        case inspect.VarTupleType():
            return {"type": "array", "items": _of_type(inner.item_type)}
        case inspect.DictType():
            return {"type": "object", "additionalProperties": _of_type(inner.value_type)}
        case inspect.LiteralType():
            return {"enum": list(inner.values)}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            limits = {"minimum": inner.ge, "maximum": inner.le}
            return {"type": "integer"} | {name: limit for name, limit in limits.items() if limit is not None}
        case inspect.FloatType():
            return DURATION if note(kind).get("unit") == "seconds" else {"type": "number"}
        case _:
            return {"type": "string"}


_README = """\
# The Helm chart

<!-- Generated from ../values.schema.yaml and values.yaml by `make generate`; do not edit. -->

```sh
helm install vault-eso-exporter deploy/helm/vault-eso-exporter --namespace vault-eso-exporter --create-namespace
```

No value is needed. What is usually set: the labels by which your Prometheus finds monitors and rules
(`serviceMonitor.labels`, `prometheusRule.labels`), your Grafana's address (`prometheusRule.dashboardUrl`), and under `config` the
name and the CA of each Vault. After the installation, Helm says how to see the first result, and which label your Prometheus misses.

Monitors and rules are made only where the cluster knows these kinds; `helm template` needs to be told:
`--api-versions monitoring.coreos.com/v1`. An unknown key is an error, also below `config`.

| value | must be | default | what it means |
|---|---|---|---|
"""
