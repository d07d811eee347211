"""Builds the lab's server binaries from their published Go modules, into the user's cache, once per change of a module file.

`python -m tests.lab.build` builds what `make test-lab` needs; names build only those; `--all` adds the extras that benchmarks
use; `--list` shows every name with its state. Versions are pinned by `modules/<module>/go.mod` and
`go.sum`, and a binary's file name carries a hash of them, so that a changed pin builds anew and an old checkout keeps its own.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

MODULES = Path(__file__).parent / "modules"
OLDEST_GO = (1, 26)


class BuildError(Exception):
    """A binary cannot be had; the message is one sentence that says why and what to do."""


@dataclass(frozen=True)
class Binary:
    """One binary: `package` is built in the module `modules/<module>`; `extra` ones are not needed by the tests."""

    name: str
    module: str
    package: str
    ldflags: str = ""
    extra: bool = False


def _kubernetes(command: str) -> Binary:
    # Without a version of its own the API server cannot tell which of its features are on, and refuses to start.
    version = "-X k8s.io/component-base/version.gitVersion=v1.37.2"
    return Binary(command, "kubernetes", f"k8s.io/kubernetes/cmd/{command}", version)


def _prometheus(command: str, project: str, version: str) -> Binary:
    stamp = f"-X github.com/prometheus/common/version.Version={version}"
    return Binary(command, project, f"github.com/prometheus/{project}/cmd/{command}", stamp)


BINARIES = {
    binary.name: binary
    for binary in (
        Binary("etcd", "etcd", "."),
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        Binary("external-secrets", "external-secrets", "github.com/external-secrets/external-secrets"),
        _prometheus("prometheus", "prometheus", "3.16.0"),
        _prometheus("promtool", "prometheus", "3.16.0"),
        _prometheus("alertmanager", "alertmanager", "0.31.1"),
        _prometheus("amtool", "alertmanager", "0.31.1"),
        _kubernetes("kubectl"),
        Binary("kube-state-metrics", "kube-state-metrics", "k8s.io/kube-state-metrics/v2", extra=True),
        Binary("helm", "helm", "helm.sh/helm/v4/cmd/helm"),
        Binary("kubeconform", "kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform"),
    )
}
NEEDED = tuple(name for name, binary in BINARIES.items() if not binary.extra)


def cache() -> Path:
    """The folder that holds what was built; outside the checkout, so that every checkout shares it."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "vault-eso-exporter"


def path_of(name: str) -> Path:
    """Where the binary `name` is once built (it need not be there yet)."""
    binary = BINARIES[name]
    return cache() / "bin" / f"{name}-{_fingerprint(binary.module, binary.package, binary.ldflags)}"


def ensure(name: str) -> Path:
    """The binary's path, built first where it is missing. Raises BuildError."""
    target = path_of(name)
    if target.exists():
        return target
    binary = BINARIES[name]
    with _locked():
        if target.exists():  # another run built it while we waited
            return target
        _require_go()
        print(f"building {name} (once; kept in {target.parent}) …", flush=True)
        begun = time.monotonic()
        unfinished = target.with_suffix(f".{os.getpid()}.part")
        try:
            flags = ["-mod=readonly", "-buildvcs=false", f"-ldflags=-s -w {binary.ldflags}".rstrip()]
            _go(binary.module, "build", *flags, "-o", str(unfinished), binary.package)
            unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)
        print(f"built {name} in {time.monotonic() - begun:.0f} s", flush=True)
    return target


class _ManifestLoader(yaml.SafeLoader):
    """Reads a plain `=` as text, as Kubernetes does; YAML 1.1 has a type of its own for it, which PyYAML knows and refuses."""


_ManifestLoader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_yaml_str)

CRDS = {
    "external-secrets": ("external-secrets", "config/crds/bases/*external-secrets.io_*.yaml"),
    "prometheus-operator": (
        "prometheus-operator",
        "example/prometheus-operator-crd/*_{alertmanagerconfigs,prometheusrules,podmonitors,prometheuses,servicemonitors}.yaml",
    ),
}
"""Where each project's CRD manifests lie: our module that pins its Go module, and the files in there ({a,b} is a or b)."""


