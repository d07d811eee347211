"""The rule generator: what each option changes, and that nothing else changes."""

from __future__ import annotations

import shutil
import subprocess

import promql_parser as promql
import pytest
import yaml

from alerts import generate
from alerts.generate import OptionError
from alerts.rules import load


def by_key(**options):
    return {
        (rule.get("alert") or rule["record"], rule.get("labels", {}).get("severity", "")): rule
        for group in generate.rules(**options)["groups"]
        for rule in group["rules"]
    }


def test_without_options_the_rules_are_the_shipped_ones() -> None:
    assert generate.rules() == load()


def test_what_is_written_reads_back_the_same() -> None:
    assert yaml.safe_load(generate.dump(generate.rules())) == load()


def test_the_manifest_holds_the_rules() -> None:
    made = generate.manifest(name="eso", namespace="monitoring", labels={"release": "prom"})
    assert made["kind"] == "PrometheusRule"
    assert made["metadata"]["namespace"] == "monitoring"
    assert made["metadata"]["labels"]["release"] == "prom"
    assert made["spec"] == load()


def test_scale_reaches_every_time_and_nothing_else() -> None:
    before, after = by_key(), by_key(scale=1 / 60)
    rule = after["EsoExternalSecretNotReady", "critical"]
    assert (rule["for"], rule["keep_firing_for"]) == ("15s", "10s")
    assert "[6s]) < time() - 105" in rule["expr"]
    assert "[6s:1s]" in after["EsoExporterBlind", "critical"]["expr"]
    assert "time() - 1440" in after["EsoManualSecretAppeared", "warning"]["expr"]
    assert "time() - 1440" in after["EsoManualSecretAppeared", "warning"]["annotations"]["description"]
    assert "within a day" in after["EsoManualSecretAppeared", "warning"]["annotations"]["summary"]
    # Counts and shares stay.
    assert ">= 3\n" in after["EsoExternalSecretsOverdue", "critical"]["expr"]
    assert ">= 0.2\n" in after["EsoExternalSecretsOverdue", "critical"]["expr"]
    back = {key: generate.scaled(rule["expr"], 2) for key, rule in by_key(scale=0.5).items()}
    unscaled = {key: generate.scaled(rule["expr"], 1) for key, rule in before.items()}
    assert back == unscaled


def test_excluded_namespaces_are_in_every_selector_of_what_teams_make() -> None:
    for rule in by_key(exclude_namespaces="sandbox-.*|tmp").values():
        for node in walk(promql.parse(rule["expr"])):
            matchers = {one.name: one.value for one in node.matchers.matchers}
            names = set((node.name or matchers["__name__"]).split("|"))
            assert (matchers.get("namespace") == "sandbox-.*|tmp") == bool(names & generate.EXCLUDABLE), rule["expr"]


def walk(node):
    if isinstance(node, promql.VectorSelector):
        yield node
        return
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        below = getattr(node, name, None)
        if below is not None:
            yield from walk(below)
    for below in getattr(node, "args", None) or ():
        yield from walk(below)


def test_another_namespace_label_is_read_and_the_alert_still_carries_namespace() -> None:
    rules = by_key(namespace_label="exported_namespace")
    assert ("EsoLabelsClobbered", "info") not in rules
    rule = rules["EsoManualSecretsRemain", "info"]
    assert "on (cluster, exported_namespace) group_left (owner)" in rule["expr"]
    assert rule["expr"].endswith('"namespace", "$1", "exported_namespace", "(.+)"\n)')
    assert "exported_namespace=%q" in rule["annotations"]["description"]
    assert "{{ $labels.namespace }}" in rule["annotations"]["summary"]
    text = rules["EsoExternalSecretsNotReady", "critical"]["annotations"]["description"]
    assert '| label "exported_namespace"' in text
    assert "store_namespace=%q" in text


def test_addresses_can_be_ones_own() -> None:
    rule = by_key(runbook_url="https://wiki.example/r/{alert}", dashboard_url="https://g.example/")[
        "EsoVaultSealed", "critical"
    ]
    assert rule["annotations"]["runbook_url"] == "https://wiki.example/r/EsoVaultSealed"
    assert rule["annotations"]["dashboard_url"].startswith("https://g.example/d/eso-vault?var-cluster=")
    rule = by_key(runbook_url="https://wiki.example/r")["EsoVaultSealed", "critical"]
    assert rule["annotations"]["runbook_url"] == "https://wiki.example/r/EsoVaultSealed.md"


def test_a_severity_can_be_another_and_parents_stay_parents() -> None:
    rules = by_key(severities={"EsoVaultSealed/critical": "info", "EsoVaultNotWatched": "none"})
    assert ("EsoVaultNotWatched", "info") not in rules
    assert rules["EsoVaultSealed", "info"]["for"] == by_key()["EsoVaultSealed", "critical"]["for"]
    assert 'severity=~"critical|info"' in rules["eso:vault_alerting", ""]["expr"]


def test_the_more_exact_severity_wins() -> None:
    rules = by_key(severities={"EsoVaultTLSExpiring/warning": "none", "EsoVaultTLSExpiring": "warning"})
    assert rules["EsoVaultTLSExpiring", "warning"]["for"] == by_key()["EsoVaultTLSExpiring", "critical"]["for"]
    assert ("EsoVaultTLSExpiring", "critical") not in rules


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"severities": {"EsoNothing": "info"}}, "no shipped rule is called so"),
        ({"severities": {"EsoVaultSealed": "page"}}, "it may be critical, warning, info or none"),
        ({"severities": {"EsoVaultSealed": "info"}}, "two of its rules would be info"),
        ({"severities": {"EsoVaultNoActiveNode": "warning"}}, "could no longer be told from them"),
        ({"scale": 0}, "a factor above 0"),
        ({"namespace_label": "a-b"}, "not the name of a label"),
        ({"exclude_namespaces": "("}, "not a regular expression"),
        ({"exclude_namespaces": 'a"b'}, "no quotes"),
    ],
)
def test_an_option_that_cannot_be_met_is_one_sentence(options, says) -> None:
    with pytest.raises(OptionError, match=says):
        generate.rules(**options)


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--format", "operator", "--label", "release=prom", "--disable", "EsoVaultTLSExpiring"]) == 0
    made = yaml.safe_load(capsys.readouterr().out)
    assert made["metadata"]["labels"]["release"] == "prom"
    assert "EsoVaultTLSExpiring" not in generate.dump(made)
    assert generate.main(["--severity", "EsoVaultSealed"]) == 2
    assert capsys.readouterr().err == "error: --severity EsoVaultSealed: write it as NAME=VALUE\n"


@pytest.mark.parametrize(
    "options",
    [
        {"scale": 0.01},
        {"namespace_label": "exported_namespace", "exclude_namespaces": "sandbox-.*", "scale": 1 / 60},
    ],
)
def test_prometheus_takes_what_is_made(options, tmp_path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on the PATH: install Debian's package prometheus")
    file = tmp_path / "rules.yaml"
    file.write_text(generate.dump(generate.rules(**options)))
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=all", "--lint-fatal", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
