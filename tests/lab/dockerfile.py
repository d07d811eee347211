"""A Dockerfile read and its steps executed without a container engine: each stage's root is a folder.

Absolute paths that the steps write to (the destinations of COPY, and what the file itself calls its own) are moved below the
stage's folder; commands run with the machine's own Python, which stands for the base image's. What the base image holds, users,
and the read-only root are not tried by this.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

OWN = ("/app", "/build")
"""The absolute paths that the image makes; any other one is the base image's."""


@dataclass
class Stage:
    """One FROM and what follows it: `steps` are (instruction, its text), `variables` what ARG and ENV give."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def all(self, instruction: str) -> list[str]:
        """The texts of one instruction."""
        return [text for word, text in self.steps if word == instruction]

    def list_form(self, instruction: str) -> list[str]:
        """The words of the last ENTRYPOINT, CMD or HEALTHCHECK. Raises ValueError when it would need a shell."""
        text = self.all(instruction)[-1]
        found: list[str] = json.loads(text[text.index("[") :])
        return found


def read(path: Path) -> list[Stage]:
    """The stages of a Dockerfile. Raises ValueError for an instruction before the first FROM other than ARG."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[Stage] = []
    defaults: dict[str, str] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word == "FROM":
            image, *alias = rest.split()
            stages.append(Stage(_expanded(image, defaults), alias[1] if alias else str(len(stages))))
            continue
        variables = stages[-1].variables if stages else defaults
        if word == "ARG":
            name, _, value = rest.partition("=")
            variables[name] = value
        elif word == "ENV":
            variables |= {
                name: _expanded(value, variables) for name, value in (one.split("=", 1) for one in shlex.split(rest))
            }
        if stages:
            stages[-1].steps.append((word, rest))
        elif word != "ARG":
            raise ValueError(f"{word} stands before the first FROM")
    return stages


def build(stages: list[Stage], context: Path, folder: Path) -> dict[str, Path]:
    """Executes COPY and RUN of every stage; returns each stage's folder. Raises RuntimeError for a step that fails."""
    ignored = _ignored(context)
    roots: dict[str, Path] = {}
    for stage in stages:
        root = roots[stage.name] = folder / stage.name
        root.mkdir(parents=True)
        for word, text in stage.steps:
            if word == "COPY":
                _copy(text, context, roots, root, ignored)
            elif word == "RUN":
                _run(moved(text, root), root)
    return roots


def moved(text: str, root: Path) -> str:
    """The text with the image's own absolute paths below `root`."""
    return re.sub(rf"(?<![\w./-])({'|'.join(OWN)})(?=[/\s\"']|$)", rf"{root}\1", text)


def _copy(text: str, context: Path, roots: dict[str, Path], root: Path, ignored: list[tuple[bool, str]]) -> None:
    words = shlex.split(text)
    source = context
    if words[0].startswith("--from="):
        source = roots[words.pop(0).removeprefix("--from=")]
    *names, destination = words
    target = root / destination.lstrip("/")
    for name in names:
        one = source / name.lstrip("/")
        if source == context and _is_ignored(name, ignored):
            raise RuntimeError(f"COPY {name}: .dockerignore keeps it from the builder")
        if one.is_dir():
            shutil.copytree(
                one, target, symlinks=True, dirs_exist_ok=True, ignore=_bytecode if source == context else None
            )
        else:
            place = target / one.name if destination.endswith("/") or len(names) > 1 else target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(one, place)


def _bytecode(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__" or name.endswith(".pyc")]


def _run(command: str, root: Path) -> None:
    words = shlex.split(command)
    if words[0] == "python":
        words[0] = sys.executable
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"RUN {command} failed: {done.stderr.strip()[-2000:]}")


def _ignored(context: Path) -> list[tuple[bool, str]]:
    lines = (context / ".dockerignore").read_text().splitlines()
    return [(not line.startswith("!"), line.lstrip("!").strip()) for line in lines if line.strip() and line[0] != "#"]


def _is_ignored(name: str, rules: list[tuple[bool, str]]) -> bool:
    """Whether the last rule that matches the path, or a folder above it, leaves it out."""
    path = Path(name)
    above = [str(one) for one in (path, *path.parents) if str(one) != "."]
    state = False
    for ignore, pattern in rules:
        if any(fnmatch.fnmatchcase(one, pattern.removeprefix("**/")) for one in above):
            state = ignore
    return state


def _expanded(text: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: variables.get(match[1], ""), text)
