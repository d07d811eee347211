"""A value that passes by in a text is in nothing that the exporter keeps, says or logs; copies in freed memory are counted."""

from __future__ import annotations

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
from exporter.kube import residue
from tests.app.planting import mark, plant
from tests.app.running import running
from tests.cli.running import Serve, eventually
from tests.memory import OVERWRITTEN, copies

COUNT = 50
MARKER = re.compile(rb"PLANTED-([a-z-]+)-\d{4}-VALUE")


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


def left_in(running: Serve) -> Counter[str]:
    """How often planted values stand in its memory, by the place that they were planted in."""
    return Counter(found[1].decode() for found in copies(running.process.pid, MARKER))


def events(running: Serve) -> float:
    """How many watch events have come."""
    lines = re.findall(r"^eso_exporter_watch_events_total\{.*\} (.*)$", running.get("/metrics")[1], re.MULTILINE)
    return sum(map(float, lines))


def test_what_it_says_and_what_stays_in_freed_memory(cluster: SimulatedCluster, tmp_path: Path) -> None:
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    arguments = ("--web.listen-address=127.0.0.1:0", "--vault.discover=off", "--log.level=debug")
    with Serve("--kubeconfig", str(kubeconfig), *arguments, environ=residue.ENVIRONMENT) as running:
        running.listening()
        assert eventually(lambda: running.get("/metrics")[1].count('error="template_error"') >= COUNT)
        said = {page: running.get(page)[1] for page in ("/metrics", "/", "/-/ready", "/none")}
        left = left_in(running)
        before = events(running)
        plant(cluster, COUNT)
        assert eventually(lambda: events(running) >= before + 5 * COUNT)  # all but those of Secrets, which are the same
        after_events = left_in(running)
        said["log"] = "".join(running.lines)
    assert "planted-7" in said["/metrics"]
    assert [name for name, text in said.items() if MARKER.search(text.encode())] == []
    if OVERWRITTEN:
        # None was ever seen; what a thread is just reading when the memory is looked at may be one.
        assert left.total() <= 1
        assert after_events.total() <= 1
