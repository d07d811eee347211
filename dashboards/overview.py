"""Overview: is all well, what needs action, when did it break, whose fault is it; in the order in which one asks."""

from __future__ import annotations

from dashboards import mappings, problems
from dashboards.colours import CRITICAL, INFO, OK, WARNING
from dashboards.exporter import health
from dashboards.exporter import row as exporter_row
from dashboards.model import Dashboard, Link, Query, Row
from dashboards.panels import BarGauge, Column, Stat, StateTimeline, Table, TimeSeries
from dashboards.promql import (
    NS,
    OBJECT,
    STORE,
    C,
    counted,
    externalsecrets,
    known,
    not_ready,
    not_ready_over_time,
    of_chosen,
    or_row,
    stores_missing,
    stores_ready,
    vault_state,
)
from dashboards.timeline import causes, state_timeline, states
from dashboards.variables import (
    ANNOTATIONS,
    CLUSTER,
    EXPORTER,
    EXTERNALSECRET,
    KEEP,
    MIGRATION,
    NAMESPACE,
    OVERVIEW,
    VAULT,
    datasource,
    links,
    runbooks,
)
from dashboards.variables import (
    STORE as STORE_VARIABLE,
)
from dashboards.vault import nodes_table, nodes_timeline

NONE_IS_GOOD = ((None, OK), (1, CRITICAL))
SOME_ARE_BAD = ((None, OK), (1, WARNING))


def now() -> Row:
    """The answer of five seconds."""
    filters = "${cluster:queryparam}&" + KEEP
    last_sync = of_chosen("eso_externalsecret_last_sync_timestamp_seconds")
    due = of_chosen("eso_externalsecret_sync_deadline_timestamp_seconds")
    return Row(
        "Now",
        [
            Stat(
                title="Vault",
                description="Can each Vault serve? NODE DOWN: it serves, yet one of its nodes does not. "
                "Sealed, not initialized, unreachable and without an active node all mean: nothing syncs or rotates, pods keep the Secrets they have.",
                queries=[
                    Query(
                        expr=f"topk(4, {vault_state()}) or on () 9 + {known('clustersecretstores')}",
                        legend="{{cluster}} {{vault}}",
                        instant=True,
                    )
                ],
                width=5,
                height=4,
                mappings=[mappings.VAULT_STATES],
                text="value_and_name",
                links=[Link(title="Nodes, latency, unsealing", url=f"/d/{VAULT}?{filters}")],
                no_value="No data",
            ),
            Stat(
                title="Stores not ready",
                description="SecretStores and ClusterSecretStores that ESO cannot use, or that ExternalSecrets name though they do "
                "not exist. Each stops everything that reads from it.",
                queries=[
                    Query(
                        expr=counted(f"({stores_ready()} == 0) or {stores_missing()}", "clustersecretstores"),
                        legend="not ready",
                        instant=True,
                    )
                ],
                width=3,
                height=4,
                thresholds=NONE_IS_GOOD,
                no_value="No data",
            ),
            Stat(
                title="ExternalSecrets not ready",
                description="ExternalSecrets that do not say Ready=True. Their Secrets keep the last value, or were never written.",
                queries=[Query(expr=counted(not_ready(), "externalsecrets"), legend="not ready", instant=True)],
                width=4,
                height=4,
                thresholds=NONE_IS_GOOD,
                no_value="No data",
            ),
            Stat(
                title="Ready",
                description="The share of ExternalSecrets that say Ready=True.",
                queries=[
                    Query(
                        expr=f"avg(min by ({OBJECT}) ({externalsecrets('eso_externalsecret_ready')}))"
                        f" or on () 1 + {known('externalsecrets')}",
                        legend="ready",
                        instant=True,
                    )
                ],
                width=3,
                height=4,
                unit="percentunit",
                thresholds=((None, CRITICAL), (0.95, WARNING), (1, OK)),
                no_value="No data",
            ),
            Stat(
                title="Manual Secrets",
                description="Secrets made by hand that have no accepted exception: they do not come from Vault.",
                queries=[
                    Query(
                        expr=f"sum(max by (cluster, namespace) (eso_manual_secrets{{{NS}}}))",
                        legend="manual",
                        instant=True,
                    )
                ],
                width=3,
                height=4,
                thresholds=SOME_ARE_BAD,
                links=[
                    Link(
                        title="Which ones, made by whom", url=f"/d/{MIGRATION}?" + "${namespace:queryparam}&" + filters
                    )
                ],
                no_value="No data, or Secrets are not watched",
            ),
            Stat(
                title="Oldest sync",
                description="How long ago the ExternalSecret that waits longest was synced, of those that refresh by themselves; "
                "and how many have missed the sync that was due (twice the interval, at least 15 minutes more than it).",
                queries=[
                    Query(
                        expr=f"max(time() - ({last_sync} and on ({OBJECT}) {due})) or {known('externalsecrets')}",
                        legend="oldest",
                        instant=True,
                    ),
                    Query(
                        expr=counted(f"({due} < time()) and on ({OBJECT}) ({last_sync})", "externalsecrets") + " > 0",
                        legend="overdue",
                        instant=True,
                    ),
                ],
                width=3,
                height=4,
                unit="s",
                decimals=1,
                text="value_and_name",
                thresholds=((None, CRITICAL),),
                plain=["oldest"],
                counts=["overdue"],
                no_value="No data",
            ),
            Stat(
                title="Exporter",
                description="Is anybody looking? BLIND: a watch has shown no life for five minutes, so what stands here is old. "
                "STILL LISTING: the first list is not complete. MAY NOT READ ALL: the API server refuses a resource. "
                "No data: no exporter is scraped, and everything else here is unknown.",
                queries=[Query(expr=health(), legend="exporter", instant=True)],
                width=3,
                height=4,
                mappings=[mappings.EXPORTER_STATES],
                links=[Link(title="Watches, errors, memory", url=f"/d/{EXPORTER}?{filters}")],
                no_value="NOBODY IS LOOKING (no data)",
            ),
        ],
    )


