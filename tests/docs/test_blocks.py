"""Every fenced block of every page is of a language that has a check here; a block of any other language fails.

`sh` and `console` are commands (`console`: after a `$`, with what they say); those of our own that touch nothing outside this
process's reach are run, and what a `console` block shows must be what they say. `yaml` is told apart by its content: the exporter's
configuration, Kubernetes manifests, Prometheus', Alertmanager's, the chart's values. `text` is for pictures made of letters.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from exporter.config.load import check_file
from exporter.metrics.catalogue import FAMILIES
from exporter.web.webconfig import WebConfigFile
from tests.docs import shell
from tests.docs.blocks import Block, Command, blocks, pages, typed
from tests.docs.shell import WrongError
from tests.repo.tracked import ROOT

BLOCKS = [block for page in pages() for block in blocks(page)]
TYPED_ON_REAL_SERVERS = {"docs/walkthrough-keybuzz.md": "tests/lab/test_keybuzz.py"}
NAMES = {family.name for family in FAMILIES}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_block(block: Block, tmp_path: Path) -> None:
    check = LANGUAGES.get(block.language)
    assert check is not None, f"{block}: say what this block is (one of {', '.join(LANGUAGES)})"
    check(block, tmp_path)


# -- commands ---------------------------------------------------------------------------------------------------------


def check_sh(block: Block, folder: Path) -> None:
    shell.read_by_the_shell(block.text)
    for words in shell.commands(block.text):
        shell.check(words)
    for line in block.text.splitlines():
        if runnable(line):
            run(Command(line, ()), folder)


def check_console(block: Block, folder: Path) -> None:
    for command in typed(block):
        shell.read_by_the_shell(command.text)
        if block.page in TYPED_ON_REAL_SERVERS:
            continue
        for words in shell.commands(command.text):
            shell.check(words)
        if runnable(command.text):
            run(command, folder)
        else:
            assert not any(command.output), f"{block}: nothing proves what {command.text!r} is shown to say"


READ_ONLY = {
    ("version",),
    ("metrics",),
    ("demo", "--once"),
    ("config", "show"),
    ("config", "check"),
    ("--help",),
    ("--version",),
}
FILTERS = {"grep", "head", "sort", "tail", "wc", "cut", "uniq", "jq"}


def runnable(text: str) -> bool:
    """Whether a command line consists of commands of ours that only print, and of filters behind them."""
    if re.search(r"[<>$&;]|/etc/", text):
        return False
    parts = shell.commands(text)
    return bool(parts) and _prints(parts[0]) and all(words[0] in FILTERS for words in parts[1:])


def _prints(words: list[str]) -> bool:
    if words[:2] == ["make", "demo"]:
        return words[2:] == ["ARGS=--once"]
    if Path(words[0]).name != "vault-eso-exporter":
        return False
    return any(tuple(words[1 : 1 + len(one)]) == one for one in READ_ONLY) and not any("FILE" in word for word in words)


def run(command: Command, folder: Path) -> None:
    """Runs it in the root of the repository; what it says must be what the page shows (`…` stands for any text)."""
    tools = folder / "bin"
    if not tools.exists():
        tools.mkdir()
        exporter = tools / "vault-eso-exporter"
        exporter.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m exporter "$@"\n')
        exporter.chmod(0o755)
    path = f"{tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell_options = "set -o pipefail; " if "| head" not in command.text else ""
    done = subprocess.run(
        ["bash", "-c", shell_options + command.text],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, f"{command.text}: {done.stderr}"
    if any(command.output):
        said, shown = done.stdout.splitlines(), [line for line in command.output if line.strip()]
        for line in shown:
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert any(re.fullmatch(pattern, one) for one in said), (
                f"{command.text} says\n{done.stdout}\nand not\n{line}"
            )
        if "…" not in command.output:  # a line of its own: something is left out
            assert len(said) == len(shown), f"{command.text} says\n{done.stdout}"


# -- YAML -------------------------------------------------------------------------------------------------------------


def check_yaml(block: Block, folder: Path) -> None:
    documents = [one for one in yaml.safe_load_all(block.text) if one is not None]
    assert documents, f"{block}: nothing in it"
    file = folder / "block.yaml"
    file.write_text(block.text)
    if all(isinstance(one, dict) and "apiVersion" in one and "kind" in one for one in documents):
        for one in documents:
            check_manifest(one)
        return
    [document] = documents
    assert isinstance(document, dict), f"{block}: a list of what?"
    for keys, check in YAML:
        if keys & document.keys():
            check(file, document)
            return
    check_configuration(file)


def check_manifest(one: dict[str, Any]) -> None:
    """What every object must have; kinds of Kubernetes and ESO are asked of a real API server in tests/lab/test_manifests_in_docs.py."""
    assert re.fullmatch(r"([a-z0-9.-]+/)?v\d\w*", one["apiVersion"])
    assert one["kind"] == "Kustomization" or one["metadata"]["name"]


def check_configuration(file: Path) -> None:
    """The exporter's own configuration."""
    assert check_file(str(file)) == []


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}")
    return found


