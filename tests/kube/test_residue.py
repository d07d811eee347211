"""After Secrets were listed and watched, their annotations are not found in the memory of the process that read them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from exporter.demo import objects
from exporter.demo.cluster import SimulatedCluster
from tests.kube.doubles import eventually

SECRETS = 200
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


def put(cluster: SimulatedCluster, name: str, number: int) -> None:
    manifest = json.dumps({"kind": "Secret", "data": {"a": f"MARKER-{number:04}-VALUE" + "x" * 600}})
    cluster.apply(objects.secret("shop", name, annotations={objects.LAST_APPLIED: manifest}))


def copies(pid: int) -> int:
    found = 0
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if rights.startswith("rw") and "[v" not in line:
                memory.seek(start)
                found += len(MARKER.findall(memory.read(end - start)))
    return found


def test_annotations_do_not_stay_in_freed_memory(tmp_path: Path) -> None:
    with SimulatedCluster() as cluster:
        for number in range(SECRETS):
            put(cluster, f"s-{number}", number)
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, str(kubeconfig), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        try:
            eventually(lambda: (tmp_path / "listed").exists(), "listed", 60)
            cluster.wait_for_watches("secrets")
            put(cluster, "last", SECRETS)
            eventually(lambda: (tmp_path / "watched").exists(), "watched", 60)
            # A live buffer of the connection may still hold the newest event.
            assert copies(reader.pid) <= SECRETS // 20
        finally:
            reader.communicate(b"\n", timeout=30)
