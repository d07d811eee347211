from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.vault.addresses import canonical, forbidden, is_forbidden, label, netlocs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://vault.example.com:8200", "https://vault.example.com:8200"),
        ("HTTPS://Vault.Example.COM:8200/", "https://vault.example.com:8200"),
        ("https://vault.example.com:443", "https://vault.example.com"),
        ("https://vault.example.com:", "https://vault.example.com"),
        ("http://vault:80/", "http://vault"),
        ("http://vault:443", "http://vault:443"),
        ("https://vault./", "https://vault"),
        ("https://host/vault/", "https://host/vault"),
        ("https://host//a/./b/../c//", "https://host/a/c"),
        ("https://host/../..", "https://host"),
        ("https://host/Case", "https://host/Case"),
        ("https://host?x=1#y", "https://host"),
        ("https://user:pw@host:8200", "https://host:8200"),
        ("https://[::1]:8200", "https://[::1]:8200"),
        ("https://[0:0:0:0:0:0:0:1]", "https://[::1]"),
        ("http://127.1:8200", "http://127.0.0.1:8200"),
        ("http://0x7f000001:8200", "http://127.0.0.1:8200"),
        ("http://2130706433", "http://127.0.0.1"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://my_vault:8200", "https://my_vault:8200"),
    ],
)
def test_canonical_gives_one_spelling_to_one_server(url: str, expected: str) -> None:
    assert canonical(url) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "vault:8200",
        "vault.example.com",
        "//vault:8200",
        "unix:///run/vault.sock",
        "ftp://vault",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://:8200",
        "https://vault:0",
        "https://vault:99999",
        "https://vault:port",
        "https://vault\n:8200",
        " https://vault",
        "https://va ult",
        "https://good.example\\@evil.example",
        "https://host/a%2e%2e/b",
        "https://host/a;b",
        "https://[::1",
        "https://[zz::1]",
        "https://-vault",
        "https://vault%41",
        "https://" + "a" * 300,
        "https://host/" + "a" * 300,
    ],
)
def test_canonical_is_empty_for_what_is_no_usable_address(url: str) -> None:
    assert canonical(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254",
        "http://169.254.169.254:8200/latest",
        "http://2852039166",
        "http://0xa9fea9fe",
        "http://0251.0376.0251.0376",
        "http://169.254.43518",
        "http://[fe80::1]:8200",
        "http://[fe80::1%25eth0]:8200",
        "http://[febf::1]",
        "http://[::ffff:169.254.169.254]",
        "http://[::ffff:a9fe:a9fe]",
        "http://[::a9fe:a9fe]",
        "http://[64:ff9b::a9fe:a9fe]",
        "http://[2002:a9fe:a9fe::]",
        "http://[fd00:ec2::254]",
        "http://100.100.100.200",
        "http://168.63.129.16",
        "http://224.0.0.1",
    ],
)
def test_forbidden_in_every_spelling(url: str) -> None:
    server = canonical(url)
    assert server
    assert forbidden(server)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8200", "http://[::1]", "http://10.0.0.1", "https://vault:8200", "http://[fd00::1]"]
)
def test_loopback_private_and_named_addresses_are_not_forbidden(url: str) -> None:
    assert not forbidden(canonical(url))


@given(st.integers(0, 0xFFFF), st.sampled_from(["::ffff:0:0", "::", "64:ff9b::", "2002::"]))
def test_link_local_wrapped_into_ipv6_stays_forbidden(low: int, wrapping: str) -> None:
    inner = 0xA9FE0000 | low
    shift = 80 if wrapping == "2002::" else 0
    assert is_forbidden(ipaddress.IPv6Address(int(ipaddress.IPv6Address(wrapping)) | inner << shift))


@given(st.text(max_size=80))
def test_canonical_takes_any_text_and_is_stable(text: str) -> None:
    for url in (text, f"https://{text}"):
        once = canonical(url)
        assert canonical(once) == once


def test_labels_and_netlocs() -> None:
    assert label("https://vault:8200/x") == "vault:8200/x"
    assert netlocs("https://vault") == ("vault", "vault:443")
    assert netlocs("http://[::1]") == ("[::1]", "[::1]:80")
    assert netlocs("https://[::1]:8200/x") == ("[::1]:8200",)
