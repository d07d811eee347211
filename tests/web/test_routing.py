"""Which route answers."""

from __future__ import annotations

from exporter.web.messages import Request, Response, sentence
from exporter.web.routing import Router


def named(name):
    return lambda _: sentence(200, name)


ROUTER = Router(
    {
        "/": named("root"),
        "/a": named("a"),
        "POST /a": named("post"),
        "/t/": named("t"),
        "/t/u/": named("u"),
        "PUT /p": named("p"),
    }
)


def answer(method, path):
    found = ROUTER.find(method, path)
    return found if isinstance(found, Response) else found(Request(method, path))


def test_routes():
    expected = {
        ("GET", "/"): b"root\n",
        ("HEAD", "/a"): b"a\n",
        ("POST", "/a"): b"post\n",
        ("GET", "/t/"): b"t\n",
        ("GET", "/t/x/y"): b"t\n",
        ("GET", "/t/u/y"): b"u\n",
        ("PUT", "/p"): b"p\n",
    }
    assert {asked: answer(*asked).body for asked in expected} == expected


def test_nothing_there():
    for path in ("/b", "/a/", "/a/b", "/t", "//", ""):
        assert answer("GET", path).status == 404


def test_another_method():
    response = answer("DELETE", "/a")
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert answer("GET", "/p").headers["Allow"] == "PUT"
