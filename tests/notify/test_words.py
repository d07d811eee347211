"""Texts and links."""

from __future__ import annotations

import pytest

from exporter.kube.records import StoreRef
from exporter.notify.table import SEALED
from exporter.notify.words import Links, count, describe_store, listed, moment, store_name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://docs/{alert}", "https://docs/EsoVaultSealed"),
        ("https://docs/runbooks", "https://docs/runbooks/EsoVaultSealed.md"),
        ("https://docs/runbooks/", "https://docs/runbooks/EsoVaultSealed.md"),
        ("", None),
    ],
)
def test_where_the_runbook_is(given: str, expected: str | None) -> None:
    words = Links(given).words(SEALED, "s", "d", "eso-vault", vault="main")
    assert words.get("runbook_url") == expected
    assert "dashboard_url" not in words


def test_variables_of_a_dashboard_are_quoted_and_never_empty() -> None:
    links = Links("", "https://grafana/", "eu & us")
    words = links.words(SEALED, "s", " d\n  e ", "eso-vault", vault="v:8200", store="")
    assert words["dashboard_url"] == "https://grafana/d/eso-vault?var-cluster=eu%20%26%20us&var-vault=v%3A8200"
    assert words["description"] == "d e"
    assert (
        Links("", "https://grafana")
        .words(SEALED, "s", "d", "eso-overview")["dashboard_url"]
        .endswith("/d/eso-overview")
    )


def test_lists_are_cut() -> None:
    assert listed(["b", "a"]) == "a, b"
    assert listed(map(str, range(10, 23))).endswith("19 and 3 more")
    assert (count(1, "Secret"), count(0, "Secret")) == ("1 Secret", "0 Secrets")


def test_stores_and_times() -> None:
    assert store_name(StoreRef("SecretStore", "shop", "v")) == "SecretStore shop/v"
    assert describe_store(StoreRef("SecretStore", "shop", "v")) == "kubectl -n shop describe secretstore v"
    assert describe_store(StoreRef("ClusterSecretStore", "", "v")) == "kubectl describe clustersecretstore v"
    assert moment(0.0) == "since 1970-01-01 00:00:00 UTC"
    assert moment(None) == "for an unknown time"