def check_with(*command: str) -> Callable[[Path, Any], None]:
    def check(file: Path, _: Any) -> None:
        asked = [program(command[0]), *command[1:], str(file)]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    return check


def check_values(file: Path, document: Any) -> None:
    """Values of the Helm chart: known ones, and below `config` the exporter's configuration."""

    def walk(here: Any, path: list[str]) -> None:
        if isinstance(here, dict) and here and path != ["config"]:
            for key, below in here.items():
                walk(below, [*path, key])
        else:
            shell.known_value(path)

    walk(document, [])
    if document.get("config"):
        file.write_text(yaml.safe_dump(document["config"]))
        check_configuration(file)


def check_web(file: Path, _: Any) -> None:
    """The file of --web.config.file; certificates it names need not be there to be read."""
    text = re.sub(r"(cert_file|key_file|client_ca_file): \S+", r"\1: /dev/null", file.read_text())
    if "tls_server_config" not in text:
        file.write_text(text)
        WebConfigFile(file)


YAML: list[tuple[set[str], Callable[[Path, Any], None]]] = [
    ({"scrape_configs", "rule_files"}, check_with("promtool", "check", "config")),
    ({"groups"}, check_with("promtool", "check", "rules")),
    ({"route", "receivers", "inhibit_rules"}, check_with("amtool", "check-config")),
    ({"basic_auth_users", "tls_server_config", "http_server_config"}, check_web),
    (
        set(yaml.safe_load((ROOT / "deploy/helm/vault-eso-exporter/values.yaml").read_text())) - {"vault", "web", "log"}
        if (ROOT / "deploy/helm/vault-eso-exporter/values.yaml").exists()
        else set(),
        check_values,
    ),
]
"""By a key that only this kind of file has."""


# -- the others -------------------------------------------------------------------------------------------------------


def check_promql(block: Block, _: Path) -> None:
    """One query a line; lines more deeply indented, or that begin with a closing bracket, go on."""
    queries = re.sub(r"\n(?=\s|\))", " ", re.sub(r"(?m)^#.*\n", "", block.text + "\n")).splitlines()
    assert queries
    for query in filter(str.strip, queries):
        promql_parser.parse(query)
        used = set(re.findall(r"\beso_[a-z0-9_]+", query))
        assert used <= NAMES | {f"{name}{end}" for name in NAMES for end in ("_count", "_sum", "_bucket")}, query


def check_hcl(block: Block, _: Path) -> None:
    """A policy of Vault."""
    rest = re.sub(
        r'(?s)path "[^"]+"\s*\{\s*capabilities = \[("[a-z]+"(, )?)+\]\s*\}', "", re.sub(r"#.*", "", block.text)
    )
    assert not rest.strip(), f"{block}: {rest}"


LANGUAGES: dict[str, Callable[[Block, Path], Any]] = {
    "sh": check_sh,
    "console": check_console,
    "yaml": check_yaml,
    "promql": check_promql,
    "hcl": check_hcl,
    "json": lambda block, _: json.loads(block.text),
    "text": lambda block, _: None,
}


# -- the checks can fail ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "vault-eso-exporter serve --no-such-flag",
        "vault-eso-exporter sever",
        "python -m exporter serve --web.listen-adress :1",
        "python -m tests.no_such_module",
        "make no-such-target",
        "kubectl apply -f deploy/no-such-file.yaml",
        "echo $(kubectl frobnicate)",
        "cat x | frobnicate",
        "docker run --rm vault-eso-exporter:0.1.0 serve --no-such-flag",
        "curl -s localhost:10820/no-such-page",
        "if [ -f x ]; then vault-eso-exporter sever; fi",
    ],
)
def test_a_command_that_would_fail_is_found(line: str) -> None:
    with pytest.raises(WrongError):
        check_sh(Block("x.md", 1, "sh", line), Path())


def test_a_block_without_a_language_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="say what this block is"):
        test_block(Block("x.md", 1, "", "make demo"), tmp_path)


@pytest.mark.parametrize(
    "text", ["judge: {overdue_graze: 1m}", "apiVersion: v1\nkind: Pod", "route: {receiver: nobody}"]
)
def test_yaml_with_a_mistake_is_found(text: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, KeyError)):
        check_yaml(Block("x.md", 1, "yaml", text), tmp_path)


def test_output_that_is_not_said_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="and not"):
        run(Command("vault-eso-exporter version", ("vault-eso-exporter 9.9.9",)), tmp_path)


def test_pages_typed_on_real_servers_have_their_test() -> None:
    for page, test in TYPED_ON_REAL_SERVERS.items():
        assert page in (ROOT / test).read_text()
