"""Vault: can it serve, which node cannot and why, and who reads from it."""

from __future__ import annotations

from dashboards import mappings, problems
from dashboards.colours import CRITICAL, INFO, OK, WARNING
from dashboards.model import Dashboard, Link, Panel, Query, Row
from dashboards.panels import BarGauge, Column, Stat, StateTimeline, Table, TimeSeries
from dashboards.promql import NODE, STORE, C, known, node_state, one_of, or_row, vault_state
from dashboards.variables import (
    ANNOTATIONS,
    CLUSTER,
    KEEP,
    OVERVIEW,
    VAULT,
    VAULTS,
    datasource,
    links,
    runbooks,
)

V = f'{C},vault=~"$vault"'
WINDOW = "$__rate_interval"
NO_VAULT = "No data: no Vault is known, or no exporter has reported"


_NODE_COLUMNS = (
    Column(field="cluster", title="Cluster", width=90),
    Column(
        field="vault",
        title="Vault",
        width=110,
        link=Link(
            title="All about this Vault",
            url=f"/d/{VAULT}?var-vault=${{__value.raw}}&${{cluster:queryparam}}&{KEEP}",
        ),
    ),
    Column(field="node", title="Node", width=140),
    Column(field="Value #A", title="State", width=140, mappings=[mappings.NODE_STATES], coloured=True),
    Column(field="error", title="Why", width=110, mappings=[mappings.empty("–")]),
    Column(field="Value #E", title="Unsealing", width=110, unit="percentunit", thresholds=((None, INFO),), gauge=True),
    Column(field="Value #D", title="Answers in", width=90, unit="s"),
    Column(field="Value #F", title="Certificate ends", width=130, unit="dateTimeFromNow", empty="no TLS"),
    Column(field="Value #G", title="Clock is off by", width=120, unit="s", decimals=1),
    Column(field="version", title="Version", width=110),
    Column(field="product", title="Product", width=110),
    Column(field="seal_type", title="Seal", width=110),
    Column(field="Value #H", title="Last probe", width=140, unit="dateTimeFromNow"),
)


def nodes_table(matchers: str, width: int, height: int, *, short: bool = False) -> Table:
    """One row a node: state, answer, certificate, clock, unsealing; `short` leaves out what is not needed at a glance."""
    info = f"eso_vault_info{{{matchers}}}"

    def fact(family: str, merge: str = "max") -> str:
        return f"{merge} by ({NODE}) ({family}{{{matchers}}})"

    errors = one_of(NODE, "error", f"eso_vault_probe_error{{{matchers}}}")
    hidden = ("Value #G", "Value #H", "version", "product", "seal_type") if short else ()
    return Table(
        title="Nodes",
        description="What each Vault node says of itself, as an unauthenticated health probe sees it. An address taken from a store may "
        "lead to another node each time.",
        queries=[
            Query(
                expr=or_row(f"({node_state(matchers)})", "clustersecretstores", vault="no Vault is known"), table=True
            ),
            Query(expr=one_of(NODE, "version, product, seal_type", info), table=True),
            Query(expr=errors, table=True),
            Query(expr=fact("eso_vault_probe_duration_seconds"), table=True),
            Query(expr=f"{fact('eso_vault_unseal_progress')} / {fact('eso_vault_unseal_threshold')}", table=True),
            Query(expr=f"{fact('eso_vault_tls_not_after_timestamp_seconds', 'min')} * 1000", table=True),
            Query(expr=fact("eso_vault_clock_offset_seconds"), table=True),
            Query(expr=fact("eso_vault_last_probe_timestamp_seconds") + " * 1000", table=True),
        ],
        width=width,
        height=height,
        columns=[column for column in _NODE_COLUMNS if column.field not in hidden],
        left_out=("Value #B", "Value #C", *hidden),
        sort=[("Vault", False), ("Node", False)],
        no_value=NO_VAULT,
    )


def nodes_timeline(matchers: str, width: int, height: int) -> StateTimeline:
    """The state of each node over time."""
    return StateTimeline(
        title="Nodes over time",
        description="Which node was active, standby, sealed or did not answer. Each change of the green one is a new leader.",
        queries=[Query(expr=node_state(matchers, WINDOW), legend="{{cluster}} {{vault}} {{node}}")],
        width=width,
        height=height,
        mappings=[mappings.NODE_STATES],
        max_data_points=180,
        no_value=NO_VAULT,
    )


def users(state: str = "") -> str:
    """How many ExternalSecrets read from each of the Vaults."""
    matchers = f'{V},state="{state}"' if state else V
    return f"sum by (cluster, vault) (max by ({STORE}, vault, state) (eso_secretstore_externalsecrets{{{matchers}}}))"


