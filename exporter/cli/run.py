"""The group of commands, loaded when asked for, and the one place where an exception becomes a sentence."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from exporter import __version__
from exporter.errors import ExporterError
from exporter.log import describe, places

PROGRAM = "vault-eso-exporter"

COMMANDS: dict[str, str] = {
    "serve": "exporter.cli.serve",
    "demo": "exporter.cli.demo",
    "config": "exporter.cli.config",
    "metrics": "exporter.cli.metrics",
    "version": "exporter.cli.version",
}
"""Each command and the module that holds it as `command`."""

_OUR_CODE = str(Path(__file__).parents[1]) + "/"


class Commands(click.Group):
    """A group that imports a command's module only when it is needed, so that a small command starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Prove that every Kubernetes Secret really comes from Vault through the External Secrets Operator, "
    "and say which do not: since when, why, and what to do.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def root() -> None:
    """Hold the commands."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code and lets no exception out."""
    try:
        result = root.main(arguments, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else PROGRAM
        return _say(f"{error.format_message().rstrip('.')} (see `{command} --help`)", error.exit_code)
    except click.ClickException as error:
        return _say(error.format_message(), error.exit_code)
    except ExporterError as error:
        return _say(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # Whoever read our output went away (`… | head`); Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 (the last net: nobody above could tell it better)
        return _unexpected(error)
    return result if isinstance(result, int) else 0


def _say(sentence: str, code: int) -> int:
    click.echo(f"{PROGRAM}: {' '.join(sentence.split())}", err=True)
    return code


def _unexpected(error: Exception) -> int:
    """A defect of ours: one sentence with the place; all places with `--log.level debug`, never values or bodies."""
    trace = places(error.__traceback__)
    ours = [line for line in trace if line.startswith(_OUR_CODE)] or ["an unknown place"]
    if logging.getLogger("exporter").isEnabledFor(logging.DEBUG):
        for line in trace:
            click.echo(f"  {line}", err=True)
    place = ours[-1].removeprefix(_OUR_CODE)
    return _say(f"unexpected {describe(error)} at {place}; `--log.level debug` shows more, please report it", 1)
