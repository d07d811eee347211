"""Every way a command can go wrong is one sentence on standard error and its own exit code."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from exporter import __version__
from exporter.cli import main
from exporter.cli.run import COMMANDS
from exporter.errors import ConfigError, ExporterError


@pytest.fixture
def failing(monkeypatch):
    """Make `version` raise the given exception."""

    def set_up(error: BaseException) -> None:
        def fail() -> None:
            raise error

        monkeypatch.setattr(import_module(COMMANDS["version"]), "command", click.Command("version", callback=fail))

    return set_up


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ConfigError("f.yaml, line 2: unknown key"), 2, "f.yaml, line 2: unknown key"),
        (ExporterError("cannot listen on :1"), 1, "cannot listen on :1"),
        (ExporterError("two\nlines"), 1, "two lines"),
        (click.UsageError("no such thing."), 2, "no such thing (see `vault-eso-exporter version --help`)"),
        (click.ClickException("broken"), 1, "broken"),
    ],
)
def test_an_expected_error_is_its_sentence(failing, capsys, error, code: int, sentence: str) -> None:
    failing(error)
    assert main(["version"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"vault-eso-exporter: {sentence}\n"


def test_an_unexpected_error_tells_the_type_but_not_what_a_body_may_hold(failing, capsys) -> None:
    failing(RuntimeError("HTTP response body: hunter2"))
    assert main(["version"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("vault-eso-exporter: unexpected RuntimeError at cli/run.py:")
    assert "`--log.level debug` shows more" in err
    assert "hunter2" not in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_130_and_silent(failing, capsys, error) -> None:
    failing(error)
    assert main(["version"]) == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nope"], "No such command 'nope' (see `vault-eso-exporter --help`)"),
        (["config", "show", "--vault.intervall=1s"], "No such option '--vault.intervall'"),
        (["config", "check"], "Missing argument 'FILE' (see `vault-eso-exporter config check --help`)"),
        (["config", "show", "--log.level=loud"], '--log.level must be one of debug, error, info, warning, not "loud"'),
        (["config", "show", "--config.file=/does/not/exist"], "cannot read the configuration file /does/not/exist"),
    ],
)
def test_usage_and_configuration_errors_are_2(capsys, arguments: list[str], sentence: str) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"vault-eso-exporter: {sentence}")
    assert err.count("\n") == 1


def test_without_a_command_the_help_is_shown_and_that_is_usage(capsys) -> None:
    assert main([]) == 2
    _, err = capsys.readouterr()
    assert all(f"\n  {name} " in err for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(capsys, name: str) -> None:
    assert main([name, "--help"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: vault-eso-exporter {name}")
    assert err == ""


def test_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert main(["version"]) == 0
    out, _ = capsys.readouterr()
    assert out.startswith(f"vault-eso-exporter {__version__}\nvault-eso-exporter {__version__}\npython 3.")


def run(*arguments: str, **more) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(arguments, capture_output=True, text=True, cwd=root, timeout=60, **more)


def test_as_a_module_the_exit_code_reaches_the_shell() -> None:
    done = run(sys.executable, "-m", "exporter", "config", "show", "--log.level", "loud")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("vault-eso-exporter: --log.level must be")


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = run("sh", "-c", f"{sys.executable} -u -m exporter config show | head -1")
    assert done.stdout == "kubernetes:\n"
    assert done.stderr == ""
