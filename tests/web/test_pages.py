"""The landing page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from exporter.web.messages import Request
from exporter.web.pages import NotProbed, ResourceStatus, Status, VaultStatus, landing

NOW = 1_780_000_000.0


def page(**status):
    response = landing(lambda: Status(version="1.2.3", **status), lambda: NOW)(Request("GET", "/"))
    assert (response.status, response.content_type) == (200, "text/html; charset=utf-8")
    return response


def text_of(**status):
    words = []

    class Words(HTMLParser):
        def handle_data(self, data):
            words.extend(data.split())

    Words().feed(page(**status).body.decode())
    return " ".join(words)


def test_links_and_version():
    html = page(links=(("/problems", "what is wrong"),)).body.decode()
    assert set(re.findall(r'href="([^"]+)"', html)) == {"/metrics", "/-/healthy", "/-/ready", "/problems"}
    assert "1.2.3" in html


def test_nothing_is_loaded_or_run():
    response = page()
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert not re.search(rb"<script|<link|<img|src=|@import|url\(|https?://", response.body)


def test_resources():
    text = text_of(
        ready=True,
        resources=(
            ResourceStatus("externalsecrets", synced=True, last_contact=NOW - 12, objects=7),
            ResourceStatus("secrets", scope="shop", denied=True, note="give it list and watch"),
            ResourceStatus("secretstores", last_contact=NOW + 3),
        ),
    )
    assert "externalsecrets cluster synced 7 12 s ago" in text
    assert "secrets shop denied by the API server give it list and watch never" in text
    assert "secretstores cluster not synced 0 s ago" in text
    assert "listed: ready" in text


def test_vaults():
    text = text_of(
        vaults=(VaultStatus("main", "node-a", "https://vault:8200", "sealed", NOW - 150, bad=True),),
        not_probed=(NotProbed("https://tenant:8200", "not_allowed", "allow it with --vault.allow"),),
    )
    assert "main node-a https://vault:8200 sealed 2 min ago" in text
    assert "https://tenant:8200 not_allowed allow it with --vault.allow" in text


def test_without_a_vault_the_flag_is_named():
    assert "--vault NAME=URL" in text_of()


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><b>', "{{ 7*7 }}", "a\ud800b"])
def test_names_are_text(hostile):
    body = page(
        resources=(ResourceStatus(hostile, scope=hostile, note=hostile),),
        vaults=(VaultStatus(hostile, hostile, hostile, hostile),),
        not_probed=(NotProbed(hostile, hostile, hostile),),
        links=((hostile, hostile),),
    ).body
    assert b"<script" not in body
    assert b"<b>" not in body.replace(b"<b>not ready yet", b"")
    assert b"49" not in body


@pytest.mark.parametrize(
    ("age", "words"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_ages(age, words):
    assert f"{words} ago" in text_of(resources=(ResourceStatus("secrets", last_contact=NOW - age),))