def action() -> Row:
    """The list to work on."""
    return Row(
        "What needs action",
        [
            problems.table(
                "Needs action, worst first",
                "Every present problem of the chosen cluster, namespaces and stores: what, since when, why, whose, and the first "
                "command to run. The object leads to its own dashboard, the last column to the runbook. Problems of a Vault, of the "
                "operator and of cluster-wide objects are always shown; those without a store hide when a store is chosen.",
                problems.everything(),
            )
        ],
    )


def when() -> Row:
    """When it broke, and whether it is one or all of a store."""
    severity = "max by (cluster, kind, problem, severity) (eso_problem_info{" + C + "})"
    present = problems.since(f'{C},namespace=~"$namespace|"')
    return Row(
        "When did it break?",
        [
            state_timeline(
                "Vault, stores, and the ExternalSecrets that were bad",
                "Vaults on top, then stores, then those ExternalSecrets that were not ready, late or broken at some time in the "
                "range (at most 25, the longest bad ones). A Vault or store that broke first is the cause of what follows.",
                [
                    *causes(C),
                    Query(expr=states(), legend="{{cluster}} {{namespace}}/{{name}}"),
                ],
                height=11,
            ),
            TimeSeries(
                title="ExternalSecrets not ready, by store",
                description="Those that say Ready=False or were never synced. A block that rises at once is a Vault or a store; a single "
                "step is one ExternalSecret. At most 12 stores; the line is all.",
                queries=[
                    Query(expr=f"topk(12, {not_ready_over_time(STORE)})", legend="{{store_namespace}} {{store}}"),
                    Query(expr=counted(not_ready_over_time(OBJECT), "externalsecrets"), legend="all"),
                ],
                width=12,
                height=8,
                unit="short",
                decimals=0,
                stacked=True,
                alone=["all"],
                at_least=1,
                max_data_points=240,
            ),
            TimeSeries(
                title="Problems, by severity",
                description="All present problems of the chosen clusters and namespaces, also those that are not about an "
                "ExternalSecret.",
                queries=[
                    Query(
                        expr=f"count by (severity) ({present} * on (cluster, kind, problem) group_left (severity) {severity})"
                        f" or on (severity) 0 * max by (severity) (eso_problem_info{{{C}}})",
                        legend="{{severity}}",
                    )
                ],
                width=12,
                height=8,
                unit="short",
                decimals=0,
                stacked=True,
                colours={"critical": CRITICAL, "warning": WARNING, "info": INFO},
                at_least=1,
                max_data_points=240,
            ),
        ],
    )