def reading() -> str:
    """The ExternalSecrets that read from one of the Vaults."""
    return f"max by (cluster, namespace, name) (eso_externalsecret_store_info{{{V}}})"


def _stats() -> list[Panel]:
    nodes = f"max by ({NODE}) (eso_vault_up{{{V}}})"
    soon = f"min by (cluster, namespace, name) (eso_externalsecret_next_sync_timestamp_seconds{{{C}}}) - time() < 3600"
    leaders = f"sum by (cluster, vault) (max by ({NODE}) (changes(eso_vault_active{{{V}}}[$__range])))"
    ends = f"min(min by ({NODE}) (eso_vault_tls_not_after_timestamp_seconds{{{V}}}))"
    return [
        Stat(
            title="State",
            description="SERVING: some node is initialized, unsealed and active. NODE DOWN: it serves, yet a node does not. All else means that nothing syncs or rotates; pods keep "
            "the Secrets they have.",
            queries=[
                Query(
                    expr=f"topk(4, {vault_state(V)}) or on () 9 + {known('clustersecretstores')}",
                    legend="{{cluster}} {{vault}}",
                    instant=True,
                )
            ],
            width=6,
            height=4,
            mappings=[mappings.VAULT_STATES],
            text="value_and_name",
            no_value="No data",
        ),
        Stat(
            title="Nodes that answer",
            description="How many of the known nodes answered their last health probe.",
            queries=[
                Query(expr=f"sum({nodes})", legend="answer", instant=True),
                Query(expr=f"count({nodes})", legend="known", instant=True),
            ],
            width=4,
            height=4,
            unit="short",
            thresholds=((None, CRITICAL), (1, OK)),
            text="value_and_name",
            plain=["known"],
            no_value="No data",
        ),
        Stat(
            title="Read from it",
            description="ExternalSecrets that read from this Vault through some store: who is hit when it cannot serve.",
            queries=[
                Query(expr=f"sum({users()})", legend="all", instant=True),
                Query(expr=f"sum({users('not_ready')})", legend="not ready", instant=True),
            ],
            width=4,
            height=4,
            unit="short",
            thresholds=((None, OK), (1, CRITICAL)),
            text="value_and_name",
            plain=["all"],
            links=[Link(title="The overview", url=f"/d/{OVERVIEW}?" + "${cluster:queryparam}&" + KEEP)],
            no_value="No store leads to it",
        ),
        Stat(
            title="Would fail within an hour",
            description="ExternalSecrets that read from it within the next hour: they fail if it cannot serve by then.",
            queries=[
                Query(
                    expr=f"count(({soon}) and on (cluster, namespace, name) {reading()}) or {known('externalsecrets')}",
                    legend="within an hour",
                    instant=True,
                )
            ],
            width=4,
            height=4,
            unit="short",
            thresholds=((None, INFO),),
            no_value="No data",
        ),
        Stat(
            title="Leader changes",
            description="How often another node became the active one, in the chosen time range. Several in a day point to a "
            "struggling storage or network.",
            queries=[Query(expr=f"sum(ceil({leaders} / 2))", legend="changes", instant=True)],
            width=3,
            height=4,
            unit="short",
            thresholds=((None, OK), (3, WARNING)),
            no_value="No data",
        ),
        Stat(
            title="Certificate ends in",
            description="When the first of the nodes' TLS certificates ends. Without TLS there is none.",
            queries=[
                Query(expr=f"({ends} - time()) / 86400 or on () -1 + 0 * max({nodes})", legend="ends", instant=True)
            ],
            width=3,
            height=4,
            unit="d",
            decimals=0,
            mappings=[mappings.values({"-1": "no TLS"})],
            thresholds=((None, WARNING), (-0.5, CRITICAL), (14, OK)),
            no_value="No data",
        ),
    ]


def _stores() -> Table:
    by = f"{STORE}, vault"

    def how_many(state: str) -> str:
        return f'max by ({STORE}) (eso_secretstore_externalsecrets{{{V},state="{state}"}})'

    return Table(
        title="Stores that lead to it, and who is hit",
        description="Each store of this Vault, with the ExternalSecrets that read through it by state.",
        queries=[
            Query(
                expr=or_row(
                    f"min by ({by}) (eso_secretstore_ready{{{V}}})", "clustersecretstores", store="no store leads to it"
                ),
                table=True,
            ),
            Query(expr=one_of(STORE, "mount, auth, owner", f"(eso_secretstore_info{{{V}}})"), table=True),
            Query(expr=how_many("ready"), table=True),
            Query(expr=how_many("not_ready"), table=True),
            Query(expr=how_many("unknown"), table=True),
        ],
        width=16,
        height=8,
        columns=[
            Column(field="cluster", title="Cluster", width=80),
            Column(field="store_namespace", title="Namespace", width=110, mappings=[mappings.empty("all")]),
            Column(
                field="store",
                title="Store",
                width=180,
                link=Link(
                    title="What reads from this store",
                    url=f"/d/{OVERVIEW}?var-store=${{__value.raw}}&${{cluster:queryparam}}&{KEEP}",
                ),
            ),
            Column(field="Value #A", title="State", width=110, mappings=[mappings.STORE_STATES], coloured=True),
            Column(
                field="Value #D", title="Not ready", width=90, unit="short", thresholds=((None, "text"), (1, CRITICAL))
            ),
            Column(field="Value #C", title="Ready", width=70, unit="short"),
            Column(field="Value #E", title="No status", width=90, unit="short"),
            Column(field="mount", title="Mount", width=100),
            Column(field="auth", title="Login", width=90),
            Column(field="owner", title="Owner", width=110, mappings=[mappings.NOBODY], empty="nobody named"),
        ],
        left_out=("store_kind", "vault", "Value #B"),
        sort=[("Not ready", True)],
        no_value=NO_VAULT,
    )


