"""The whole exporter over a simulated cluster, and what tests look at of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.app import App
from exporter.config.settings import KubernetesSettings, Settings, VaultSettings, WebSettings
from tests.kube import doubles

PATIENCE = 30.0


@contextmanager
def running(kubeconfig: Path, **sections: Any) -> Iterator[App]:
    """An exporter that is ready, with these sections of its settings; it listens on a free port and probes no Vault."""
    settings = Settings(
        **{
            "kubernetes": KubernetesSettings(kubeconfig=str(kubeconfig)),
            "vault": VaultSettings(discover="off"),
            "web": WebSettings(listen_address="127.0.0.1:0"),
            **sections,
        }
    )
    app = App(settings)
    app.start()
    try:
        assert app.wait_synced(PATIENCE)
        yield app
    finally:
        app.stop(2.0)


def samples(app: App, family: str) -> list[str]:
    """The lines of a family, in their order."""
    return [line for line in app.render_once().decode().splitlines() if line.startswith(family + "{")]


def manual(app: App) -> dict[str, str]:
    """Value of eso_manual_secrets by namespace."""
    return {line.split('"')[1]: line[-1] for line in samples(app, "eso_manual_secrets")}


def eventually(holds: Callable[[], object]) -> None:
    """Returns once it holds; fails the test if it never does."""
    doubles.eventually(holds, timeout=PATIENCE)
