"""The builder of the lab's binaries: what it says when it cannot build, and when it builds anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import build
from tests.lab.servers import ROOT


def run(*arguments: str, cache: Path, path: str) -> subprocess.CompletedProcess[str]:
    """The command line with an empty cache and this PATH."""
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "PATH": path}
    command = [sys.executable, "-m", "tests.lab.build", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_without_go_it_says_what_to_install(tmp_path: Path) -> None:
    done = run("etcd", cache=tmp_path, path=str(tmp_path))

    assert done.returncode == 1
    assert done.stderr.startswith("error: no `go` command was found: ")
    assert "Go 1.26 or newer" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_old_go_is_refused_by_name(tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text(f"#!{shutil.which('sh')}\necho go1.25.9\n")
    go.chmod(0o755)

    done = run("etcd", cache=tmp_path, path=str(tmp_path))

    assert done.returncode == 1
    assert done.stderr.startswith("error: `go` is go1.25.9: ")
    assert len(done.stderr.splitlines()) == 1


def test_what_is_built_is_not_built_again(tmp_path: Path) -> None:
    # No go on the PATH: it would fail if it tried.
    for name in build.NEEDED:
        built = tmp_path / "vault-eso-exporter" / "bin" / build.path_of(name).name
        built.parent.mkdir(parents=True, exist_ok=True)
        built.touch()
    for folder in (*map(build.ensure_crds, build.CRDS), build.ensure_eso_chart()):
        (tmp_path / "vault-eso-exporter" / folder.name).mkdir()

    done = run(cache=tmp_path, path=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")


def test_a_changed_module_file_is_another_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = build.path_of("etcd")
    shutil.copytree(build.MODULES / "etcd", tmp_path / "etcd")
    monkeypatch.setattr(build, "MODULES", tmp_path)
    same = build.path_of("etcd")
    with (tmp_path / "etcd" / "go.mod").open("a") as file:
        file.write("// changed\n")

    assert same == before
    assert build.path_of("etcd") != before


def test_every_module_folder_is_of_use() -> None:
    built = {binary.module for binary in build.BINARIES.values()}
    read = {module for module, _ in build.CRDS.values()}
    assert built | read == {folder.name for folder in build.MODULES.iterdir()}


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    done = run("etdc", cache=tmp_path, path=str(tmp_path))

    assert done.returncode == 2
    assert "unknown binary etdc" in done.stderr
