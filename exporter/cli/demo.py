"""`demo`: the real exporter on a simulated cluster and Vault, offline."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from exporter import log as logs
from exporter.app import App
from exporter.cli.flags import given, settings_flags
from exporter.cli.signals import Event, events
from exporter.config.load import load
from exporter.config.settings import Settings, VaultNode, VaultServer
from exporter.demo.demo import Demo
from exporter.errors import ExporterError

PATIENCE_SECONDS = 8.0
"""How long the first picture may take; it is there within a second or two."""


@click.command(
    help="Run the exporter on a simulated cluster and Vault, with a story: Secrets made by hand move to Vault, Vault is "
    "sealed for a while, a sync fails. Nothing leaves this machine, and no other configuration is read."
)
@click.option("--once", is_flag=True, help="Print one exposition and exit.")
@click.option(
    "--format", "form", type=click.Choice(["text", "openmetrics"]), default="text", help="The format for --once."
)
@click.option("--scale", type=click.FloatRange(0.01, 100), default=1.0, help="Stretch (2) or shorten (0.5) the story.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; a free one if not given.")
@settings_flags(("metrics.disable", "metrics.age", "log.level", "log.format"))
def command(once: bool, form: str, scale: float, port: int, **parameters: Any) -> None:
    """Print one exposition, or the address and the story until Ctrl-C. Raises ExporterError when it does not come up."""
    # The kubernetes client would ask a proxy of the environment even for 127.0.0.1.
    os.environ.update(NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
    flags = {flag: value for flag, value in given(parameters).items() if value is not None}
    with Demo(scale) as demo:
        settings = load({"log.level": "error", "web.listen-address": f"127.0.0.1:{port}", **flags}, environ={})
        logs.setup(settings.log)
        with _running(_pointed(settings, demo)) as app:
            picture = _first_picture(app, len(demo.vault_urls), openmetrics=form == "openmetrics")
            if once:
                click.echo(picture, nl=False)
            else:
                _tell(demo, app, Console(highlight=False))


def _pointed(settings: Settings, demo: Demo) -> Settings:
    """The settings, pointed at the simulated servers; the Vault has a name and all its nodes, as a user would give it."""
    nodes = tuple(VaultNode(name=f"vault-{number}", address=url) for number, url in enumerate(demo.vault_urls))
    vault = VaultServer(name="main", address=demo.vault_urls[0], nodes=nodes)
    return msgspec.structs.replace(
        settings,
        kubernetes=msgspec.structs.replace(settings.kubernetes, kubeconfig=str(demo.kubeconfig)),
        vault=msgspec.structs.replace(settings.vault, servers=(vault,)),
    )


@contextmanager
def _running(settings: Settings) -> Iterator[App]:
    app = App(settings)
    try:
        app.start()
        yield app
    finally:
        app.stop(grace=2.0)


def _first_picture(app: App, nodes: int, *, openmetrics: bool) -> bytes:
    """The first exposition in which the cluster was listed and every Vault node probed, as far as these families are not
    disabled. Raises ExporterError when it does not come in time.
    """
    wanted = {"eso_externalsecret_ready": 1, "eso_manual_secrets": 1, "eso_vault_available": 1, "eso_vault_up": nodes}
    globs = app.settings.metrics.disable
    least = {f"\n{name}{{".encode(): n for name, n in wanted.items() if not any(fnmatchcase(name, g) for g in globs)}
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if app.wait_synced(PATIENCE_SECONDS):
            picture = app.render_once(openmetrics=openmetrics)
            if all(picture.count(start) >= count for start, count in least.items()):
                return picture
        time.sleep(0.05)
    raise ExporterError(f"the demo did not come up within {PATIENCE_SECONDS:.0f} s: see `demo --log.level debug`")


def _tell(demo: Demo, app: App, console: Console) -> None:
    """Say where to look, and tell the story while it happens, until a signal says to stop."""
    stopping = threading.Event()
    with events() as queue:
        host, port = app.address
        look = f"curl -s http://{host}:{port}/metrics | grep -E '^eso_(manual_secrets|externalsecret_ready|vault_)'"
        console.print(f"The exporter runs on a simulated cluster and Vault: [bold]http://{host}:{port}[/]")
        console.print(f"  {escape(look)}\n", soft_wrap=True)
        console.print(escape(demo.scenario.text))
        console.print(_contents(demo))
        console.print("Ctrl-C ends it.\n")
        threading.Thread(target=_narrate, args=(demo, console, stopping), name="story", daemon=True).start()
        while queue.get() is not Event.STOP:
            pass
        stopping.set()


def _contents(demo: Demo) -> Table:
    """The story told in advance: when, what it is called, what happens."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    at = 0.0
    for step in demo.scenario.steps:
        at += step.wait * demo.scale
        table.add_row(f"{at:.0f} s", escape(step.title), escape(step.text))
    return table


def _narrate(demo: Demo, console: Console, stopping: threading.Event) -> None:
    for step in demo.story():
        console.print(f"[bold]{time.strftime('%H:%M:%S')}  {escape(step.title)}[/]")
        console.print(Padding(escape(step.text), (0, 0, 0, 10)))
        for series in step.look:
            console.print(Padding(f"[cyan]{escape(series)}[/]", (0, 0, 0, 10)))
    if not stopping.is_set():
        console.print("The story is told; the cluster and the exporter go on until Ctrl-C.")
