"""Every query of every dashboard on a real Prometheus: with live data of the lab, and with a healthy and a bad day.

The days are simulated (`tests/dashboards/day.py`), told by the real judge and exposition, and back-filled: clusters `calm`
and `prod`. What the lab's own exporter says has no label `cluster`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from dashboards import mappings
from dashboards.files import all_dashboards
from tests.dashboards.day import HOUR, SEAL, Day
from tests.dashboards.grafana import Asked, Json, Moment, asked, interpolated, label_values, variables
from tests.dashboards.test_answers import mapped
from tests.lab import objects
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, Exporter, install_rbac
from tests.lab.history import filled
from tests.lab.loopback import TIMEOUT, new_session
from tests.lab.monitoring import Prometheus, Sample, Series
from tests.lab.servers import Lab

DASHBOARDS: dict[str, Json] = {dashboard.uid: dashboard.json() for dashboard in all_dashboards()}
OVERVIEW, EXTERNALSECRET, MIGRATION, VAULT, EXPORTER = DASHBOARDS
LIVE = "dashboards-live"
"""The namespace of the live ExternalSecret."""


@dataclass
class Stage:
    """A Prometheus that knows two days and the present."""

    prometheus: Prometheus
    end: float

    def moment(self, cluster: str, ago: float = 0.0, **chosen: Sequence[str]) -> Moment:
        """A moment of one of the days; `ago` are hours before its end."""
        return Moment(self.end - ago * HOUR, chosen={"cluster": [cluster], **chosen})

    def live(self, **chosen: Sequence[str]) -> Moment:
        """Now, in the lab."""
        return Moment(time.time(), span=900, scrape=1.0, chosen={"cluster": [""], **chosen})

    def answer(self, query: Asked, moment: Moment) -> list[Sample] | list[Series]:
        """What Prometheus says; an AssertionError when it refuses."""
        if query.step is None:
            return list(self.prometheus.query(query.expr, moment.end))
        return self.prometheus.query_range(query.expr, moment.end - moment.span, moment.end, query.step)

    def panel(self, uid: str, title: str, moment: Moment, ref: str = "A") -> list[Any]:
        """The answers to one query of one panel."""
        [query] = [
            each
            for each in asked(DASHBOARDS[uid], moment)
            if each.panel["title"] == title and each.target["refId"] == ref
        ]
        return list(self.answer(query, moment))

    def value(self, uid: str, title: str, moment: Moment, ref: str = "A") -> float:
        """The only value of a panel."""
        found = self.panel(uid, title, moment, ref)
        assert len(found) == 1, f"{title}: {found}"
        return float(found[0].value)

    def rows(self, uid: str, moment: Moment) -> list[Sample]:
        """The table of what needs action, as Grafana sorts it."""
        title = next(panel for panel in asked_titles(uid) if panel.startswith("Needs action"))
        return sorted(self.panel(uid, title, moment), key=lambda row: (row.labels["severity"], row.value))


def asked_titles(uid: str) -> list[str]:
    moment = Moment(0.0, chosen={"name": ["x"]})
    return [each.panel["title"] for each in asked(DASHBOARDS[uid], moment)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("dashboards")
    end = float(int(time.time() - 60) // 30 * 30)
    days = (Day(end, bad, name).openmetrics() for bad, name in ((True, "prod"), (False, "calm")))
    prometheus = filled(folder, "dashboards-prometheus", days)
    try:
        prometheus.start()
        yield Stage(prometheus, end)
    finally:
        prometheus.stop()


@pytest.fixture(scope="module")
def live(stage: Stage, lab: Lab, store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with the lab on it: one ExternalSecret syncs, one Secret was made by hand."""
    folder, cluster = tmp_path_factory.mktemp("dashboards-live"), lab.cluster
    install_rbac(cluster)
    exporter = Exporter(folder, cluster.service_account_kubeconfig(folder / "kubeconfig", NAMESPACE, ACCOUNT))
    lab.openbao.put("secret/dashboards", {"password": "not-shown"})
    one = objects.external_secret(LIVE, "db.main", path="dashboards", keys=["password"], store=store)
    cluster.apply(objects.namespace(LIVE), one)
    cluster.wait_ready(one)
    cluster.create(objects.secret(LIVE, "by-hand", {"key": "not-shown"}), manager="kubectl-create")
    try:
        exporter.start()
        stage.prometheus.configure({"vault-eso-exporter": exporter.target})
        stage.prometheus.wait_for_value(f'eso_externalsecret_ready{{namespace="{LIVE}",cluster=""}}', 1)
        stage.prometheus.wait_for_value(f'eso_manual_secrets{{namespace="{LIVE}",cluster=""}}', 1)
        stage.prometheus.wait_for('eso_vault_available{cluster=""}')
        yield stage
    finally:
        stage.prometheus.configure({})
        exporter.stop()
        cluster.delete(objects.namespace(LIVE), wait=False)


