"""Texts of errors to classes: real messages, each row reachable, nothing that a user writes steers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.eso.conditions import detail_of
from exporter.eso.errors import OTHER, READING, WRITING, error_class, row_of
from exporter.judge.problems import ERROR_IDS

MESSAGES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "testdata" / "error_messages.yaml").read_text()
)


def as_the_api_server_writes_it(text: str) -> bytes:
    """A JSON string as Go's encoder makes it."""
    written = json.dumps(text, ensure_ascii=False)
    for character in "&<>":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written.encode()


@pytest.mark.parametrize("given", MESSAGES, ids=lambda given: given["name"])
def test_a_real_message_has_its_class(given: dict[str, Any]) -> None:
    message, error = given["message"], given["error"]
    assert error_class(message.encode()) == error
    assert error_class(memoryview(as_the_api_server_writes_it(message))) == error
    assert error_class(message.upper().encode()) == error
    assert error_class(as_the_api_server_writes_it(f"(combined from similar events): {message}")) == error


@pytest.mark.parametrize("row", [*WRITING, *READING], ids=lambda row: f"{row[0]}: {row[1][0]}")
def test_each_row_decides_for_a_real_message(row: tuple[str, tuple[str, ...]]) -> None:
    assert row in [row_of(given["message"].encode()) for given in MESSAGES]


def test_rows_can_be_found_in_raw_json() -> None:
    for _, texts in (*WRITING, *READING):
        for text in texts:
            assert text == text.lower()
            assert not set(text) & set('"\\&<>\n\t')


def test_what_no_row_knows_is_other() -> None:
    assert error_class(b"something entirely new") == OTHER
    assert error_class(b'""') == OTHER


def test_the_key_that_a_user_wrote_does_not_decide() -> None:
    message = b"error processing spec.data[0] (key: vault is sealed, code: 503), err: Secret does not exist"
    assert error_class(message) == "path_missing"


def test_what_a_template_quotes_does_not_decide() -> None:
    message = b"could not apply template: unable to execute template at key x: context deadline exceeded"
    assert error_class(message) == "template_error"


def test_a_text_that_is_not_unicode_is_no_trouble() -> None:
    assert error_class(b"\xff\xfe connection refused") == "connection_refused"


def test_every_class_can_come_about_and_is_in_the_catalogue() -> None:
    terminal = {
        detail_of(message.encode())
        for message in (
            "target is owned by another ExternalSecret",
            "failed to take ownership of target secret",
            "could not update secret, target is immutable",
            "could not delete secret",
            "invalid generic target",
        )
    }
    assert {error for error, _ in (*WRITING, *READING)} | terminal | {OTHER, "unknown"} == ERROR_IDS
