"""A notifier with its state and its metrics, as the tests of the whole road set it up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from exporter.config.settings import AlertmanagerSettings
from exporter.metrics.notify import NotifyCollector, NotifyCounters
from exporter.notify.evaluation import Outcome
from exporter.notify.notifier import Notifier
from exporter.notify.present import Present
from exporter.notify.wire import REASONS
from tests.notify.alertmanager import eventually
from tests.notify.road import Road


class Stage:
    """A notifier over a Road whose clock is the real one; `until` stands for the refresher's rounds. `doubles` have a `url`."""

    def __init__(self, *doubles: Any, **settings: Any) -> None:
        self.road = Road()
        self.sees = True
        self.registry = CollectorRegistry()
        self.broken = False
        self.settings = AlertmanagerSettings(
            urls=tuple(double.url for double in doubles), interval=0.05, time_scale=0.01, timeout=5.0, **settings
        )
        self.notifier = Notifier(
            self.settings,
            NotifyCounters(self.registry, REASONS),
            read=self.read,
            readable=lambda *_: True,
            seeing=lambda: self.sees,
        )
        self.registry.register(NotifyCollector(self.notifier.state))
        self.notifier.start()

    def read(self, now: float, settings: AlertmanagerSettings) -> Present:
        if self.broken:
            raise LookupError("a defect")
        self.road.world.now = now
        return Present(now, self.road.judgements())

    def outcome(self) -> Outcome | None:
        """What the last look found."""
        return self.notifier._outcome

    def until(self, look: Any) -> Any:
        def turn() -> Any:
            self.notifier.look(time.time())
            return look()

        return eventually(turn)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@contextmanager
def stopping() -> Iterator[list[Stage]]:
    """A list to put stages into; at the end each is stopped."""
    made: list[Stage] = []
    yield made
    for stage in made:
        stage.notifier.stop(5.0)
