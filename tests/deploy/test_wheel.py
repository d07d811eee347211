"""The wheel that `pipx install .` and `uvx --from .` make: it is built, installed into an environment of its own, and run."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from exporter import __version__
from tests.repo.tracked import ROOT, tracked


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    [file] = folder.glob("*.whl")
    return file


def test_it_holds_the_exporter_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {str(file.relative_to(ROOT)) for file in tracked() if file.is_relative_to(ROOT / "exporter")}
    assert ours <= names
    assert {
        name for name in names - ours if not name.startswith(f"vault_eso_exporter-{__version__}.dist-info/")
    } == set()


def test_it_runs_from_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    offline = ["--no-index", "--no-deps", "--quiet", "--disable-pip-version-check"]
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", *offline, str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert installed.returncode == 0, installed.stderr
    # Its dependencies are those of this environment, which the lock has pinned; nothing is fetched.
    library = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")})
    (Path(library) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    def run(*arguments: str) -> str:
        command = [str(tmp_path / "venv" / "bin" / "vault-eso-exporter"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert __version__ in run("version")
    assert 'eso_manual_secrets{namespace="keybuzz-api-dev"} 2' in run("demo", "--once")
    where = subprocess.run(
        [python, "-c", "import exporter.web.pages; print(exporter.web.pages.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(tmp_path) in where, "it is the installed one that ran"
