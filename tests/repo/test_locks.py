"""The lock files are in step with pyproject.toml and with each other, pinned and hashed."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.repo.tracked import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["fast"]]
DEV = [*RUNTIME, *PROJECT["dependency-groups"]["dev"]]
DOCS = PROJECT["dependency-groups"]["docs"]


def entries(lock: str) -> dict[str, tuple[Requirement, int]]:
    """Each pinned requirement of a lock file by its name, with its number of hashes."""
    text = (ROOT / "requirements" / lock).read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            pin, *hashes = re.split(r"\s+--hash=", line.strip())
            requirement = Requirement(pin)
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest.strip()) for digest in hashes), requirement.name
            found[canonicalize_name(requirement.name)] = (requirement, len(hashes))
    return found


@pytest.mark.parametrize(("lock", "wanted"), [("runtime.txt", RUNTIME), ("dev.txt", DEV), ("docs.txt", DOCS)])
def test_every_dependency_is_pinned_within_its_bounds_and_hashed(lock: str, wanted: list[str]) -> None:
    pinned = entries(lock)
    for text in wanted:
        requirement = Requirement(text)
        locked, hashes = pinned[canonicalize_name(requirement.name)]
        (specifier,) = locked.specifier
        assert specifier.operator == "=="
        assert requirement.specifier.contains(Version(specifier.version)), text
        assert hashes > 0
    assert all(hashes > 0 for _, hashes in pinned.values())


def test_the_development_lock_holds_the_runtime_one() -> None:
    runtime = {name: str(requirement.specifier) for name, (requirement, _) in entries("runtime.txt").items()}
    dev = {name: str(requirement.specifier) for name, (requirement, _) in entries("dev.txt").items()}
    assert {name: dev.get(name) for name in runtime} == runtime


def test_the_lock_of_the_documentation_disturbs_no_other() -> None:
    """`make docs` installs it into the same virtual environment."""
    dev, docs = entries("dev.txt"), entries("docs.txt")
    both = dev.keys() & docs.keys()
    assert len(both) > 3
    assert {name: docs[name][0].specifier for name in both} == {name: dev[name][0].specifier for name in both}


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt"])
def test_nothing_that_a_pinned_package_needs_is_missing(lock: str) -> None:
    """tools/venv.sh resolves nothing, so what is missing here would be missing for everybody."""
    pinned = entries(lock)
    asked = 0
    for name, (locked, _) in pinned.items():
        if locked.marker and not locked.marker.evaluate():
            continue
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            pytest.fail(f"{name} is in {lock} but not installed")
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                (specifier,) = pinned[canonicalize_name(need.name)][0].specifier
                assert need.specifier.contains(Version(specifier.version), prereleases=True), f"{name} needs {need}"
                asked += 1
    assert asked > 20
