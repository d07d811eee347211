"""`serve`: the exporter, until it is told to stop."""

from __future__ import annotations

import os
from queue import SimpleQueue
from typing import Any

import click
import structlog

from exporter import log as logs
from exporter.app import App
from exporter.cli.flags import SettingsCommand, given, settings_flags
from exporter.cli.signals import Event, events
from exporter.config.load import resolve
from exporter.config.reload import ConfigWatcher, watched_files
from exporter.config.settings import Settings
from exporter.config.show import not_default

log = structlog.stdlib.get_logger(__name__)

GRACE_SECONDS = 4.0
"""How long the end may take; the process is gone within five."""


@click.command(
    cls=SettingsCommand,
    help="Watch the cluster and its Vaults and serve metrics. SIGTERM ends it once scrapes under way are answered, "
    "SIGHUP reads the configuration again.",
)
@settings_flags()
def command(**parameters: Any) -> None:
    """Run until SIGTERM or SIGINT. Raises ExporterError when it cannot start."""
    flags = given(parameters)

    def source() -> Settings:
        return resolve(flags, os.environ).settings

    resolved = resolve(flags, os.environ)
    logs.setup(resolved.settings.log)
    for name, (value, origin) in not_default(resolved).items():
        log.debug("setting", name=name, value=value, origin=origin)
    with events() as queue:
        app = App(resolved.settings, reload_source=source)

        watcher = ConfigWatcher(
            lambda: watched_files(app.settings, resolved.file), changed=lambda: queue.put(Event.RELOAD)
        )
        app.watch(watcher)
        watcher.start()
        try:
            app.start()
            follow(queue, app)
            log.info("stopping")
        finally:
            watcher.stop()
            app.stop(GRACE_SECONDS)


def follow(queue: SimpleQueue[Event], app: App) -> None:
    """Do what the events ask for, one by one, until one says to stop."""
    while (event := queue.get()) is not Event.STOP:
        if event is Event.RELOAD:
            app.reload_now("signal or changed file")
