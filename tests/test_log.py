"""Logs: where they go, how they look, and what never reaches them."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from exporter import log
from exporter.config.settings import LogSettings
from exporter.errors import ConfigError

SECRET = "hunter2-the-value"


@pytest.fixture
def lines():
    """Set logging up on a buffer; gives a function from (level, format) to the text logged since."""
    root, ours = logging.getLogger(), logging.getLogger("exporter")
    before = (root.level, ours.level, list(root.handlers))

    def start(level: str = "info", form: str = "json"):
        buffer = io.StringIO()
        log.setup(LogSettings(level=level, format=form), buffer)
        return lambda: buffer.getvalue().splitlines()

    yield start
    root.handlers[:] = before[2]
    root.setLevel(before[0])
    ours.setLevel(before[1])
    logging.captureWarnings(False)
    structlog.reset_defaults()


def test_a_json_line_has_time_level_logger_and_fields(lines) -> None:
    written = lines()
    structlog.stdlib.get_logger("exporter.kube.reflector").info("listed", resource="secrets", objects=3)
    (line,) = map(json.loads, written())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "listed",
        "resource": "secrets",
        "objects": 3,
        "level": "info",
        "logger": "exporter.kube.reflector",
    }


def test_a_console_line_is_for_people(lines) -> None:
    written = lines(form="console")
    structlog.stdlib.get_logger("exporter.web").warning("slow scrape", seconds=2)
    (line,) = written()
    assert "slow scrape" in line
    assert "seconds=2" in line
    assert "\x1b" not in line


def test_the_level_is_ours_alone_libraries_stay_at_warning(lines) -> None:
    written = lines(level="debug")
    structlog.stdlib.get_logger("exporter.vault").debug("probing")
    for name in (*log.LIBRARIES, "kubernetes.client.rest", "urllib3.connectionpool", "somebody.else"):
        logging.getLogger(name).debug("response body: %s", SECRET)
        logging.getLogger(name).info("response body: %s", SECRET)
    assert [json.loads(line)["event"] for line in written()] == ["probing"]


@pytest.mark.parametrize("name", log.LIBRARIES)
def test_a_library_that_set_its_own_level_is_set_back(lines, name: str) -> None:
    logging.getLogger(name).setLevel(logging.DEBUG)
    written = lines(level="debug")
    logging.getLogger(name).debug(SECRET)
    assert written() == []


def test_below_the_level_nothing_is_logged(lines) -> None:
    written = lines(level="warning")
    structlog.stdlib.get_logger("exporter.web").info("quiet")
    structlog.stdlib.get_logger("exporter.web").error("loud")
    assert [json.loads(line)["event"] for line in written()] == ["loud"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_of_a_library_is_told_without_its_message(lines, form: str) -> None:
    written = lines(form=form)
    for logger in (structlog.stdlib.get_logger("exporter.kube"), logging.getLogger("kubernetes.client")):
        try:
            raise RuntimeError(f"HTTP response body: {SECRET}")
        except RuntimeError:
            logger.error("list failed", exc_info=True)
    text = "\n".join(written())
    assert SECRET not in text
    assert "Traceback" not in text
    assert text.count("RuntimeError") == 2
    assert "test_log.py" in text


def test_an_exception_of_ours_or_of_the_system_is_told_in_full(lines) -> None:
    written = lines()
    structlog.stdlib.get_logger("exporter.web").error("reload", exc_info=ConfigError("f.yaml, line 2: unknown key"))
    structlog.stdlib.get_logger("exporter.web").error("bind", exc_info=OSError(98, "Address already in use"))
    told = [json.loads(line)["exception"] for line in written()]
    assert told == ["ConfigError: f.yaml, line 2: unknown key", "OSError: [Errno 98] Address already in use"]


def test_setting_up_again_replaces_what_was(lines) -> None:
    first = lines()
    second = lines()
    structlog.stdlib.get_logger("exporter.web").info("once")
    assert first() == []
    assert len(second()) == 1
