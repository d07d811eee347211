"""`metrics`: the list of all families, from the catalogue."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import groupby

import click
from rich.console import Console
from rich.table import Table

from exporter.errors import ConfigError
from exporter.metrics.catalogue import FAMILIES, FamilySpec


@click.command(help="List the families of metrics; with GLOB those whose name matches, e.g. 'eso_vault_*'.")
@click.argument("glob", default="*")
@click.option("--names", is_flag=True, help="Print the names alone, one a line.")
def command(glob: str, names: bool) -> None:
    """Print a table a group, as wide as the terminal allows."""
    chosen = [family for family in FAMILIES if fnmatchcase(family.name, glob)]
    if not chosen:
        raise ConfigError(f"no family matches {glob}; `vault-eso-exporter metrics --names` lists them all")
    if names:
        click.echo("\n".join(family.name for family in chosen))
        return
    console = Console(highlight=False)
    for group, families in groupby(chosen, key=lambda family: family.group):
        console.print(_table(group, list(families)))


def _table(group: str, families: list[FamilySpec]) -> Table:
    table = Table(title=group, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("family", no_wrap=True)
    table.add_column("type")
    table.add_column("labels")
    table.add_column("what it tells")
    for family in families:
        table.add_row(family.name, family.type, ", ".join(family.labels), family.help)
    return table
