"""What the rules promise: they use nothing that does not exist, and every alert says what a person needs."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import promql_parser as promql
import pytest
import yaml

from alerts.generate import RUNBOOKS
from alerts.rules import SEVERITIES
from exporter.judge.problems import CATALOGUE, ERRORS
from exporter.metrics.catalogue import FAMILIES
from exporter.notify.table import HEARTBEAT
from tests.alerts import scenarios
from tests.alerts.labels import ADDED, Labels, UnknownError
from tests.alerts.rulefile import ROOT, Rule, load, selectors

ALL = load()
ALERTS = [rule for rule in ALL if rule.is_alert]
LABELS = Labels(ALL)
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url"}
# A day or an hour is looked back at, which holds better than any keeping.
KEEPS_ITSELF = {"EsoVaultClusterChanged"}

every_rule = pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.title)
every_alert = pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.title)

_QUERY = re.compile(r"printf `([^`]*)`((?: \$labels\.\w+)*)")


@every_rule
def test_metrics_and_labels_of_an_expression_exist(rule: Rule) -> None:
    assert "__name__" not in LABELS.of(rule.expression)


def test_a_label_that_does_not_exist_is_noticed() -> None:
    for expression in (
        "eso_externalsecret_redy",
        'eso_externalsecret_ready{store="a",name_space="b"}',
        "max by (pod) (eso_externalsecret_ready)",
        "eso_externalsecret_ready and on (reason) eso_externalsecret_status_info",
        "eso_externalsecret_ready * on (name) group_left (owner) eso_externalsecret_status_info",
        'ALERTS{alertname="EsoNothing"}',
        "eso:nothing",
    ):
        with pytest.raises(UnknownError):
            LABELS.of(promql.parse(expression))


@every_rule
def test_no_metric_is_read_without_an_aggregation(rule: Rule) -> None:
    """Replicas and double scrapes change nothing, so neither instance nor job is in a result that is not of an instance."""
    found = LABELS.of(rule.expression)
    if rule.name.startswith("EsoExporter") and "instance" in found:
        assert {"job", "instance"} <= found
    else:
        assert not found & {"job", "instance", "reason", "error"} or rule.name == "eso:vault_unavailable"


@every_rule
def test_every_aggregation_and_join_keeps_the_cluster(rule: Rule) -> None:
    if rule.name not in ("EsoExporterAbsent", "EsoExporterGone"):
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule.body["expr"]):
            assert labels.split(", ")[0] == "cluster", labels


@every_alert
def test_an_alert_says_what_a_person_needs(rule: Rule) -> None:
    assert re.fullmatch(r"Eso[A-Z]\w+", rule.name)
    assert rule.body["labels"] == {"severity": rule.severity}
    assert rule.severity in SEVERITIES
    assert set(rule.body["annotations"]) == ANNOTATIONS
    assert rule.body["annotations"]["runbook_url"] == RUNBOOKS.format(alert=rule.name)
    assert re.search(r"First(, [^:]+)?: ", rule.body["annotations"]["description"]), "the first command"
    assert "for" in rule.body
    assert ("keep_firing_for" in rule.body) != (rule.name in KEEPS_ITSELF)


def test_severities_of_one_alert_differ() -> None:
    titles = [rule.title for rule in ALERTS]
    assert len(titles) == len(set(titles))


@every_alert
def test_labels_in_texts_survive_the_aggregation(rule: Rule) -> None:
    available = LABELS.of(rule.expression)
    for name, text in rule.body["annotations"].items():
        used = set(re.findall(r"\$labels\.(\w+)", text))
        assert used <= available, (name, used - available)


@every_alert
def test_queries_in_texts_read_what_exists(rule: Rule) -> None:
    for text in rule.body["annotations"].values():
        for match in _QUERY.finditer(text):
            query, arguments = match[1], match[2].split()
            assert query.count("%q") == len(arguments), query
            known = LABELS.of(promql.parse(query.replace("%q", '"x"')))
            after = text[match.end() :].split("printf `")[0]
            used = set(re.findall(r'label "(\w+)"', after)) | set(re.findall(r'sortByLabel "(\w+)"', after))
            assert used <= known, (query, used - known)


@every_alert
def test_each_place_in_a_query_is_filled_from_the_label_of_its_name(rule: Rule) -> None:
    """`namespace=%q … name=%q` with `$labels.namespace $labels.name`, in that order: swapped, both would be empty."""
    same = {
        "vault": {"name"},
        "store_namespace": {"namespace"},
        "store": {"name"},
        "component": {"name"},
        "secret": {"name"},
    }
    for text in rule.body["annotations"].values():
        for match in _QUERY.finditer(text):
            names = re.findall(r"(\w+)=%q", match[1])
            given = re.findall(r"\$labels\.(\w+)", match[2])
            for name, label in zip(names, given, strict=True):
                assert name == label or name in same[label], (match[1], name, label)


@every_alert
def test_every_namespaced_alert_carries_its_owner(rule: Rule) -> None:
    found = LABELS.of(rule.expression)
    assert "namespace" not in found or "owner" in found


@every_alert
def test_the_runbook_exists(rule: Rule) -> None:
    assert (ROOT / "docs" / "runbooks" / f"{rule.name}.md").is_file()


def test_no_runbook_is_of_no_alert() -> None:
    files = {path.stem for path in (ROOT / "docs" / "runbooks").glob("Eso*.md")}
    assert files == {rule.name for rule in ALERTS} | {HEARTBEAT}, "the heartbeat is the direct road's"


@every_alert
def test_the_dashboard_and_its_variables_exist(rule: Rule) -> None:
    parts = urlsplit(rule.body["annotations"]["dashboard_url"])
    dashboard = json.loads((ROOT / "dashboards" / "json" / f"{parts.path.removeprefix('/d/')}.json").read_text())
    assert parts.path == f"/d/{dashboard['uid']}"
    variables = {f"var-{one['name']}" for one in dashboard["templating"]["list"]}
    assert set(parse_qs(parts.query, keep_blank_values=True)) <= variables
    # Each is filled, from the label of its name.
    for name, (value,) in parse_qs(parts.query, keep_blank_values=True).items():
        assert value == f"{{{{ $labels.{name.removeprefix('var-')} }}}}"


@every_alert
def test_flags_in_texts_exist(rule: Rule) -> None:
    documented = (ROOT / "docs" / "configuration.md").read_text() + "--namespace-label"
    foreign = {"--as", "--list", "--context", "--raw", "--show-managed-fields"}
    for text in rule.body["annotations"].values():
        for flag in re.findall(r"(?<!\w)(--[a-z][a-z.-]+)", text):
            assert flag.rstrip(".-") in documented or flag in foreign, flag


@pytest.mark.parametrize("alert", sorted({rule.name for rule in ALERTS}))
def test_each_severity_is_seen_firing_and_each_alert_keeping_still(alert: str) -> None:
    content = yaml.safe_load((scenarios.TESTS / f"{alert}.yaml").read_text())
    severities = {rule.severity for rule in ALERTS if rule.name == alert}
    assert set(content["severities"]) == severities
    fired = {key.partition("{")[0] for case in content["cases"] for key in case.get("firing", {})}
    assert severities <= fired
    told = {key.partition("{")[0] for case in content["cases"] for key in case.get("texts", {}) if key != "at"}
    assert severities <= told, "texts of every severity are looked at"
    still = [case for case in content["cases"] if not any("/" not in key for key in case.get("firing", {}))]
    ends = [
        when for case in content["cases"] for when in case.get("firing", {}).values() if not str(when).endswith("-")
    ]
    assert still or ends, "a case in which it does not fire, or no longer"


def test_every_test_file_is_of_an_alert() -> None:
    assert set(scenarios.names()) == {rule.name for rule in ALERTS}


def test_every_problem_has_an_alert_that_tells_it() -> None:
    """The runbook that the catalogue names is of an alert, and that alert's rules read the problem, by id or by what makes it."""
    names = {rule.name for rule in ALERTS}
    texts = {name: _closure_text(name) for name in names}
    # Told by another metric than the problem's own.
    by_state = {
        ("externalsecret", "store_not_ready"): "eso_secretstore_ready",
        ("externalsecret", "not_ready"): "eso_externalsecret_ready",
        ("store", "not_ready"): "eso_secretstore_ready",
        ("store", "never_validated"): "eso_secretstore_ready",
        ("secret", "manual"): "eso_manual_secret_info",
    }
    for entry in CATALOGUE:
        assert entry.runbook in names, entry
        read = texts[entry.runbook]
        wanted = by_state.get((entry.kind, entry.id))
        whole = entry.kind in ("pushsecret", "clusterexternalsecret", "clusterpushsecret")
        if wanted:
            assert wanted in read, entry
        elif whole:
            assert f"eso_{entry.kind}_problem" in read, entry
        else:
            assert re.search(rf'problem=~?"[^"]*\b{entry.id}\b', read), entry


def _closure_text(alert: str) -> str:
    """The expressions of an alert and of the records it reads."""
    queue = [rule for rule in ALERTS if rule.name == alert]
    seen: list[Rule] = []
    while queue:
        rule = queue.pop()
        if rule not in seen:
            seen.append(rule)
            read = {metric for metric, _ in selectors(rule.expression)}
            queue += [other for other in ALL if other.name in read]
    return "\n".join(rule.body["expr"] for rule in seen)


def test_values_that_are_matched_exist() -> None:
    """Problems, error classes and severities in matchers are in the catalogue: a misspelt one would never fire."""
    problems = {entry.id for entry in CATALOGUE}
    known = {
        "problem": problems,
        "heals": {error.heals for error in ERRORS},
        "severity": set(SEVERITIES),
        "alertstate": {"firing"},
    }
    for rule in ALL:
        for _, matchers in selectors(rule.expression):
            for name, values in known.items():
                if name in matchers:
                    assert set(matchers[name].split("|")) <= values, (rule.title, matchers)


def test_no_family_has_a_label_that_prometheus_adds() -> None:
    """Else honor_labels would let ours win over the target's."""
    assert not [family.name for family in FAMILIES if ADDED & set(family.labels)]