CHOSEN: Mapping[str, Sequence[str]] = {"namespace": ["observability"], "name": ["alerting-pagerduty"]}


def chosen(uid: str) -> Mapping[str, Sequence[str]]:
    return CHOSEN if uid == EXTERNALSECRET else {}


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_no_panel_is_empty_on_the_bad_day(stage: Stage, uid: str) -> None:
    moment = stage.moment("prod", **chosen(uid))
    found: dict[str, int] = {}
    for query in asked(DASHBOARDS[uid], moment):
        title = query.panel["title"]
        found[title] = found.get(title, 0) + len(stage.answer(query, moment))
    assert [title for title, count in found.items() if not count] == []


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_no_panel_is_empty_on_the_healthy_day(stage: Stage, uid: str) -> None:
    """Healthy is never empty: it is a zero, a word, or a row that tells what was looked at."""
    moment = stage.moment("calm", **chosen(uid))
    found: dict[str, int] = {}
    for query in asked(DASHBOARDS[uid], moment):
        title = query.panel["title"]
        found[title] = found.get(title, 0) + len(stage.answer(query, moment))
    assert [title for title, count in found.items() if not count] == []


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_every_query_runs_on_live_data(live: Stage, uid: str) -> None:
    names = {"namespace": [LIVE], "name": ["db.main"]} if uid == EXTERNALSECRET else {}
    moment = live.live(**names)
    answered = [bool(live.answer(query, moment)) for query in asked(DASHBOARDS[uid], moment)]
    assert sum(answered) > len(answered) / 2


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_everything_is_empty_where_nobody_looks(stage: Stage, uid: str) -> None:
    """No exporter, no number: never a zero, never "ready"."""
    moment = stage.moment("nowhere", **chosen(uid))
    told = [str(query) for query in asked(DASHBOARDS[uid], moment) if stage.answer(query, moment)]
    assert told == []


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_variables_annotations_and_legends(stage: Stage, uid: str) -> None:
    dashboard, moment = DASHBOARDS[uid], stage.moment("prod", **chosen(uid))
    session = new_session()
    for spec in variables(dashboard):
        if spec["type"] != "query":
            continue
        selector, label = label_values(dashboard, spec, moment)
        url = f"{stage.prometheus.address}/api/v1/label/{label}/values"
        span = {"start": moment.end - moment.span, "end": moment.end}
        values = session.get(url, params={"match[]": selector, **span}, timeout=TIMEOUT).json()["data"]
        assert values, spec["name"]
        if spec["name"] == "cluster":
            assert set(values) == {"calm", "prod"}
    for annotation in dashboard["annotations"]["list"]:
        expr = interpolated(dashboard, annotation["expr"], moment, 60)
        found = stage.prometheus.query_range(expr, moment.end - moment.span, moment.end, 60)
        assert found, annotation["name"]
        assert annotation["tagKeys"] in found[0].labels
    for query in asked(dashboard, moment):
        named = set(re.findall(r"\{\{(\w+)\}\}", query.target["legendFormat"]))
        answers = stage.answer(query, moment)
        if answers and not query.panel["title"].startswith("Store"):  # a store of the whole cluster has no namespace
            assert named - {"store_namespace"} <= {label for one in answers for label in one.labels}, query


