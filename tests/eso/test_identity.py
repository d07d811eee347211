"""Identities that ESO writes, recomputed: the vectors of its own tests and of objects seen in the wild.

`tests/lab/test_identity.py` compares them with what the running operator wrote for 200 random objects.
"""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.eso.identity import (
    created_by,
    field_manager,
    is_created_by,
    is_field_manager,
    is_synced_resource_version,
    object_hash_md5,
    synced_resource_version,
)

STRIPE = "15752ac9a081ba3d9f932c1a1091b5839bc210883e7aa6be4a707841"
STRIPE_MD5 = "047a69555111668bc8a7b4665ac916b4"
PLAIN = "1-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2"
PLAIN_MD5 = "1-2f2c636d06132f67992c15a1daeb0a5f"
FORCED = "3-328bc1b7343f0ab377f09318b0288f76bd8fe67826b077168fe12704"


@pytest.mark.parametrize(
    ("namespace", "name", "label"),
    [
        ("default", "test-es", "a8e09351ea392b727f69f63683b28619fbed1174f572e728706a9ea8"),
        ("keybuzz", "stripe", STRIPE),
    ],
)
def test_created_by(namespace: str, name: str, label: str) -> None:
    assert created_by(namespace, name) == label
    assert is_created_by(label, namespace, name)


def test_created_by_in_the_form_up_to_0_16_1() -> None:
    assert object_hash_md5("keybuzz/stripe") == STRIPE_MD5
    assert is_created_by(STRIPE_MD5, "keybuzz", "stripe")


@pytest.mark.parametrize("label", ["", "x", STRIPE[:-1], STRIPE_MD5[:-1], STRIPE.upper(), "0" * 56, "0" * 32])
def test_what_is_not_created_by(label: str) -> None:
    assert not is_created_by(label, "keybuzz", "stripe")


@pytest.mark.parametrize(("namespace", "name"), [("keybuzz", "strip"), ("keybuz", "zstripe"), ("stripe", "keybuzz")])
def test_another_object_is_not_meant(namespace: str, name: str) -> None:
    assert not is_created_by(STRIPE, namespace, name)
    assert not is_created_by(STRIPE_MD5, namespace, name)


def test_synced_resource_version() -> None:
    assert synced_resource_version(1, None, None) == PLAIN
    assert synced_resource_version(1, {}, {}) == PLAIN
    forced = synced_resource_version(3, {"team": "pay", "app": "api"}, {"external-secrets.io/force-sync": "1"})
    assert forced == FORCED
    assert is_synced_resource_version(PLAIN, 1, None, None)
    assert is_synced_resource_version(PLAIN_MD5, 1, None, None)


@pytest.mark.parametrize(
    "value", ["", "1", "1-", PLAIN.removeprefix("1-"), "2" + PLAIN[1:], "01" + PLAIN[1:], PLAIN[:-1]]
)
def test_what_is_no_synced_resource_version_of_it(value: str) -> None:
    assert not is_synced_resource_version(value, 1, None, None)


@pytest.mark.parametrize("value", [rb'"\ud800"', b'"\xff"'])
def test_a_text_that_is_none_is_an_error(value: bytes) -> None:
    """So that the object is read again with its broken text mended."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        is_synced_resource_version(PLAIN, 1, None, {"a": value})


def escaped(values: dict[str, str]) -> dict[str, bytes]:
    """As they stand in an answer of the API server; Go escapes more than it must."""
    return {key: json.dumps(value).replace("<", r"\u003c").encode() for key, value in values.items()}


def test_the_field_manager_is_hashed_from_28_bytes_on() -> None:
    assert field_manager("a" * 27) == "externalsecrets.external-secrets.io/" + "a" * 27
    assert field_manager("a" * 28) == (
        "externalsecrets.external-secrets.io/sha3/52a6f48b37cd3535ef771a530c08d9cc4b78350ccdd33f2405e22ebb"
    )
    assert is_field_manager(field_manager("a"))
    assert is_field_manager(field_manager("a" * 28))
    assert not is_field_manager("external-secrets")


_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_MAP = st.dictionaries(_TEXT, _TEXT, max_size=4)


@settings(deadline=None)
@given(_MAP, _MAP, _MAP, _MAP)
def test_two_sets_of_metadata_share_a_version_only_if_go_prints_them_alike(
    labels: dict[str, str], annotations: dict[str, str], other_labels: dict[str, str], other_annotations: dict[str, str]
) -> None:
    def printed(values: dict[str, str]) -> bytes:
        encoded = sorted((key.encode(), value.encode()) for key, value in values.items())
        return b"map[" + b" ".join(key + b":" + value for key, value in encoded) + b"]"

    def whole(labels: dict[str, str], annotations: dict[str, str]) -> bytes:
        return b"{annotations:" + printed(annotations) + b" labels:" + printed(labels) + b"}"

    alike = whole(labels, annotations) == whole(other_labels, other_annotations)
    version = synced_resource_version(1, labels, annotations)
    assert version == "1-" + hashlib.sha3_224(whole(labels, annotations)).hexdigest()
    assert is_synced_resource_version(version, 1, other_labels, escaped(other_annotations)) is alike
    shuffled = dict(reversed(list(labels.items())))
    assert is_synced_resource_version(version, 1, shuffled, escaped(annotations))
