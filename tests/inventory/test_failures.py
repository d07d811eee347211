"""What is kept of Events: the newest class of each failing ExternalSecret, however lists and watches come."""

from __future__ import annotations

import threading

import pytest

from exporter.inventory import failures
from exporter.inventory.failures import Failures
from exporter.kube.records import Failure


class Kept:
    """The store, with the ExternalSecrets that fail and a note of what was told to have changed."""

    def __init__(self) -> None:
        self.failing: set[tuple[str, str]] = set()
        self.changed: list[tuple[str, str]] = []
        self.store = Failures(
            threading.RLock(), lambda *key: key in self.failing, lambda *key: self.changed.append(key)
        )

    def tell(self, name: str, error: str = "dns", time: float = 100.0, namespace: str = "shop", uid: int = 1) -> None:
        self.store.apply("", Failure(namespace=namespace, name=name, uid=uid, error=error, time=time))

    def error(self, name: str, namespace: str = "shop") -> str:
        found = self.store.get(namespace, name)
        return found.error if found is not None else ""


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_a_repetition_is_no_change(kept: Kept) -> None:
    for time in (100.0, 110.0, 90.0):
        kept.tell("db", time=time)
    assert kept.changed == [("shop", "db")]
    kept.tell("db", "timeout", time=120.0)
    assert kept.changed == [("shop", "db")] * 2
    assert len(kept.store) == 1


def test_an_older_event_does_not_replace_a_newer_one(kept: Kept) -> None:
    kept.tell("db", "dns", time=100.0)
    kept.tell("db", "timeout", time=99.0)
    assert kept.error("db") == "dns"


def test_an_event_that_goes_takes_along_only_what_nobody_needs(kept: Kept) -> None:
    kept.failing = {("shop", "a.b")}
    kept.tell("a.b")
    kept.tell("c")
    for name in ("a.b.17f3a0", "c.17f3a0", "unknown.17f3a0", "nonsense"):
        kept.store.remove("", "shop", name)
    assert (kept.error("a.b"), kept.error("c")) == ("dns", "")


def test_a_list_drops_what_it_does_not_show_and_nobody_needs(kept: Kept) -> None:
    kept.failing = {("shop", "failing")}
    for name in ("failing", "shown", "gone"):
        kept.tell(name)
    kept.tell("elsewhere", namespace="other")
    listing = kept.store.begin_list("shop")
    listing.add([Failure(namespace="shop", name="shown", uid=1, error="timeout", time=200.0)])
    listing.keep("shop", "undecodable.17f3a0")
    listing.finish()
    assert [kept.error(name) for name in ("failing", "shown", "gone")] == ["dns", "timeout", ""]
    assert kept.error("elsewhere", "other") == "dns"


def test_a_list_that_fails_drops_nothing(kept: Kept) -> None:
    kept.tell("gone")
    kept.store.begin_list("").abandon()
    assert kept.error("gone") == "dns"


def test_a_scope_that_cannot_be_read_any_more_is_forgotten_and_told(kept: Kept) -> None:
    kept.tell("db")
    kept.tell("db", namespace="other")
    kept.changed.clear()
    kept.store.forget("shop")
    assert (kept.error("db"), kept.error("db", "other")) == ("", "dns")
    assert kept.changed == [("shop", "db")]
    kept.store.forget("")
    assert len(kept.store) == 0


def test_a_flood_of_events_about_nothing_is_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MOST", 50)
    kept.failing = {("shop", "real")}
    for index in range(200):
        kept.tell(f"made-up-{index}")
    assert len(kept.store) == 50
    kept.tell("real")
    assert kept.error("real") == "dns"
    assert len(kept.store) == 51