def test_the_healthy_day(stage: Stage) -> None:
    moment = stage.moment("calm")
    objects_looked_at = 11
    assert stage.value(OVERVIEW, "Vault", moment) == 1  # serving
    assert stage.value(OVERVIEW, "Stores not ready", moment) == 0
    assert stage.value(OVERVIEW, "ExternalSecrets not ready", moment) == 0
    assert stage.value(OVERVIEW, "Ready", moment) == 1
    assert stage.value(OVERVIEW, "Manual Secrets", moment) == 0
    assert stage.value(OVERVIEW, "Oldest sync", moment) <= HOUR
    assert stage.panel(OVERVIEW, "Oldest sync", moment, "B") == []  # none is overdue
    assert stage.value(OVERVIEW, "Exporter", moment) == 1
    [row] = stage.rows(OVERVIEW, moment)
    assert row.labels["severity"] == "4 none"
    assert row.labels["what"] == f"none/externalsecret/{objects_looked_at}"
    for uid, kind in ((MIGRATION, "secret"), (VAULT, "vault")):
        [row] = stage.rows(uid, moment)
        assert row.labels["what"].startswith(f"none/{kind}/")

    timeline = "Vault, stores, and the ExternalSecrets that were bad"
    [vault] = stage.panel(OVERVIEW, timeline, moment)
    assert {value for _, value in vault.points} == {11}
    stores = stage.panel(OVERVIEW, timeline, moment, "B")
    assert [{value for _, value in one.points} for one in stores] == [{1}] * 3
    assert stage.panel(OVERVIEW, timeline, moment, "C") == []
    [total] = stage.panel(OVERVIEW, "ExternalSecrets not ready, by store", moment, "B")
    assert {value for _, value in total.points} == {0}
    assert {v for one in stage.panel(OVERVIEW, "Problems, by severity", moment) for _, v in one.points} == {0}
    used = stage.panel(OVERVIEW, "Oldest syncs, against what is allowed", moment)
    assert len(used) == objects_looked_at
    assert max(one.value for one in used) <= 0.51
    assert {one.value for one in stage.panel(OVERVIEW, "The External Secrets Operator", moment, "C")} == {1}

    assert stage.value(MIGRATION, "Progress", moment) == 1
    assert stage.value(MIGRATION, "Made in the last day", moment) == 0
    assert stage.value(MIGRATION, "Accepted exceptions", moment) == 1
    assert stage.value(MIGRATION, "Accepted exceptions", moment, "B") == 0
    assert stage.value(VAULT, "Leader changes", moment) == 0
    assert stage.value(VAULT, "Read from it", moment, "B") == 0
    assert {v for one in stage.panel(VAULT, "Unsealing: key shares entered", moment) for _, v in one.points} == {1}
    states = {one.labels["resource"]: one.value for one in stage.panel(EXPORTER, "Watches", moment)}
    assert states.pop("clusterpushsecrets") == 0  # not installed, which is no fault
    assert set(states.values()) == {1}
    assert stage.value(EXPORTER, "Exceptions that fit nothing", moment) == 0
    assert stage.value(EXTERNALSECRET, "State", stage.moment("calm", **CHOSEN)) == 1


def test_while_vault_is_sealed(stage: Stage) -> None:
    moment = stage.moment("prod", ago=SEAL - 0.6)
    assert stage.value(OVERVIEW, "Vault", moment) == 3  # sealed
    assert stage.value(OVERVIEW, "ExternalSecrets not ready", moment) >= 4
    assert stage.value(OVERVIEW, "Stores not ready", moment) == 0  # ESO has not noticed: the Vault itself must be shown
    first = stage.rows(OVERVIEW, moment)[0]
    assert (
        first.labels.items()
        >= {
            "severity": "1 critical",
            "what": "vault/unavailable",
            "error": "sealed",
            "object": "main",
            "hit": "ExternalSecrets: 12",
        }.items()
    )
    assert abs(first.value / 1000 - (stage.end - SEAL * HOUR)) < 60
    assert mapped(mappings.advice(), first.labels["advice"]) == "curl -s $VAULT_ADDR/v1/sys/seal-status"
    classes = {
        row.labels.get("error")
        for row in stage.rows(OVERVIEW, moment)
        if row.labels["what"] == "externalsecret/not_ready"
    }
    assert classes == {"vault_sealed"}
    [vault] = stage.panel(OVERVIEW, "Vault, stores, and the ExternalSecrets that were bad", moment)
    assert {value for _, value in vault.points} == {11, 13}
    assert stage.rows(VAULT, moment)[0].labels["what"] == "vault/unavailable"
    assert stage.value(VAULT, "Nodes that answer", moment) == 3


