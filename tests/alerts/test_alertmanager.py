"""The shipped Alertmanager configuration under the oldest supported amtool (Debian's 0.25), and what holds without any tool.

The same checks run under the newest one in tests/lab/test_alertmanager.py.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alerts.rules import alerts
from tests.alerts.alertmanager import CONFIGURATION, TEMPLATES, Alert, Amtool, configuration, shipped_alerts
from tests.alerts.alertmanager_cases import EXPECTED, TEMPLATE_CHECKS, check_route


@pytest.fixture(scope="session")
def amtool() -> Amtool:
    """Debian's amtool (package prometheus-alertmanager)."""
    program = shutil.which("amtool")
    if program is None:
        pytest.skip("no amtool: apt-get install prometheus-alertmanager")
    return Amtool(Path(program))


def test_the_configuration_and_its_templates_are_valid(amtool: Amtool) -> None:
    assert "SUCCESS" in amtool.check_config(CONFIGURATION)


def test_every_alert_has_a_tested_route() -> None:
    assert sorted(shipped_alerts()) == sorted(EXPECTED), (
        "an alert of alerts/rules.yaml is not told in EXPECTED, or the other way"
    )


@pytest.mark.parametrize("alert", shipped_alerts(), ids="-".join)
def test_route(amtool: Amtool, alert: Alert) -> None:
    check_route(amtool, alert)


def test_alerts_that_no_rule_makes(amtool: Amtool) -> None:
    def receivers(**labels: str) -> list[str]:
        return amtool.receivers(CONFIGURATION, labels)

    assert receivers(alertname="Watchdog", severity="none") == ["dead-man"]
    assert receivers(alertname="EsoExporterHeartbeat", severity="info") == ["eso-heartbeat"]
    assert receivers(alertname="KubePodCrashLooping", severity="critical") == ["eso-chat"]


@pytest.mark.parametrize("check", TEMPLATE_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_templates(amtool: Amtool, tmp_path: Path, check: Callable[[Amtool, Path], None]) -> None:
    check(amtool, tmp_path)


def routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A route and all below it."""
    yield route
    for one in route.get("routes", []):
        yield from routes(one)


def test_a_page_has_no_hours_and_a_warning_has() -> None:
    document = configuration()
    paging = {one["name"] for one in document["receivers"] if "pagerduty_configs" in one}
    assert paging == {"eso-pager", "team-shop-pager"}
    for route in routes(document["route"]):
        if route.get("receiver") in paging:
            assert "active_time_intervals" not in route, "a page at night is a page"
    [maintenance] = [one for one in document["time_intervals"] if one["name"] == "vault-maintenance"]
    assert maintenance["time_intervals"] == [{"years": ["2000"]}], "whoever copies the file mutes nothing by it"


def test_one_vault_behind_many_clusters_is_one_page() -> None:
    [vaults] = [one for one in routes(configuration()["route"]) if one.get("matchers") == ['alertname=~"EsoVault.*"']]
    assert vaults["group_by"] == ["alertname", "vault"]
    assert all("group_by" not in one for one in vaults["routes"])


def test_every_template_that_is_used_is_shipped_and_the_other_way() -> None:
    text = "".join(file.read_text() for file in TEMPLATES.glob("*.tmpl"))
    defined = set(re.findall(r'{{-? *define "([^"]+)"', text))
    receivers = CONFIGURATION.read_text() + (CONFIGURATION.parent / "teams-receivers.yaml").read_text()
    used = set(re.findall(r'template "([^"]+)"', text + receivers))
    assert used == defined


def matching(matchers: list[str]) -> set[Alert]:
    """The shipped alerts that satisfy matchers on alertname and severity."""
    found = set(shipped_alerts())
    for matcher in matchers:
        label, operator, pattern = re.fullmatch(r'(\w+)(=~|!~|=)"(.*)"', matcher).groups()  # type: ignore[union-attr]
        index = ("alertname", "severity").index(label)
        whole = pattern if "~" in operator else re.escape(pattern)
        found = {one for one in found if bool(re.fullmatch(whole, one[index])) != operator.startswith("!")}
    return found


def test_inhibition_names_only_alerts_that_exist() -> None:
    names = {name for name, _ in shipped_alerts()}
    for rule in configuration()["inhibit_rules"]:
        assert matching(rule["source_matchers"]), rule
        assert matching(rule["target_matchers"]), rule
        assert "cluster" in rule["equal"], "two clusters may call different Vaults by one name"
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            for word in re.findall(r"Eso\w+", re.sub(r"(Eso\w*)\(([^)]*)\)", _spelled_out, matcher)):
                assert word in names or word == "Eso", f"{word} of {matcher} is no alert"


def _spelled_out(found: re.Match[str]) -> str:
    return "|".join(found[1] + end for end in found[2].split("|"))


def test_what_the_rules_silence_is_inhibited_as_well() -> None:
    of_parents = {
        (rule["alert"], rule["labels"]["severity"])
        for made in alerts().values()
        for rule in made
        if "unless on (cluster, namespace, name) eso:externalsecret_parent_alerting" in rule["expr"]
    }
    assert ("EsoExternalSecretNotReady", "warning") in of_parents
    inhibits = configuration()["inhibit_rules"]
    by_vault = [one for one in inhibits if one["equal"] == ["cluster", "vault"]]
    by_store = [one for one in inhibits if one["equal"] == ["cluster", "store_kind", "store_namespace", "store"]]
    for parent, rules_of_it in (
        (("EsoVaultSealed", "critical"), by_vault),
        (("EsoVaultNoActiveNode", "critical"), by_vault),
        (("EsoSecretStoreNotReady", "critical"), by_store),
        (("EsoStoreCredentialsMissing", "warning"), by_store),
        (("EsoExternalSecretsNotReady", "critical"), by_store),
    ):
        silenced = [
            matching(one["target_matchers"]) for one in rules_of_it if parent in matching(one["source_matchers"])
        ]
        assert of_parents <= set().union(*silenced), f"{parent} mutes less than the rules do"
