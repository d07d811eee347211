"""Basic authentication."""

from __future__ import annotations

import base64
import threading

import bcrypt
import pytest

from exporter.errors import ConfigError
from exporter.web import users
from exporter.web.users import Users


def hashed(password, prefix=b"2b"):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", f"${prefix.decode()}$", 1)


def basic(text):
    return "Basic " + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.fixture(scope="module")
def people():
    return Users({"prometheus": hashed("secret"), "é:x"[:1]: hashed("pässwörd"), "old": hashed("htpasswd", b"2y")})


@pytest.mark.parametrize(
    ("authorization", "allowed"),
    [
        (basic("prometheus:secret"), True),
        (basic("prometheus:secret").replace("Basic", "bASIC"), True),
        (basic("é:pässwörd"), True),
        (basic("old:htpasswd"), True),
        (basic("prometheus:Secret"), False),
        (basic("prometheus:secret\0"), False),
        (basic("prometheus:" + "x" * 200), False),
        (basic("nobody:secret"), False),
        (basic("nobody:"), False),
        (basic("prometheus"), False),
        (basic(b"\xff:secret"), False),
        ("", False),
        ("Basic", False),
        ("Basic !!!", False),
        ("Basic é", False),
        ("Bearer abc", False),
    ],
)
def test_allow(people, authorization, allowed):
    for _ in range(2):
        assert people.allow(authorization) is allowed


def test_nobody_s_hash_is_one_that_bcrypt_takes():
    assert not Users({}).allow(basic("nobody:x"))
    assert bcrypt.checkpw(b"x", users._NOBODY) is False


def test_what_was_verified_is_remembered_wrong_ones_too(monkeypatch):
    checked = []
    monkeypatch.setattr(users, "_check", lambda password, _: checked.append(password) or password == b"right")
    people = Users({"a": hashed("x")})
    for _ in range(3):
        assert people.allow(basic("a:right"))
        assert not people.allow(basic("a:wrong"))
        assert not people.allow(basic("b:right"))
    assert checked == [b"right", b"wrong", b"right"]


def test_guesses_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(users, "_check", lambda *_: False)
    people = Users({"a": hashed("x")})
    for guess in range(300):
        people.allow(basic(f"a:{guess}"))
    assert len(people._known) == 100


def test_who_is_remembered_does_not_wait_for_guesses(monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(users, "_check", lambda password, _: password == b"right" or not go.wait(30))
    people = Users({"a": hashed("x")})
    assert people.allow(basic("a:right"))
    guess = threading.Thread(target=people.allow, args=(basic("a:wrong"),))
    guess.start()
    assert people.allow(basic("a:right"))
    go.set()
    guess.join()


@pytest.mark.parametrize(
    "text", ["", "secret", "$2b$10$short", "$1$abc$def", "$2b$02$" + "a" * 53, "$2b$10$" + "a" * 54]
)
def test_what_is_no_bcrypt_hash(text):
    with pytest.raises(ConfigError, match=r"basic_auth_users\.a") as caught:
        Users({"a": text})
    assert not text or text not in str(caught.value)
