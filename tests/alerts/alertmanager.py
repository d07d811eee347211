"""The shipped Alertmanager configuration as Python sees it, and amtool, which judges it: Debian's (0.25) or the lab's."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from alerts.rules import alerts

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "alerts" / "alertmanager"
CONFIGURATION = FOLDER / "alertmanager.yaml"
TEAMS = FOLDER / "teams-receivers.yaml"
TEMPLATES = FOLDER / "templates"
RESOURCE = FOLDER / "alertmanagerconfig.yaml"

Alert = tuple[str, str]
"""Name and severity."""


def shipped_alerts() -> list[Alert]:
    """Every alert of alerts/rules.yaml, in its order, each once."""
    rules = [(name, rule["labels"]["severity"]) for name, made in alerts().items() for rule in made]
    return list(dict.fromkeys(rules))


def configuration(*, teams: bool = False) -> dict[str, Any]:
    """The example, templates named by their absolute path; with `teams` its chat receivers are those for Microsoft Teams."""
    document: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
    document["templates"] = [str(TEMPLATES / "*.tmpl")]
    if teams:
        others = {one["name"]: one for one in yaml.safe_load(TEAMS.read_text())["receivers"]}
        known = {one["name"] for one in document["receivers"]}
        assert others.keys() <= known, "teams-receivers.yaml replaces receivers of alertmanager.yaml, it adds none"
        document["receivers"] = [others.get(one["name"], one) for one in document["receivers"]]
        assert "slack_configs" not in json.dumps(document), "with Teams nothing goes to Slack"
        del document["global"]["slack_api_url_file"]
    return document


def with_receivers(document: Mapping[str, Any], receivers: list[dict[str, Any]]) -> dict[str, Any]:
    """The same routes to other receivers, which must have the same names; what only the old ones needed is left out."""
    changed = copy.deepcopy(dict(document))
    assert {one["name"] for one in receivers} == {one["name"] for one in changed["receivers"]}
    changed["receivers"] = receivers
    changed["global"] = {"resolve_timeout": changed["global"]["resolve_timeout"]}
    return changed


@dataclass(frozen=True)
class Amtool:
    """One build of amtool."""

    program: Path

    def run(self, *arguments: str | Path) -> str:
        """What it prints. Raises AssertionError with its words when it refuses."""
        done = subprocess.run(
            [self.program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"HOME": "/nonexistent"},
        )
        assert done.returncode == 0, f"amtool {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}"
        return done.stdout

    def check_config(self, file: Path) -> str:
        """The configuration and its templates are valid."""
        return self.run("check-config", file)

    def receivers(self, file: Path, labels: Mapping[str, str]) -> list[str]:
        """Names of the receivers that an alert with these labels goes to."""
        told = self.run(
            "config", "routes", "test", f"--config.file={file}", *(f"{key}={value}" for key, value in labels.items())
        )
        return [name for name in told.strip().split(",") if name]

    def render(self, template: str, data: Mapping[str, Any], folder: Path, *, html: bool = False) -> str:
        """A named template applied to a group of alerts (the data of Alertmanager's webhook)."""
        file = folder / "data.json"
        file.write_text(json.dumps(data))
        return self.run(
            "template",
            "render",
            f"--template.glob={TEMPLATES}/*.tmpl",
            f"--template.text={{{{ template {json.dumps(template)} . }}}}",
            f"--template.data={file}",
            f"--template.type={'html' if html else 'text'}",
        )
