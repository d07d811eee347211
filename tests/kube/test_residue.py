"""After Secrets were listed and watched, their annotations are not found in the memory of the process that read them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.demo import objects
from exporter.demo.cluster import SimulatedCluster
from exporter.kube import residue
from tests.kube.doubles import eventually
from tests.memory import OVERWRITTEN, copies

SECRETS, EVENTS = 200, 30
MARKER = re.compile(rb"MARKER-\d{4}-VALUE")

READER = """
import sys
from pathlib import Path
from tests.kube.doubles import Watched, eventually, thing_resource
with Watched(Path(sys.argv[1]), Path(sys.argv[2]), [thing_resource()], watch_timeout=60.0) as watched:
    watched.synced()
    Path(sys.argv[2], "listed").touch()
    eventually(lambda: "last" in watched.sinks["secrets"].names)
    Path(sys.argv[2], "watched").touch()
    sys.stdin.readline()
"""


def put(cluster: SimulatedCluster, name: str, number: int, length: int) -> None:
    manifest = json.dumps({"kind": "Secret", "data": {"a": f"MARKER-{number:04}-VALUE" + "x" * length}})
    cluster.apply(objects.secret("shop", name, annotations={objects.LAST_APPLIED: manifest}))


@pytest.mark.skipif(not OVERWRITTEN, reason="needs glibc")
@pytest.mark.parametrize("length", [0, 300, 600, 3000])
def test_annotations_do_not_stay_in_freed_memory(length: int, tmp_path: Path) -> None:
    """Of no length: pieces of memory go different ways by their size. An event stands alone in what is read at once."""
    with SimulatedCluster() as cluster:
        for number in range(SECRETS):
            put(cluster, f"s-{number}", number, length)
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, str(kubeconfig), str(tmp_path)],
            env={**os.environ, **residue.ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        try:
            eventually(lambda: (tmp_path / "listed").exists(), "listed", 60)
            listed = len(copies(reader.pid, MARKER))
            cluster.wait_for_watches("secrets")
            for number in range(EVENTS):
                put(cluster, f"e-{number}", SECRETS + number, length)
            cluster.apply(objects.secret("shop", "last"))
            eventually(lambda: (tmp_path / "watched").exists(), "watched", 60)
            assert (listed, len(copies(reader.pid, MARKER))) == (0, 0)
        finally:
            reader.communicate(b"\n", timeout=30)
