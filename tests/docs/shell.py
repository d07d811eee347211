"""What a page types into a shell, checked without running it: every program is known, and what it is given exists."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import click
import yaml

from exporter.cli.run import root
from tests.repo.tracked import ROOT

_KEYWORDS = {
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "while",
    "until",
    "do",
    "done",
    "!",
    "{",
    "}",
    "time",
    "exec",
    "command",
}
_OPERATORS = re.compile(r"[|&;()<>]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")

TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
OURS = (
    "alerts/",
    "benchmarks/",
    "dashboards/",
    "deploy/",
    "docs/",
    "exporter/",
    "requirements/",
    "tests/",
    "tools/",
    ".ci/",
)
"""How the path of a file of this repository begins."""

PLAIN = frozenset(
    re.findall(
        r"\S+",
        """
        . [ awk bao base64 cat cd chmod chown column cp cut date diff echo env export false find git grep gzip head id install jq
        kill ls mkdir mktemp mv openssl pidof printf pwd read rm sed sleep sort sudo systemctl systemd-analyze systemd-sysusers
        tail tee test touch tr true umask uniq uv uvx vault wait wc which xargs pip pipx docker podman cosign exit set unset
        """,
    )
)
"""Programs that are not ours and take no word of ours; only the paths among their arguments are looked at."""


WRAPPERS = {"docker", "podman", "pipx", "sudo", "uvx"}
"""Programs that run another one: what follows the exporter's name (or its image's) is its command line."""


class WrongError(AssertionError):
    """A command that a reader could not type with success."""


def read_by_the_shell(text: str) -> None:
    """Raises WrongError for what bash cannot parse."""
    checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    if checked.returncode != 0:
        raise WrongError(checked.stderr)


def without_here_documents(text: str) -> str:
    """The text without the bodies of here-documents, which are data."""
    return re.sub(r"(<<-?\s*'?\"?(\w+)'?\"?[^\n]*\n).*?^\s*\2$", r"\1", text, flags=re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[list[str]]:
    """The simple commands of a piece of shell, as words; those within `$(…)` too. Variables and quotes stay as written."""
    text = re.sub(r"<<-?\s*['\"]?\w+['\"]?", "", without_here_documents(text)).replace("\\\n", " ")
    found: list[list[str]] = []
    for inner in re.findall(r"\$\(((?:[^()]|\([^()]*\))*)\)", text):
        found += commands(inner)
    for line in re.sub(r"\$\((?:[^()]|\([^()]*\))*\)", "$SUBSTITUTED", text).splitlines():
        reader = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
        reader.whitespace_split = True
        words: list[str] = []
        skip = False
        for word in [*reader, ";"]:
            if _OPERATORS.fullmatch(word):
                if {"<", ">"} & set(word):
                    skip = not word.endswith("&")
                    words = words[:-1] if words and words[-1].isdigit() else words
                    continue
                found, words = [*found, words], []
            elif skip:
                skip = False
            else:
                words.append(word)
    return [one for one in map(_bare, found) if one]


def _bare(words: list[str]) -> list[str]:
    while words and (words[0] in _KEYWORDS or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    return [] if words[:1] == ["for"] else words


def check(words: list[str]) -> None:
    """Raises WrongError when the program is unknown, or a flag, target, module, page or path it is given does not exist."""
    program, *arguments = words
    name = Path(program).name
    if name.startswith("python") and arguments[:1] == ["-m"]:
        _module(arguments[1:])
    elif name in CHECKED:
        CHECKED[name](arguments)
    elif program.startswith("./") or (program.startswith(OURS) and "/" in program):
        if not any(file.name == name for file in ROOT.glob(f"**/{name}") if ".venv" not in file.parts):
            raise WrongError(f"there is no script {program}")
    elif name not in PLAIN:
        raise WrongError(f"{program} is unknown: name it in tests/docs/shell.py, with a check of what it is given")
    if name in WRAPPERS:
        for n, argument in enumerate(arguments):
            if re.fullmatch(r"(\S*/)?vault-eso-exporter(:[\w.-]+)?", argument) and arguments[n - 1] not in (
                "-t",
                "--tag",
            ):
                _exporter(arguments[n + 1 :])
    for argument in arguments:
        path = argument.split("=", 1)[-1].removeprefix("@")
        if path.startswith(OURS) and "$" not in path and ":" not in path and not any(ROOT.glob(path.rstrip("/"))):
            raise WrongError(f"{program} is given {path}, which does not exist")


def _exporter(arguments: list[str]) -> None:
    """Parses the command line as click does, and runs nothing."""
    words = list(arguments)
    command: click.Command = root
    context = click.Context(root, info_name="vault-eso-exporter")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        below = command.get_command(context, name)
        if below is None:
            raise WrongError(f"vault-eso-exporter has no command {name}")
        command, context = below, click.Context(below, parent=context, info_name=name)
    if {"-h", "--help", "--version"} & set(words):
        return
    try:
        command.make_context(command.name, words, parent=context.parent)
    except click.ClickException as error:
        raise WrongError(f"vault-eso-exporter {' '.join(arguments)}: {error.format_message()}") from error


def _make(arguments: list[str]) -> None:
    targets = [one for one in arguments if not one.startswith("-") and "=" not in one]
    if unknown := set(targets) - TARGETS:
        raise WrongError(f"make has no target {unknown}")


def _module(arguments: list[str]) -> None:
    module = arguments[0]
    if module == "exporter":
        _exporter(arguments[1:])
    elif module.split(".")[0] in ("tests", "tools", "benchmarks", "exporter", "alerts", "dashboards"):
        path = ROOT / module.replace(".", "/")
        if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists()):
            raise WrongError(f"there is no module {module}")
    elif module not in ("venv", "pip", "pytest", "build", "http.server"):
        raise WrongError(f"python -m {module} is unknown")


def _python(arguments: list[str]) -> None:
    if not arguments or arguments[0].startswith("-"):
        raise WrongError(f"python {arguments[:1]}: only modules and scripts are known")


def _first(*allowed: str) -> Callable[[list[str]], None]:
    """A check that the first word that is no flag (nor a flag's value) is one of these."""

    def look(arguments: list[str]) -> None:
        words = [word for word in arguments if not word.startswith("-")]
        if not set(words) & set(allowed):
            raise WrongError(f"none of {allowed} is in {arguments}")

    return look


def _curl(arguments: list[str]) -> None:
    urls = [word for word in arguments if "/" in word and not word.startswith(("-", "/", "X-", "Authorization"))]
    for url in urls:
        if "EXPORTER" in url or ":10820" in url:
            path = "/" + re.sub(r"^(https?://)?[^/]+/?", "", url).split("?")[0]
            if path not in ROUTES and not any(
                path.startswith(one) for one in ROUTES if one.endswith("/") and one != "/"
            ):
                raise WrongError(f"the exporter has no page {path}")


def _helm(arguments: list[str]) -> None:
    _first("install", "upgrade", "template", "lint", "test", "uninstall", "show", "repo", "get", "list", "status")(
        arguments
    )
    for flag, value in pairwise(arguments):
        if flag in ("--set", "--set-string", "--set-json"):
            for one in re.split(r",(?=[\w.]+=)", value):
                known_value(one.split("=")[0].split("."))


def known_value(path: list[str]) -> None:
    """Raises WrongError when the chart has no such value; below a mapping that is empty by default anything may stand."""
    here: object = yaml.safe_load((ROOT / "deploy/helm/vault-eso-exporter/values.yaml").read_text())
    for n, part in enumerate(path):
        part = re.sub(r"\[\d+\]$", "", part)
        if here in ({}, [], None) and n:
            return
        if not isinstance(here, Mapping) or part not in here:
            raise WrongError(f"the chart has no value {'.'.join(path)}")
        here = here[part]


ROUTES = {
    path
    for file in [*(ROOT / "exporter/app").glob("*.py"), *(ROOT / "exporter/web").glob("*.py")]
    for path in re.findall(r'"(/[\w/-]*)"', file.read_text())
}

KUBECTL = (
    "annotate apply auth cluster-info config create delete describe diff edit events exec explain get kustomize label logs patch "
    "port-forward replace rollout run scale set version wait api-resources proxy top"
)

CHECKED: dict[str, Callable[[list[str]], None]] = {
    "vault-eso-exporter": _exporter,
    "make": _make,
    "python": _python,
    "python3": _python,
    "curl": _curl,
    "helm": _helm,
    "kubectl": _first(*KUBECTL.split()),
    "promtool": _first("check", "test", "query"),
    "amtool": _first("check-config", "config", "alert", "silence", "template", "cluster"),
    "bash": lambda _: None,
    "sh": lambda _: None,
}