def freshness() -> Row:
    """How old what the Secrets hold is, against what was asked for."""
    last = of_chosen("eso_externalsecret_last_sync_timestamp_seconds")
    deadline = of_chosen("eso_externalsecret_sync_deadline_timestamp_seconds")
    used = f"(time() - {last}) / ({deadline} - {last})"
    worst = f"topk(20, {used})"
    upcoming = of_chosen("eso_externalsecret_next_sync_timestamp_seconds")
    soon = (("in 15 minutes", 900), ("in an hour", 3600), ("in 6 hours", 21600))
    return Row(
        "Freshness",
        [
            Table(
                title="Oldest syncs, against what is allowed",
                description="The 20 ExternalSecrets that have used most of the age they may have: 100 % is twice the refresh interval "
                "(and at least 15 minutes more than it), from where the sync counts as missed. A healthy one stays below 50 %.",
                queries=[
                    Query(expr=or_row(worst, "externalsecrets", name="none refreshes by itself"), table=True),
                    Query(expr=f"time() - {last} and on ({OBJECT}) {worst}", table=True),
                    Query(
                        expr=f"{of_chosen('eso_externalsecret_refresh_interval_seconds')} and on ({OBJECT}) {worst}",
                        table=True,
                    ),
                    Query(expr=f"{upcoming} * 1000 and on ({OBJECT}) {worst}", table=True),
                ],
                width=16,
                height=9,
                columns=[
                    Column(field="cluster", title="Cluster", width=90),
                    Column(field="namespace", title="Namespace", width=150),
                    Column(
                        field="name",
                        title="ExternalSecret",
                        width=220,
                        link=Link(
                            title="Look closer",
                            url=f"/d/{EXTERNALSECRET}?var-namespace=${{__data.fields.namespace}}&var-name=${{__data.fields.name}}"
                            "&${cluster:queryparam}&" + KEEP,
                        ),
                    ),
                    Column(
                        field="Value #A",
                        title="Used of the allowed age",
                        width=200,
                        unit="percentunit",
                        thresholds=((None, OK), (0.6, WARNING), (1, CRITICAL)),
                        gauge=True,
                    ),
                    Column(field="Value #B", title="Last sync", width=130, unit="dtdurations"),
                    Column(field="Value #C", title="Interval", width=120, unit="dtdurations"),
                    Column(
                        field="Value #D", title="Next sync due", width=135, unit="dateTimeFromNow", empty="none is due"
                    ),
                ],
                sort=[("Used of the allowed age", True)],
            ),
            BarGauge(
                title="Would fail if Vault stayed away",
                description="How many ExternalSecrets read from their provider within that time, and would fail if it could not "
                "serve.",
                queries=[
                    Query(
                        expr=counted(f"({upcoming} - time()) < {seconds}", "externalsecrets"), legend=name, instant=True
                    )
                    for name, seconds in soon
                ],
                width=8,
                height=9,
                unit="short",
                decimals=0,
                thresholds=((None, INFO),),
            ),
        ],
    )


def operator() -> Row:
    """ESO itself."""
    component = "cluster, namespace, component"
    ready, desired = (
        f'max by ({component}) (eso_operator_replicas{{{C},state="{state}"}})' for state in ("ready", "desired")
    )
    return Row(
        "The operator",
        [
            Table(
                title="The External Secrets Operator",
                description="Replicas of each part of ESO. Without its controller nothing syncs, and every ExternalSecret goes on "
                "saying what it said last.",
                queries=[
                    Query(
                        expr=or_row(ready, "deployments", component="no Deployment of ESO was found"),
                        table=True,
                    ),
                    Query(expr=desired, table=True),
                    Query(
                        expr=f"{ready} >= bool {desired}",
                        table=True,
                    ),
                ],
                width=12,
                height=6,
                columns=[
                    Column(field="cluster", title="Cluster", width=90),
                    Column(field="namespace", title="Namespace", width=170),
                    Column(field="component", title="Part", width=180),
                    Column(
                        field="Value #C",
                        title="State",
                        width=150,
                        mappings=[mappings.values({"0": ("short of replicas", CRITICAL), "1": ("complete", OK)})],
                        coloured=True,
                    ),
                    Column(field="Value #A", title="Ready", width=80, unit="short"),
                    Column(field="Value #B", title="Wanted", width=80, unit="short"),
                ],
            ),
            StateTimeline(
                title="Parts of ESO over time",
                description="Whether each part had all its replicas.",
                queries=[
                    Query(
                        expr=f'min by ({component}) (min_over_time(eso_operator_replicas{{{C},state="ready"}}[$__rate_interval]))'
                        f" >= bool {desired}",
                        legend="{{namespace}} {{component}}",
                    )
                ],
                width=12,
                height=6,
                mappings=[mappings.values({"0": ("short of replicas", CRITICAL), "1": ("complete", OK)})],
                max_data_points=150,
                no_value="No data: no Deployment of ESO was found, or no exporter has reported",
            ),
        ],
    )


def dashboard() -> Dashboard:
    """The first dashboard that anybody opens."""
    return Dashboard(
        uid=OVERVIEW,
        title="Secrets / Overview",
        description="Does every Secret come from Vault through the External Secrets Operator, and if not: which, since when, why, and "
        "what to do.",
        variables=[datasource(), CLUSTER, NAMESPACE, STORE_VARIABLE, runbooks()],
        annotations=ANNOTATIONS,
        links=links(),
        rows=[
            now(),
            action(),
            when(),
            freshness(),
            Row("Vault", [nodes_table(C, width=14, height=8, short=True), nodes_timeline(C, width=10, height=8)]),
            operator(),
            exporter_row(),
        ],
    )
