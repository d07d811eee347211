"""`config show` and `config check`: what the exporter would run with, and whether a file is good."""

from __future__ import annotations

import os
from typing import Any

import click

from exporter.cli.flags import SettingsCommand, given, settings_flags
from exporter.config.load import check_file, resolve
from exporter.config.show import show


@click.group(help="Look at the configuration.")
def command() -> None:
    """Hold the two commands."""


@command.command("show", cls=SettingsCommand, help="Print the effective settings, each with where it comes from.")
@settings_flags()
def show_command(**parameters: Any) -> None:
    """Print settings as YAML that can serve as a configuration file."""
    click.echo(show(resolve(given(parameters), os.environ)), nl=False)


@command.command(
    "check", help="Check a configuration file; every mistake is one line, the exit code is 2 if there is any."
)
@click.argument("file", type=click.Path())
def check_command(file: str) -> int:
    """Print the mistakes of a file and return the exit code."""
    complaints = check_file(file)
    for complaint in complaints:
        click.echo(complaint, err=True)
    if complaints:
        return 2
    click.echo(f"{file} is good")
    return 0
