"""`version`: what runs here, for a bug report."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from exporter import __version__

LIBRARIES = ("kubernetes", "hvac", "prometheus-client", "urllib3")


@click.command(help="Print the version of the exporter, of Python and of the libraries that talk to servers.")
def command() -> None:
    """Print one line each."""
    click.echo(f"vault-eso-exporter {__version__}")
    click.echo(f"python {platform.python_version()} on {platform.system().lower()}/{platform.machine()}")
    for name in LIBRARIES:
        click.echo(f"{name} {version(name)}")
