"""Errors that reach a person: one sentence that tells what failed, where, and what to do next."""

from __future__ import annotations


class ExporterError(Exception):
    """A failure told in one sentence; the command line prints it without a traceback and exits with `exit_code`."""

    exit_code = 1


class ConfigError(ExporterError):
    """Bad usage or bad configuration: exit code 2. A running exporter keeps its old configuration when it sees one."""

    exit_code = 2
