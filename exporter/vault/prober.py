"""Keeps asking every target: one thread for each, so that a frozen server never delays another one's answer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from exporter.config.settings import VaultSettings
from exporter.vault.configured import Target
from exporter.vault.health import Count, Observation, probe
from exporter.vault.servers import NotProbed, Selection
from exporter.vault.trust import TrustMemory

LOG = structlog.stdlib.get_logger(__name__)

FIRST_WITHIN = 0.5
"""Seconds within which all first probes begin."""
QUOTA_PAUSE = 60.0
"""Least seconds to keep away from a server whose quota refused us: behind one NAT address we could starve ESO."""
QUOTA_PAUSE_MAX = 900.0
"""Most seconds to keep away, whatever Retry-After says: a server must not make us blind for a day."""
LOGGED_SERVERS = 10

Probe = Callable[..., Observation]
Key = tuple[str, str]
"""(vault, node)"""


class Prober:
    """All probes of one exporter. Methods may be called from any thread.

    `on_change` is called after every new observation and after targets went, from the thread that noticed; it must be
    quick. `count` gets (vault, operation, code) of every request. `observations` holds current targets only.
    """

    def __init__(
        self,
        settings: VaultSettings,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.time,
        *,
        count: Count | None = None,
        ask: Probe = probe,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._clock = clock
        self._count = count
        self._ask = ask
        self._jitter = jitter
        self._lock = threading.Lock()
        self._workers: dict[Key, _Worker] = {}
        self._observations: dict[Key, Observation] = {}
        self._selection = Selection()
        self._told: tuple[NotProbed, ...] = ()
        self._running = False

    def start(self) -> None:
        """Begin to probe what `set_targets` named, now or later."""
        with self._lock:
            self._running = True
            for worker in self._workers.values():
                worker.start()

    def stop(self, timeout: float = 0.0) -> None:
        """End all probing; waits at most `timeout` seconds for probes under way, whose answers are dropped anyway."""
        with self._lock:
            self._running = False
            workers = list(self._workers.values())
        for worker in workers:
            worker.retire()
        deadline = time.monotonic() + timeout
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))

    def reload(self, settings: VaultSettings) -> None:
        """Take another interval and timeout from the next probes on. The targets change by `set_targets`."""
        with self._lock:
            self._settings = settings
            for worker in self._workers.values():
                worker.wake()

    def set_targets(self, selection: Selection) -> None:
        """Probe exactly these from now on. What a node that goes was last seen to say is forgotten at once.

        Tells in the log when servers that stores name are not probed, with the setting that would allow them.
        """
        wanted = {(target.vault, target.node): target for target in selection.targets}
        with self._lock:
            self._selection = selection
            gone = [worker for key, worker in self._workers.items() if wanted.get(key) != worker.target]
            for worker in gone:
                del self._workers[worker.key]
            # A node whose address or CA changed keeps its observation until the next one: no gap.
            forgotten = [key for key in self._observations if key not in wanted]
            for key in forgotten:
                del self._observations[key]
            for key, target in wanted.items():
                if key not in self._workers:
                    self._workers[key] = _Worker(self, target)
                    if self._running:
                        self._workers[key].start()
            news = selection.not_probed if selection.not_probed != self._told else ()
            self._told = selection.not_probed
        for worker in gone:
            worker.retire()
        if forgotten:
            self._notify()
        if news:
            _tell(news)

    @property
    def selection(self) -> Selection:
        """What `set_targets` was last given."""
        with self._lock:
            return self._selection

    def observations(self) -> dict[Key, Observation]:
        """The newest observation of every target that was asked already."""
        with self._lock:
            return dict(self._observations)

    def alive(self) -> bool:
        """Whether every thread that must live lives; true before the start and after the stop."""
        with self._lock:
            return not self._running or all(worker.alive for worker in self._workers.values())

    def _now(self) -> VaultSettings:
        with self._lock:
            return self._settings

    def _take(self, worker: _Worker, seen: Observation) -> bool:
        """Keep what a worker saw, unless its target went meanwhile."""
        with self._lock:
            if not self._running or self._workers.get(worker.key) is not worker:
                return False
            self._observations[worker.key] = seen
        self._notify()
        return True

    def _notify(self) -> None:
        try:
            self._on_change()
        except Exception:
            LOG.exception("vault observations could not be passed on")


class _Worker:
    """The thread of one target: its first probe at once, the second somewhere within the interval, then at a fixed pace,
    so that the probes of all targets stay spread."""

    def __init__(self, prober: Prober, target: Target) -> None:
        self.target = target
        self.key = (target.vault, target.node)
        self._prober = prober
        self._retired = False
        self._woken = threading.Event()
        self._memory = TrustMemory()
        self._state: _State | None = None
        self._thread = threading.Thread(target=self._run, name=f"vault {target.vault} {target.node}", daemon=True)

    def start(self) -> None:
        if not self._thread.ident:
            self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def wake(self) -> None:
        """The settings changed: a wait that counts by the old interval is counted anew."""
        self._woken.set()

    def retire(self) -> None:
        """End after the probe under way."""
        self._retired = True
        self._woken.set()

    def join(self, timeout: float) -> None:
        if self._thread.ident:
            self._thread.join(timeout)

    def _run(self) -> None:
        jitter = self._prober._jitter
        goes_on = self._wait(time.monotonic(), 0.0, FIRST_WITHIN * jitter())
        share = 0.5 + jitter() / 2
        while goes_on:
            began = time.monotonic()
            goes_on = self._wait(began, share, self._once())
            share = 1.0

    def _wait(self, began: float, share: float, least: float) -> bool:
        """Wait until this share of the interval, and `least` seconds, after `began`; false when the worker is to end."""
        while not self._retired:
            pause = max(self._prober._now().interval * share, least)
            if not self._woken.wait(max(0.0, began + pause - time.monotonic())):
                return True
            self._woken.clear()
        return False

    def _once(self) -> float:
        """Probe once; gives the seconds that a quota wants us to keep away, 0 for none."""
        prober = self._prober
        try:
            seen = prober._ask(
                self.target, prober._now().timeout, prober._clock, memory=self._memory, count=prober._count
            )
        except Exception:
            LOG.exception("vault probe failed in the exporter itself", vault=self.target.vault, node=self.target.node)
            return 0.0
        if prober._take(self, seen):
            self._tell(seen)
        return quota_pause(seen)

    def _tell(self, seen: Observation) -> None:
        """One event when the state changes, none for every probe."""
        state = _State.of(seen)
        if state != self._state:
            event = "vault node first seen" if self._state is None else "vault node changed"
            say = LOG.info if state.good else LOG.warning
            say(
                event,
                vault=seen.vault,
                node=seen.node,
                address=seen.address,
                state=state.name,
                error=seen.error,
                detail=seen.detail,
            )
        self._state = state


def quota_pause(seen: Observation) -> float:
    """Seconds to keep away from a server after this observation; 0 when no quota refused us."""
    return 0.0 if seen.retry_after is None else min(max(seen.retry_after, QUOTA_PAUSE), QUOTA_PAUSE_MAX)


class _State(NamedTuple):
    """What a person calls the state of a node. An address that meets another node each time is just `serving`."""

    name: str
    error: str
    good: bool

    @classmethod
    def of(cls, seen: Observation) -> _State:
        if not seen.cause:
            return cls("active" if seen.configured_node else "serving", seen.error, True)
        standby = seen.cause == "no_active" and seen.configured_node
        return cls("standby" if standby else seen.cause, seen.error, standby)


def _tell(not_probed: tuple[NotProbed, ...]) -> None:
    for each in not_probed[:LOGGED_SERVERS]:
        LOG.warning("vault server of a store is not probed", server=each.server, state=each.state, hint=each.hint)
    if len(not_probed) > LOGGED_SERVERS:
        LOG.warning("more vault servers of stores are not probed", count=len(not_probed) - LOGGED_SERVERS)
