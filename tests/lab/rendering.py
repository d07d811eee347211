"""What Helm and Kustomize make of deploy/: objects as dictionaries, and how a test says what they must hold."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.lab.build import ensure
from tests.lab.servers import ROOT

Object = dict[str, Any]

CHART = ROOT / "deploy" / "helm" / "vault-eso-exporter"
KUSTOMIZE = ROOT / "deploy" / "kustomize"
OPERATOR = "monitoring.coreos.com/v1"


class RefusedError(RuntimeError):
    """Helm or Kustomize ended with an error; the message is what it says."""


def run(command: Iterable[str | Path], stdin: str = "") -> str:
    """Runs a command; returns its standard output. Raises RefusedError with its standard error."""
    done = subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise RefusedError(done.stderr.strip())
    return done.stdout


def helm(*arguments: str | Path, stdin: str = "") -> str:
    """Runs the real helm."""
    return run([ensure("helm"), *arguments], stdin)


def template(
    values: Object, release: str = "test", namespace: str = "monitoring", apis: Iterable[str] = (OPERATOR,)
) -> list[Object]:
    """The objects of the chart with these values, on a cluster that serves `apis`."""
    served = [f"--api-versions={one}" for one in apis]
    command = ["template", release, CHART, f"--namespace={namespace}", *served, "--values=-"]
    return objects_of(helm(*command, stdin=yaml.safe_dump(values)))


def kustomize(folder: Path) -> list[Object]:
    """The objects of a kustomization."""
    return objects_of(run([ensure("kubectl"), "kustomize", folder]))


def objects_of(text: str) -> list[Object]:
    """The objects of a stream of YAML documents."""
    # By libyaml: five dashboards are megabytes, which PyYAML's own parser reads for seconds.
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]


def holds(actual: Any, expected: Any) -> bool:
    """Whether everything of `expected` is in `actual`: keys of mappings, items of lists in any order, lines of a long text."""
    match expected:
        case dict():
            return isinstance(actual, dict) and all(
                key in actual and holds(actual[key], value) for key, value in expected.items()
            )
        case list():
            return isinstance(actual, list) and all(any(holds(one, item) for one in actual) for item in expected)
        case str() if isinstance(actual, str) and "\n" in actual:
            return expected in actual
    return bool(actual == expected)


def select(objects: Iterable[Object], what: str) -> list[Object]:
    """The objects of a kind: `Role`, or `Role secrets` for those of them that hold the word."""
    kind, _, word = what.partition(" ")
    return [one for one in objects if one["kind"] == kind and word in yaml.dump(one, Dumper=yaml.CSafeDumper)]


def only(objects: Iterable[Object], what: str) -> Object:
    """The one object that `select` finds."""
    [found] = select(objects, what)
    return found
