from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from exporter.config.settings import VaultSettings
from exporter.vault.configured import Target
from exporter.vault.observation import Observation
from exporter.vault.prober import Prober, quota_pause
from exporter.vault.servers import NotProbed, Selection
from tests.vault.faults import ACTIVE, SEALED, FaultServer, answering, serving, vault

PATIENCE = 30.0
FAST = VaultSettings(interval=0.01, timeout=5.0)
SLOW = VaultSettings(interval=3600.0, timeout=5.0)


def target(node: str, **more: Any) -> Target:
    return Target("main", node, f"http://{node}:8200", **more)


def selection(*targets: Target) -> Selection:
    return Selection(targets=targets)


def seen(of: Target, **more: Any) -> Observation:
    good = {"up": True, "initialized": True, "sealed": False, "standby": False}
    return Observation(of.vault, of.node, 1000.0, 0.1, address=of.address, **{**good, **more})


class Asked:
    """A probe that is not one: `asked` gets each target, `answer` makes the observation."""

    def __init__(self, answer: Callable[[Target], Observation] = seen) -> None:
        self.asked: queue.Queue[Target] = queue.Queue()
        self.answer = answer

    def __call__(self, of: Target, timeout: float, clock: Callable[[], float], **more: object) -> Observation:
        self.asked.put(of)
        return self.answer(of)

    def next(self) -> Target:
        return self.asked.get(timeout=PATIENCE)


