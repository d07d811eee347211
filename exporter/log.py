"""Logs: structlog on standard error, as console lines or JSON; what may never reach a log is kept out here.

Libraries are held at `warning` whatever the level, since some log bodies (the kubernetes client's REST logger does). An
exception is told by its type and the places in the code; its message only when it is one of ours or the operating
system's, since a client's exception may carry the body of an answer.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import IO, Any

import structlog
from structlog.typing import EventDict, Processor

from exporter.config.settings import LogSettings
from exporter.errors import ExporterError

LIBRARIES = ("asyncio", "hvac", "kubernetes", "requests", "requests_oauthlib", "urllib3", "websocket")
"""Loggers set to warning by name, as some set their own level; every other foreign one follows the root's warning."""

_SPOKEN = (ExporterError, OSError)


def setup(settings: LogSettings, stream: IO[str] | None = None) -> None:
    """Send all logs to `stream` (standard error if not given) at the level and in the format of `settings`; may be called again."""
    target = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_exception,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=target.isatty())
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "ours", False):
            root.removeHandler(old)
    handler.ours = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.getLogger("exporter").setLevel(settings.level.upper())
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def describe(error: BaseException) -> str:
    """One line for an exception: its type, and its message only where that cannot hold the body of an answer."""
    return f"{type(error).__name__}: {error}" if isinstance(error, _SPOKEN) else type(error).__name__


def _tell_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    error = sys.exception() if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = describe(error)
        event["at"] = places(error.__traceback__)
    return event


def places(trace: TracebackType | None) -> list[str]:
    """`file:line function` from the outermost call to the innermost, without source lines and values."""
    frames = traceback.extract_tb(trace)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