def test_the_end_of_the_bad_day(stage: Stage) -> None:
    moment = stage.moment("prod")
    rows = stage.rows(OVERVIEW, moment)
    told = {(row.labels["kind"], row.labels["object"], row.labels["problem"]) for row in rows}
    assert told >= {
        ("store", "staging/staging-vault", "not_ready"),
        ("store", "staging/staging-vault", "credentials_missing"),
        ("externalsecret", "reports/warehouse", "overdue"),
        ("externalsecret", "observability/alerting-pagerduty", "not_ready"),
        ("externalsecret", "staging/preview-login", "not_ready"),
        ("secret", "shop/quick-fix", "manual"),
        ("secret", "keybuzz-client-dev/keybuzz-auth", "manual"),
        ("secret", "reports/legacy-sftp", "exception_expired"),
        ("secret", "shop/search", "hand_edited"),
        ("operator", "external-secrets/webhook", "degraded"),
        ("vault", "main/vault-2", "node_sealed"),
    }
    assert len(rows) == len(told)  # none stands there twice
    assert [row.labels["severity"] for row in rows] == sorted(row.labels["severity"] for row in rows)
    [why] = [row for row in rows if row.labels["object"] == "observability/alerting-pagerduty"]
    assert (
        why.labels.items()
        >= {"error": "path_missing", "store": "vault-backend", "hit": "Secret alerting-pagerduty"}.items()
    )
    [late] = [row for row in rows if row.labels["object"] == "reports/warehouse"]
    assert late.labels["owner"] == "team-data"
    [manual] = [row for row in rows if row.labels["object"] == "keybuzz-client-dev/keybuzz-auth"]
    assert manual.labels["owner"] == "team-keybuzz"

    assert stage.value(OVERVIEW, "Vault", moment) == 2  # serves, yet a node is down
    assert stage.value(OVERVIEW, "Manual Secrets", moment) == 3
    assert stage.value(OVERVIEW, "Oldest sync", moment, "B") >= 1
    bad = stage.panel(OVERVIEW, "Vault, stores, and the ExternalSecrets that were bad", moment, "C")
    by_name = {one.labels["name"]: {value for _, value in one.points} for one in bad}
    assert by_name["checkout.payments"] == {0, 1}
    assert by_name["warehouse"] >= {0.5, 1}
    assert stage.value(VAULT, "Leader changes", moment) == 1
    burn_down = stage.panel(MIGRATION, "Manual Secrets left, by namespace", moment)
    assert {one.labels["namespace"] for one in burn_down} >= {
        "keybuzz-api-dev",
        "keybuzz-client-dev",
        "shop",
        "reports",
    }
    assert stage.value(MIGRATION, "Made in the last day", moment) == 1
    progress = {one.labels["namespace"]: one.value for one in stage.panel(MIGRATION, "Namespaces", moment, "D")}
    assert progress["keybuzz-client-dev"] == 0  # one manual Secret, none from Vault
    assert progress["keybuzz-api-dev"] == 1
    assert "default" not in progress  # nothing to move


def test_every_row_leads_to_where_its_problem_is_shown_again(stage: Stage) -> None:
    moment = stage.moment("prod")
    for row in stage.rows(OVERVIEW, moment):
        place = mapped(mappings.places(), row.labels["link"])
        assert place is not None
        uid, _, query = place.partition("?")
        variables_of_link = dict(re.findall(r"var-(\w+)=([^&]*)", query))
        there = stage.moment("prod", **{name: [value] for name, value in variables_of_link.items()})
        again = {(each.labels["object"], each.labels["problem"]) for each in stage.rows(uid, there)}
        assert (row.labels["object"], row.labels["problem"]) in again, (place, row.labels)
        assert mapped(mappings.runbooks(), row.labels["runbook"])


def test_a_name_with_a_dot_chooses_itself_alone(stage: Stage) -> None:
    moment = stage.moment("prod", namespace=["shop"], name=["checkout.payments"])
    [state] = stage.panel(EXTERNALSECRET, "State", moment)
    assert state.labels["name"] == "checkout.payments"
    both = stage.moment("prod", namespace=["shop"], name=["checkout.payments", "checkout-payments"])
    assert len(stage.panel(EXTERNALSECRET, "State", both)) == 2
    gone = stage.moment("prod", namespace=["shop"], name=["no-such"])
    assert stage.value(EXTERNALSECRET, "State", gone) == 3  # does not exist


def test_a_chosen_store_narrows_everything(stage: Stage) -> None:
    moment = stage.moment("prod", store=["staging-vault"])
    assert stage.value(OVERVIEW, "ExternalSecrets not ready", moment) == 1
    assert stage.value(OVERVIEW, "Ready", moment) == 0
    kinds = {row.labels["kind"] for row in stage.rows(OVERVIEW, moment)}
    assert kinds == {"store", "externalsecret", "vault", "operator"}


def test_the_lab_now(live: Stage) -> None:
    moment = live.live(namespace=[LIVE])
    assert live.value(OVERVIEW, "ExternalSecrets not ready", moment) == 0
    assert live.value(OVERVIEW, "Ready", moment) == 1
    assert live.value(OVERVIEW, "Manual Secrets", moment) == 1
    assert live.value(OVERVIEW, "Exporter", moment) == 1
    rows = {
        (row.labels["object"], row.labels["problem"])
        for row in live.rows(OVERVIEW, moment)
        if row.labels.get("namespace") == LIVE
    }
    assert rows == {(f"{LIVE}/by-hand", "manual")}
    one = live.live(namespace=[LIVE], name=["db.main"])
    assert live.value(EXTERNALSECRET, "State", one) == 1
    assert abs(live.value(EXTERNALSECRET, "Last sync", one) / 1000 - time.time()) < HOUR
    [vault] = live.panel(EXTERNALSECRET, "Vault", one)
    assert vault.value == 1
    [made] = live.panel(MIGRATION, "Secrets made by hand", live.live(namespace=[LIVE]))
    assert made.labels.items() >= {"secret": "by-hand", "creator": "kubectl-create"}.items()