def ensure_crds(project: str = "external-secrets") -> Path:
    """The folder of a project's CRD manifests (a key of CRDS), one JSON file each, taken from its Go module.

    They are another project's work, so they are read from the module cache and never committed; as JSON because the YAML is
    megabytes and every run reads it. Raises BuildError.
    """
    module, pattern = CRDS[project]

    def fill(source: Path, target: Path) -> None:
        head, _, rest = pattern.partition("{")
        words, _, tail = rest.rpartition("}")
        for word in words.split(","):
            for file in source.glob(f"{head}{word}{tail}"):
                definition = yaml.load(file.read_text(), _ManifestLoader)
                (target / f"{file.stem}.json").write_text(json.dumps(definition))

    return _from_module(module, f"crds-{_fingerprint(module, f'json {pattern}')}", fill)


def ensure_eso_chart() -> Path:
    """The folder of ESO's own Helm chart, taken from its Go module, without its dependencies. Raises BuildError.

    One of them cannot be had here, and none is switched on by default.
    """
    module = "external-secrets"

    def fill(source: Path, target: Path) -> None:
        shutil.copytree(source / "deploy" / "charts" / "external-secrets", target, dirs_exist_ok=True)
        (target / "Chart.lock").unlink(missing_ok=True)
        for file in target.rglob("*"):  # the module cache is read-only
            file.chmod(0o755 if file.is_dir() else 0o644)
        chart = yaml.safe_load((target / "Chart.yaml").read_text())
        chart.pop("dependencies", None)
        (target / "Chart.yaml").write_text(yaml.safe_dump(chart))

    return _from_module(module, f"chart-{_fingerprint(module, 'chart')}", fill)


def ensure_all_files() -> None:
    """Everything that the tests take from Go modules beside binaries. Raises BuildError."""
    for project in CRDS:
        ensure_crds(project)
    ensure_eso_chart()


def _from_module(module: str, name: str, fill: Callable[[Path, Path], None]) -> Path:
    """The folder `name` of the cache, made once by `fill(source, target)` from the folder of the module that is pinned."""
    target = cache() / name
    if target.exists():
        return target
    with _locked():
        if target.exists():
            return target
        _require_go()
        path = _MODULE_PATHS[module]
        _go(module, "mod", "download", path)
        source = Path(_go(module, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path).strip())
        unfinished = target.with_suffix(f".{os.getpid()}.part")
        unfinished.mkdir()
        fill(source, unfinished)
        unfinished.rename(target)
    return target


_MODULE_PATHS = {
    "external-secrets": "github.com/external-secrets/external-secrets",
    "prometheus-operator": "github.com/prometheus-operator/prometheus-operator",
}


def _fingerprint(module: str, *more: str) -> str:
    digest = hashlib.sha256()
    for file in sorted((MODULES / module).iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    digest.update("\0".join(more).encode())
    return digest.hexdigest()[:12]


@contextmanager
def _locked() -> Iterator[None]:
    """One build at a time on this machine: two would only fight for its cores, or write the same file."""
    (cache() / "bin").mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_go() -> None:
    oldest = ".".join(map(str, OLDEST_GO))
    what = f"the lab builds its servers with Go {oldest} or newer; install it (go.mod names the version) and run again"
    if shutil.which("go") is None:
        raise BuildError(f"no `go` command was found: {what}")
    said = subprocess.run(
        ["go", "env", "GOVERSION"], capture_output=True, text=True, check=False, env=_environment()
    ).stdout
    found = re.match(r"go(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GO:
        raise BuildError(f"`go` is {said.strip() or 'of an unknown version'}: {what}")


def _environment() -> dict[str, str]:
    # The machine's own proxy settings stay; what could change which source is built does not.
    return os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}


def _go(module: str, *arguments: str) -> str:
    """Runs go in a module's folder; returns its standard output."""
    done = subprocess.run(
        ["go", *arguments], cwd=MODULES / module, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise BuildError(f"`go {arguments[0]}` failed in {MODULES / module}; read what it says and run again:\n{tail}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.build", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all that make test-lab needs)")
    parser.add_argument("--all", action="store_true", help="also the extras, for benchmarks")
    parser.add_argument("--list", action="store_true", help="show every name, whether it is needed and whether built")
    chosen = parser.parse_args(arguments)
    if unknown := sorted(set(chosen.names) - set(BINARIES)):
        parser.error(f"unknown binary {unknown[0]}; --list shows the names")
    if chosen.list:
        for name, binary in BINARIES.items():
            state = "built" if path_of(name).exists() else "missing"
            print(f"{name:24} {'extra' if binary.extra else 'needed':7} {state:8} {path_of(name)}")
        return 0
    try:
        for name in chosen.names or (BINARIES if chosen.all else NEEDED):
            ensure(name)
        ensure_all_files()
    except BuildError as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
