"""The flags of the settings, made from the table of options, for every command that needs settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import click

from exporter.config.options import OPTIONS, Option
from exporter.config.show import default

_Function = Callable[..., Any]


class SettingsCommand(click.Command):
    """A command whose help groups the flags by the section of the settings they belong to."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, one block a section, the command's own ones last."""
        sections = {_name(option): option.path[0] if option.path else "configuration" for option in OPTIONS}
        named = [(sections.get(str(param.name), "this command"), param) for param in self.get_params(ctx)]
        for section, members in groupby(named, key=lambda pair: pair[0]):
            rows = [row for _, param in members if (row := param.get_help_record(ctx))]
            if rows:
                with formatter.section(section.capitalize()):
                    formatter.write_dl(rows)


def settings_flags(only: Iterable[str] | None = None) -> Callable[[_Function], _Function]:
    """Give a command the flags of all settings, or of those `only` names; `given` turns its parameters back into flags."""
    wanted = OPTIONS if only is None else tuple(option for option in OPTIONS if option.flag in set(only))

    def decorate(function: _Function) -> _Function:
        for option in reversed(wanted):
            function = _click_option(option)(function)
        return function

    return decorate


def given(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a command as `load` wants them: by dotted flag name, as they were written."""
    return {option.flag: parameters[_name(option)] for option in OPTIONS if _name(option) in parameters}


def _name(option: Option) -> str:
    return re.sub(r"[.-]", "_", option.flag)


def _click_option(option: Option) -> Callable[[_Function], _Function]:
    shown = default(option)
    help_text = f"{option.help}  [default: {shown}]" if shown else option.help
    names = f"--{option.flag}/--no-{option.flag}" if option.switch else f"--{option.flag}"
    if option.switch:
        return click.option(names, _name(option), default=None, help=help_text)
    return click.option(
        names, _name(option), default=None, type=str, metavar=option.metavar, multiple=option.repeatable, help=help_text
    )
