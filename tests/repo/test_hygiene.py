"""What every commit keeps: no address of a package registry, no binaries, the licence, folders that tell their job."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from urllib.parse import urlsplit

from exporter import __version__
from tests.repo.tracked import ROOT, texts, tracked

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Written in halves, since this file is tracked too.
PUBLIC_REGISTRIES = [
    first + second
    for first, second in (
        ("py", "pi.org"),
        ("files.python", "hosted.org"),
        ("proxy.gol", "ang.org"),
        ("sum.gol", "ang.org"),
        ("registry.np", "mjs.org"),
        ("registry.yarn", "pkg.com"),
        ("static.crates", ".io"),
    )
]


def registries_of_this_machine() -> set[str]:
    """Hosts of the package indexes that pip and Go use here."""
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    words = asked.stdout + " ".join(
        os.environ.get(name, "") for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "GOPROXY")
    )
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s'\",|]+", words)}
    return {host for host in hosts if host and host != "localhost"}


def test_no_file_names_a_package_registry() -> None:
    hosts = {*PUBLIC_REGISTRIES, *registries_of_this_machine()}
    named = [(path, host) for path, text in texts().items() for host in hosts if host in text]
    assert named == []


def test_locks_hold_neither_addresses_nor_options() -> None:
    for lock in ("requirements/runtime.txt", "requirements/dev.txt", "requirements/docs.txt"):
        lines = (ROOT / lock).read_text().splitlines()
        assert [
            line for line in lines if "://" in line or (line.lstrip().startswith("--") and "--hash=" not in line)
        ] == []


def test_no_binaries() -> None:
    pictures = ROOT / "docs" / "pictures"  # of the dashboards: tests/dashboards/test_pictures.py knows each of them
    found = [file for file in tracked() if b"\0" in file.read_bytes()[:8192]]
    assert [file for file in found if file.parent != pictures or file.suffix != ".png"] == []


def test_the_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert PROJECT["project"]["license-files"] == ["LICENSE"]


def test_one_version_everywhere() -> None:
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert PROJECT["project"]["version"] == __version__ == newest[1]


def test_every_package_tells_its_one_job() -> None:
    modules = [file for file in tracked() if file.suffix == ".py" and file.is_relative_to(ROOT / "exporter")]
    folders = {file.parent for file in modules}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
    assert [str(file) for file in modules if not ast.get_docstring(ast.parse(file.read_text()))] == []


def test_no_names_that_say_nothing() -> None:
    pattern = re.compile(r"(^|/)(utils?|helpers?|common|misc|manager)(\.py|/)")
    assert [path for path in texts() if pattern.search(path)] == []


def test_the_readme_and_contributing_name_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test", "test-lab", "check", "lab", "generate", "format", "lock", "help"} <= targets
    for page in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        named = re.findall(r"(?:^|`|step \S+ )make ([a-z][a-z-]*)", (ROOT / page).read_text(), re.MULTILINE)
        assert named, page
        assert set(named) <= targets, page


def test_links_between_pages_lead_somewhere() -> None:
    dead = []
    for path, text in texts().items():
        if path.endswith(".md"):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
                if "://" not in target and not ((ROOT / path).parent / target).exists():
                    dead.append((path, target))
    assert dead == []