class Changes:
    """Counts calls and lets a test wait for a state that a call brings."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.count = 0

    def __call__(self) -> None:
        with self._condition:
            self.count += 1
            self._condition.notify_all()

    def until(self, holds: Callable[[], bool]) -> None:
        with self._condition:
            assert self._condition.wait_for(holds, PATIENCE)


@pytest.fixture
def probers() -> Iterator[Callable[..., Prober]]:
    made: list[Prober] = []

    def make(settings: VaultSettings, on_change: Callable[[], None], **more: Any) -> Prober:
        made.append(Prober(settings, on_change, **{"jitter": lambda: 0.0, **more}))
        return made[-1]

    yield make
    for prober in made:
        prober.stop(PATIENCE)


Make = Callable[..., Prober]


def test_every_target_is_asked_again_and_again(probers: Make) -> None:
    asked, changes = Asked(), Changes()
    prober = probers(FAST, changes, ask=asked)
    prober.set_targets(selection(target("a"), target("b")))
    assert prober.observations() == {}
    prober.start()
    assert {asked.next().node for _ in range(20)} == {"a", "b"}
    changes.until(lambda: set(prober.observations()) == {("main", "a"), ("main", "b")})
    assert prober.observations()["main", "a"] == seen(target("a"))
    assert prober.alive()


def test_a_frozen_server_delays_no_other(probers: Make) -> None:
    release = threading.Event()

    def answer(of: Target) -> Observation:
        if of.node == "frozen":
            release.wait(PATIENCE)
        return seen(of)

    asked, changes = Asked(answer), Changes()
    prober = probers(FAST, changes, ask=asked)
    prober.set_targets(selection(target("frozen"), target("fine")))
    prober.start()
    nodes = [asked.next().node for _ in range(10)]
    assert nodes.count("frozen") == 1
    assert set(prober.observations()) == {("main", "fine")}
    release.set()
    changes.until(lambda: ("main", "frozen") in prober.observations())


def test_a_target_that_goes_is_forgotten_at_once_and_its_late_answer_dropped(probers: Make) -> None:
    entered, release = threading.Event(), threading.Event()
    calls = 0

    def answer(of: Target) -> Observation:
        nonlocal calls
        if of.node == "a":
            calls += 1
            if calls == 2:
                entered.set()
                release.wait(PATIENCE)
        return seen(of)

    changes = Changes()
    prober = probers(FAST, changes, ask=Asked(answer))
    prober.set_targets(selection(target("a"), target("b")))
    prober.start()
    assert entered.wait(PATIENCE)
    assert ("main", "a") in prober.observations()
    before = changes.count
    prober.set_targets(selection(target("b")))
    assert ("main", "a") not in prober.observations()
    assert changes.count > before
    release.set()
    changes.until(lambda: ("main", "b") in prober.observations() and changes.count > before + 5)
    assert set(prober.observations()) == {("main", "b")}
    assert calls == 2


def test_a_changed_target_keeps_its_observation_until_the_next(probers: Make) -> None:
    release = threading.Event()

    def answer(of: Target) -> Observation:
        if of.ca_pem:
            release.wait(PATIENCE)
            return seen(of, sealed=True)
        return seen(of)

    asked, changes = Asked(answer), Changes()
    prober = probers(SLOW, changes, ask=asked)
    prober.set_targets(selection(target("a")))
    prober.start()
    changes.until(lambda: bool(prober.observations()))
    prober.set_targets(selection(target("a", ca_pem=b"new")))
    assert asked.next().ca_pem == b""
    assert asked.next().ca_pem == b"new"
    assert prober.observations()["main", "a"].sealed is False
    release.set()
    changes.until(lambda: prober.observations()["main", "a"].sealed is True)


def test_the_same_selection_again_disturbs_nothing(probers: Make) -> None:
    asked, changes = Asked(), Changes()
    prober = probers(SLOW, changes, ask=asked)
    prober.set_targets(selection(target("a")))
    prober.start()
    changes.until(lambda: bool(prober.observations()))
    prober.set_targets(selection(target("a")))
    prober.set_targets(selection(target("a"), target("b")))
    changes.until(lambda: ("main", "b") in prober.observations())
    assert [asked.next().node, asked.next().node] == ["a", "b"]
    assert asked.asked.empty()


def test_a_reload_shortens_a_wait_under_way_but_not_that_of_a_quota(probers: Make) -> None:
    limited = target("limited")
    asked, changes = Asked(lambda of: seen(of, retry_after=0.0 if of == limited else None)), Changes()
    prober = probers(SLOW, changes, ask=asked)
    prober.set_targets(selection(limited, target("a")))
    prober.start()
    changes.until(lambda: len(prober.observations()) == 2)
    prober.reload(FAST)
    nodes = [asked.next().node for _ in range(10)]
    assert nodes.count("limited") == 1


@pytest.mark.parametrize(("retry_after", "pause"), [(None, 0), (0.0, 60), (9.0, 60), (120.0, 120), (1e9, 900)])
def test_how_long_a_quota_keeps_us_away(retry_after: float | None, pause: float) -> None:
    assert quota_pause(seen(target("a"), retry_after=retry_after)) == pause


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it kills one on purpose
def test_a_dead_thread_is_told(probers: Make) -> None:
    died = threading.Event()

    def die(of: Target) -> Observation:
        died.set()
        raise SystemExit

    prober = probers(FAST, Changes(), ask=Asked(die))
    assert prober.alive()
    prober.set_targets(selection(target("a")))
    assert prober.alive()
    prober.start()
    assert died.wait(PATIENCE)
    for worker in threading.enumerate():
        if worker.name == "vault main a":
            worker.join(PATIENCE)
    assert not prober.alive()
    prober.stop(PATIENCE)
    assert prober.alive()


def test_no_failure_of_others_ends_a_thread(probers: Make) -> None:
    calls = 0

    def fail(of: Target) -> Observation:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("a body that must not be told")
        return seen(of)

    def refuse() -> None:
        raise RuntimeError("the refresher is gone")

    asked = Asked(fail)
    prober = probers(FAST, refuse, ask=asked)
    prober.set_targets(selection(target("a")))
    with capture_logs() as logs:
        prober.start()
        for _ in range(5):
            asked.next()
    assert prober.alive()
    assert {log["event"] for log in logs} >= {
        "vault probe failed in the exporter itself",
        "vault observations could not be passed on",
    }
    assert "must not be told" not in str(logs)


def test_the_log_tells_changes_of_state_only(probers: Make) -> None:
    answers = [
        seen(target("a")),
        seen(target("a"), standby=True, leader_known=True),
        seen(target("a"), sealed=True, standby=True),
        seen(target("a"), sealed=True, standby=True, progress=1),
        msgspec.structs.replace(seen(target("a")), up=False, error="connect", detail="nothing listens there"),
        seen(target("a")),
    ]
    given = iter(answers)
    done = threading.Event()

    def answer(of: Target) -> Observation:
        try:
            return next(given)
        except StopIteration:
            done.set()
            return answers[-1]

    prober = probers(FAST, Changes(), ask=Asked(answer))
    prober.set_targets(selection(target("a")))
    with capture_logs() as logs:
        prober.start()
        assert done.wait(PATIENCE)
        prober.stop(PATIENCE)
    assert [(log["log_level"], log["event"], log["state"], log["error"]) for log in logs] == [
        ("info", "vault node first seen", "serving", ""),
        ("warning", "vault node changed", "sealed", ""),
        ("warning", "vault node changed", "unreachable", "connect"),
        ("info", "vault node changed", "serving", ""),
    ]
    assert logs[0]["address"] == "http://a:8200"


def test_the_log_tells_once_which_setting_would_allow_a_server(probers: Make) -> None:
    prober = probers(SLOW, Changes(), ask=Asked())
    left = tuple(NotProbed(f"https://v{n}", "not_allowed", f"allow it with --vault.allow=v{n}") for n in range(12))
    with capture_logs() as logs:
        prober.set_targets(Selection(not_probed=left))
        prober.set_targets(Selection(not_probed=left))
    assert len(logs) == 11
    assert (logs[0]["server"], logs[0]["hint"]) == ("https://v0", "allow it with --vault.allow=v0")
    assert logs[10]["count"] == 2


def test_it_sees_a_server_being_sealed(probers: Make) -> None:
    state = [ACTIVE]
    counted: list[tuple[str, str, str]] = []
    changes = Changes()

    def current(connection: Any, server: FaultServer) -> None:
        answering(vault(state[0]))(connection, server)

    with serving(current) as server:
        prober = probers(FAST, changes, count=lambda *each: counted.append(each))
        prober.set_targets(selection(Target("main", "entry", server.address)))
        prober.start()
        changes.until(lambda: bool(prober.observations()))
        assert prober.observations()["main", "entry"].cause == ""
        state[0] = SEALED
        changes.until(lambda: prober.observations()["main", "entry"].cause == "sealed")
        prober.stop(PATIENCE)
    assert ("main", "health", "200") in counted
