"""A value that passes by in a text is in nothing that the exporter keeps, says or logs; copies in freed memory are counted."""

from __future__ import annotations

import contextlib
import gc
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import msgspec
import pytest

from exporter.demo.cluster import SimulatedCluster
from tests.app.planting import mark, plant
from tests.app.running import running
from tests.cli.running import Serve, eventually

COUNT = 50
MARKER = re.compile(rb"PLANTED-([a-z-]+)-\d{4}-VALUE")
PLACES = {"annotation", "es-annotation", "condition", "event", "store", "pushsecret", "clusterexternalsecret", "reason"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[SimulatedCluster]:
    with SimulatedCluster() as running:
        plant(running, COUNT)
        yield running


def reachable(root: object) -> Iterator[str | bytes | bytearray]:
    """Every text and every run of bytes that can be reached from an object: instances and closures, not code or classes."""
    seen: set[int] = set()
    waiting: list[object] = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | CodeType | BuiltinFunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            yield one
        elif isinstance(one, memoryview | msgspec.Raw):
            yield bytes(one)
        elif isinstance(one, FunctionType):
            waiting += [one.__closure__, one.__defaults__, one.__dict__]
        else:
            if isinstance(one, msgspec.Struct):  # those with gc=False tell no referents
                waiting += [getattr(one, field) for field in one.__struct_fields__]
            waiting += [other for other in gc.get_referents(one) if not _globals(other)]


def _globals(one: object) -> bool:
    return isinstance(one, dict) and "__builtins__" in one


def test_no_living_object_holds_it(cluster: SimulatedCluster, tmp_path: Path) -> None:
    with running(cluster.write_kubeconfig(tmp_path / "kubeconfig")) as app:
        assert eventually(lambda: app.render_once().count(b'problem="not_ready",error="template_error"') == COUNT)
        texts = list(reachable(app))
    held = [text.encode() if isinstance(text, str) else bytes(text) for text in texts]
    assert b"planted-7" in held, "the walk comes to the records"
    assert [found[0] for text in held if (found := MARKER.search(text))] == []


def test_the_walk_would_find_it() -> None:
    class Holder(msgspec.Struct, gc=False):
        text: Any

    def closure(text: str) -> Any:
        return lambda: text

    planted = mark("event", 1)
    for holder in (
        Holder(planted),
        {"a": [Holder((planted,))]},
        closure(planted),
        Holder(msgspec.Raw(planted.encode())),
    ):
        assert any(planted in (text if isinstance(text, str) else text.decode()) for text in reachable(holder))


def copies(pid: int) -> Counter[str]:
    """How often planted values stand in the writable memory of a process, by the place that they were planted in."""
    found: Counter[str] = Counter()
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if rights.startswith("rw") and "[v" not in line:
                memory.seek(start)
                with contextlib.suppress(OSError):  # given back to the system meanwhile
                    found.update(place.decode() for place in MARKER.findall(memory.read(end - start)))
    return found


def events(running: Serve) -> float:
    """How many watch events have come."""
    lines = re.findall(r"^eso_exporter_watch_events_total\{.*\} (.*)$", running.get("/metrics")[1], re.MULTILINE)
    return sum(map(float, lines))


def test_what_it_says_and_what_stays_in_freed_memory(cluster: SimulatedCluster, tmp_path: Path) -> None:
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    arguments = ("--web.listen-address=127.0.0.1:0", "--vault.discover=off", "--log.level=debug")
    with Serve("--kubeconfig", str(kubeconfig), *arguments) as running:
        running.listening()
        assert eventually(lambda: running.get("/metrics")[1].count('error="template_error"') >= COUNT)
        said = {page: running.get(page)[1] for page in ("/metrics", "/", "/-/ready", "/none")}
        left = copies(running.process.pid)
        before = events(running)
        plant(cluster, COUNT)
        assert eventually(lambda: events(running) >= before + 5 * COUNT)  # all but those of Secrets, which are the same
        after_events = copies(running.process.pid)
        said["log"] = "".join(running.lines)
    assert "planted-7" in said["/metrics"]
    assert [name for name, text in said.items() if MARKER.search(text.encode())] == []
    assert left.total() <= COUNT * len(PLACES) // 50
    # Lines of less than 1 kB, as these are, leave copies where allocators keep small pieces for reuse.
    assert after_events.total() <= COUNT * len(PLACES) // 10
    assert not {"annotation", "es-annotation", "condition"} & set(after_events), "longer lines leave none"