def _over_time() -> Row:
    sealed = f"max by ({NODE}) (eso_vault_sealed{{{V}}})"
    progress = (
        f"max by ({NODE}) (eso_vault_unseal_progress{{{V}}}) / max by ({NODE}) (eso_vault_unseal_threshold{{{V}}})"
    )
    return Row(
        "Over time",
        [
            nodes_timeline(V, 24, 6),
            TimeSeries(
                title="How long a health probe takes",
                description="Time of the last probe of each node, all requests of it together. A slow node answers ESO slowly too.",
                queries=[
                    Query(
                        expr=f"max by ({NODE}) (max_over_time(eso_vault_probe_duration_seconds{{{V}}}[{WINDOW}]))",
                        legend="{{cluster}} {{vault}} {{node}}",
                    )
                ],
                width=8,
                height=8,
                unit="s",
                no_value=NO_VAULT,
            ),
            TimeSeries(
                title="Unsealing: key shares entered",
                description="100 % is unsealed. A sealed node shows the share of the needed keys that were entered so far; one that "
                "stands still below 100 % waits for somebody. A gap is a node that did not answer.",
                queries=[
                    Query(
                        expr=f"{progress} or on ({NODE}) 1 + ({sealed} == 0)",
                        legend="{{cluster}} {{vault}} {{node}}",
                    )
                ],
                width=8,
                height=8,
                unit="percentunit",
                maximum=1,
                steps=True,
                no_value=NO_VAULT,
            ),
            TimeSeries(
                title="Failed probes, by reason",
                description="Nodes whose last probe failed. Zero is healthy.",
                queries=[
                    Query(
                        expr=f"count by (error) (max by ({NODE}, error) (eso_vault_probe_error{{{V}}}))",
                        legend="{{error}}",
                    ),
                    Query(expr=f"0 * max(eso_vault_up{{{V}}})", legend="none"),
                ],
                width=8,
                height=8,
                unit="short",
                decimals=0,
                at_least=1,
                steps=True,
                no_value=NO_VAULT,
            ),
        ],
    )


def _hit() -> Row:
    not_ready = f"min by (cluster, namespace, name) (eso_externalsecret_ready{{{C}}} == 0) and on (cluster, namespace, name) {reading()}"
    return Row(
        "Who is hit",
        [
            _stores(),
            BarGauge(
                title="Not ready, by namespace",
                description="ExternalSecrets that read from this Vault and are not ready, by namespace: whom to tell. At most 20.",
                queries=[
                    Query(
                        expr=f"topk(20, count by (cluster, namespace) ({not_ready}))"
                        f' or on () label_replace({known("externalsecrets")}, "namespace", "none", "", "")',
                        legend="{{cluster}} {{namespace}}",
                        instant=True,
                    )
                ],
                width=8,
                height=8,
                unit="short",
                decimals=0,
                thresholds=((None, OK), (1, CRITICAL)),
            ),
        ],
    )


def dashboard() -> Dashboard:
    """The dashboard of a Vault."""
    return Dashboard(
        uid=VAULT,
        title="Secrets / Vault",
        description="Can Vault serve, which of its nodes cannot and why, and who reads from it.",
        variables=[datasource(), CLUSTER, VAULTS, runbooks()],
        annotations=ANNOTATIONS,
        links=links(),
        rows=[
            Row("Now", _stats()),
            Row(
                "What needs action",
                [
                    problems.table(
                        "Needs action at this Vault, worst first",
                        "Present problems of this Vault, its nodes and the stores that lead to it: what, since when, why, and the "
                        "first command to run. The last column leads to the runbook.",
                        problems.of_one_vault(V),
                        height=9,
                    )
                ],
            ),
            Row("Nodes", [nodes_table(V, 24, 6)]),
            _hit(),
            _over_time(),
        ],
    )
