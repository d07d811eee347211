"""Migration: how many Secrets are still made by hand, where, by whom, and how fast they become fewer."""

from __future__ import annotations

from dashboards import mappings, problems
from dashboards.colours import CRITICAL, INFO, OK, SERIES, WARNING
from dashboards.model import Dashboard, Link, Panel, Query, Row
from dashboards.panels import BarGauge, Column, Stat, Table, TimeSeries
from dashboards.promql import NS, C, known, one_of, or_row
from dashboards.variables import (
    ANNOTATIONS,
    CLUSTER,
    KEEP,
    MIGRATION,
    NAMESPACE,
    datasource,
    links,
    runbooks,
)

SECRET = "cluster, namespace, secret"
FROM_VAULT = "eso_owned|eso_merged|eso_orphan"
"""Classes of Secrets whose values come from the provider through ESO."""

CLASS_COLOURS = {
    "eso_owned": OK,
    "eso_merged": "#5AC4A6",
    "eso_orphan": "#2F7F68",
    "eso_leftover": SERIES[6],
    "manual": WARNING,
    "unknown": CRITICAL,
    "controller": SERIES[0],
    "bootstrap": SERIES[3],
    "helm": SERIES[5],
    "gitops": SERIES[7],
    "system": SERIES[8],
}

MANUAL = f"max by (cluster, namespace) (eso_manual_secrets{{{NS}}})"


def of_class(classes: str, by: str = "cluster, namespace") -> str:
    """How many Secrets of these classes, by namespace."""
    return f'sum by ({by}) (max by (cluster, namespace, class) (eso_secrets{{{NS},class=~"{classes}"}}))'


def progress(by: str) -> str:
    """The share of Secrets that come from Vault, of these and the manual ones that no exception covers; by `by`."""
    left = f"sum by ({by}) ({MANUAL})"
    done = f"({of_class(FROM_VAULT, by)} or 0 * {left})"
    return f"{done} / ({done} + {left} > 0)"


def _stats() -> list[Panel]:
    infos = f"max by ({SECRET}, exception) (eso_manual_secret_info{{{NS}}})"
    accepted = f'max by ({SECRET}) (eso_manual_secret_info{{{NS},exception!=""}})'
    expired = f'max by ({SECRET}) (eso_secret_problem{{{NS},problem="exception_expired"}})'
    nothing = known("secrets")
    return [
        Stat(
            title="Manual Secrets left",
            description="Secrets made by hand that no accepted exception covers: they do not come from Vault.",
            queries=[Query(expr=f"sum({MANUAL})", legend="left", instant=True)],
            width=4,
            height=4,
            unit="short",
            thresholds=((None, OK), (1, WARNING)),
            no_value="No data, or Secrets are not watched",
        ),
        Stat(
            title="Progress",
            description="The share of Secrets that come from Vault, of these and the manual ones that are left. Secrets of Kubernetes, "
            "Helm and other controllers are not counted.",
            queries=[Query(expr=f"{progress('cluster')} or on () 1 + {nothing}", legend="{{cluster}}", instant=True)],
            width=4,
            height=4,
            unit="percentunit",
            thresholds=((None, WARNING), (1, OK)),
            no_value="No data, or Secrets are not watched",
        ),
        Stat(
            title="Namespaces that are done",
            description="Namespaces without any manual Secret left, of all that are judged.",
            queries=[
                Query(expr=f"count({MANUAL} == 0) or {nothing}", legend="done", instant=True),
                Query(expr=f"count({MANUAL})", legend="judged", instant=True),
            ],
            width=4,
            height=4,
            unit="short",
            thresholds=((None, INFO),),
            text="value_and_name",
            plain=["judged"],
            no_value="No data, or Secrets are not watched",
        ),
        Stat(
            title="From Vault",
            description="Secrets whose values come from the provider through an ExternalSecret.",
            queries=[
                Query(expr=f"sum({of_class(FROM_VAULT)}) or {nothing}", legend="from Vault", instant=True),
            ],
            width=4,
            height=4,
            unit="short",
            thresholds=((None, INFO),),
            no_value="No data, or Secrets are not watched",
        ),
        Stat(
            title="Accepted exceptions",
            description="Manual Secrets that an exception of the configuration accepts, and those whose exception is past its date.",
            queries=[
                Query(expr=f"count({accepted}) or {nothing}", legend="accepted", instant=True),
                Query(expr=f"count({expired}) or {nothing}", legend="expired", instant=True),
            ],
            width=4,
            height=4,
            unit="short",
            thresholds=((None, OK), (1, CRITICAL)),
            text="value_and_name",
            plain=["accepted"],
            no_value="No data, or Secrets are not watched",
        ),
        Stat(
            title="Made in the last day",
            description="Manual Secrets that were created within 24 hours: somebody goes on making them by hand.",
            queries=[
                Query(
                    expr=f"count(max by ({SECRET}) (eso_manual_secret_created_timestamp_seconds{{{NS}}}) > time() - 86400"
                    f" and on ({SECRET}) {infos}) or {nothing}",
                    legend="in the last day",
                    instant=True,
                )
            ],
            width=4,
            height=4,
            unit="short",
            thresholds=((None, OK), (1, CRITICAL)),
            no_value="No data, or Secrets are not watched",
        ),
    ]


def _burn_down() -> Row:
    return Row(
        "How it goes",
        [
            TimeSeries(
                title="Manual Secrets left, by namespace",
                description="The burn-down: it should only fall. A step up is a Secret that somebody made by hand. At most 15 "
                "namespaces, those with the most.",
                queries=[
                    Query(
                        expr=f"topk(15, {MANUAL} > 0) or sum({MANUAL}) == 0",
                        legend="{{cluster}} {{namespace}}",
                    )
                ],
                width=12,
                height=9,
                unit="short",
                decimals=0,
                stacked=True,
                at_least=1,
                max_data_points=300,
                no_value="No data, or Secrets are not watched",
            ),
            TimeSeries(
                title="Progress over time",
                description="The share of Secrets that come from Vault, of these and the manual ones that are left.",
                queries=[Query(expr=progress("cluster"), legend="{{cluster}} from Vault")],
                width=6,
                height=9,
                unit="percentunit",
                maximum=1,
                steps=True,
                max_data_points=300,
                no_value="No data: no Secret comes from Vault or was made by hand, or Secrets are not watched",
            ),
            TimeSeries(
                title="Secrets, by where they come from",
                description="Every Secret is in exactly one class; docs/metrics.md tells what each means.",
                queries=[Query(expr=of_class(".+", "class"), legend="{{class}}")],
                width=6,
                height=9,
                unit="short",
                decimals=0,
                stacked=True,
                max_data_points=300,
                colours=CLASS_COLOURS,
                no_value="No data, or Secrets are not watched",
            ),
        ],
    )


def _where() -> Row:
    by = "cluster, namespace"
    infos = f"max by ({SECRET}, creator) (eso_manual_secret_info{{{NS}}})"
    return Row(
        "Where, and by whom",
        [
            Table(
                title="Namespaces",
                description="How far each namespace is. Done: no manual Secret is left.",
                queries=[
                    Query(expr=or_row(MANUAL, "secrets", namespace="no namespace is judged"), table=True),
                    Query(expr=of_class(FROM_VAULT), table=True),
                    Query(
                        expr=f'count by ({by}) (max by ({SECRET}) (eso_manual_secret_info{{{NS},exception!=""}}))',
                        table=True,
                    ),
                    Query(expr=progress(by), table=True),
                    Query(expr=one_of(by, "owner", f"eso_namespace_owner_info{{{NS}}}"), table=True),
                ],
                width=14,
                height=9,
                columns=[
                    Column(field="cluster", title="Cluster", width=110),
                    Column(
                        field="namespace",
                        title="Namespace",
                        width=210,
                        link=Link(
                            title="This namespace alone",
                            url=f"/d/{MIGRATION}?var-namespace=${{__value.raw}}&${{cluster:queryparam}}&{KEEP}",
                        ),
                    ),
                    Column(
                        field="Value #A", title="Manual", width=90, unit="short", thresholds=((None, OK), (1, WARNING))
                    ),
                    Column(field="Value #C", title="Excepted", width=90, unit="short", empty="0"),
                    Column(field="Value #B", title="From Vault", width=100, unit="short", empty="0"),
                    Column(
                        field="Value #D",
                        title="Progress",
                        width=160,
                        unit="percentunit",
                        thresholds=((None, WARNING), (1, OK)),
                        gauge=True,
                        empty="nothing to move",
                    ),
                    Column(field="owner", title="Owner", width=130, mappings=[mappings.NOBODY], empty="nobody named"),
                ],
                left_out=("Value #E",),
                sort=[("Manual", True), ("From Vault", True)],
                no_value="No data, or Secrets are not watched",
            ),
            BarGauge(
                title="By what made them",
                description="The tool that made the manual Secrets, as the API server recorded it: which habit is to be changed.",
                queries=[
                    Query(
                        expr=f"count by (creator) ({infos})"
                        f' or on () label_replace({known("secrets")}, "creator", "no manual Secret", "", "")',
                        legend="{{creator}}",
                        instant=True,
                    )
                ],
                width=5,
                height=9,
                unit="short",
                decimals=0,
                thresholds=((None, INFO),),
                no_value="No data, or Secrets are not watched",
            ),
            BarGauge(
                title="By age",
                description="How long ago the manual Secrets were made.",
                queries=[
                    _aged(*span)
                    for span in (("today", 0, 1), ("this week", 1, 7), ("this month", 7, 30), ("older", 30, 36500))
                ],
                width=5,
                height=9,
                unit="short",
                decimals=0,
                thresholds=((None, INFO),),
                no_value="No data, or Secrets are not watched",
            ),
        ],
    )


def _aged(name: str, from_days: int, to_days: int) -> Query:
    age = f"(time() - max by ({SECRET}) (eso_manual_secret_created_timestamp_seconds{{{NS}}}))"
    return Query(
        expr=f"count(({age} >= {from_days * 86400}) < {to_days * 86400}) or {known('secrets')}",
        legend=name,
        instant=True,
    )


def _which() -> Row:
    """The list to work on."""
    by = f"{SECRET}, type, creator, exception, owner"
    facts = one_of(SECRET, "type, creator, exception, owner", f"eso_manual_secret_info{{{NS}}}")
    owners = one_of("cluster, namespace", "owner", f"eso_namespace_owner_info{{{C}}}")
    unowned = f'max by ({SECRET}, type, creator, exception) ({facts} and on ({SECRET}) eso_manual_secret_info{{{NS},owner=""}})'
    whose = f"(({unowned}) * on (cluster, namespace) group_left (owner) {owners} or max by ({by}) ({facts}))"
    one = f"topk by ({SECRET}) (1, {whose})"
    created = f"max by ({SECRET}) (eso_manual_secret_created_timestamp_seconds{{{NS}}})"
    rows = f"bottomk(200, {created} * on ({SECRET}) group_left (type, creator, exception, owner) {one})"
    return Row(
        "Which ones",
        [
            Table(
                title="Secrets made by hand",
                description="Every manual Secret, the oldest first. To move one: put its keys into Vault, write an ExternalSecret with "
                "this name as target, delete the Secret. To keep one: accept it in the configuration, with a date.",
                queries=[
                    Query(
                        expr=or_row(f"{rows} * 1000", "secrets", secret="none: every Secret has another origin"),
                        table=True,
                    )
                ],
                width=24,
                height=9,
                columns=[
                    Column(field="cluster", title="Cluster", width=110),
                    Column(field="namespace", title="Namespace", width=200),
                    Column(field="secret", title="Secret", width=280),
                    Column(
                        field="Value",
                        title="Made",
                        width=150,
                        unit="dateTimeFromNow",
                        mappings=[mappings.values({"0": "–"})],
                    ),
                    Column(field="creator", title="By", width=150),
                    Column(field="type", title="Type", width=220),
                    Column(field="owner", title="Owner", width=150, mappings=[mappings.NOBODY]),
                    Column(field="exception", title="Accepted exception", width=180, mappings=[mappings.empty("none")]),
                ],
                sort=[("Made", False)],
                no_value="No data, or Secrets are not watched",
            ),
            problems.table(
                "Needs action at Secrets, worst first",
                "Present problems of Secrets in the chosen namespaces: made by hand, past their exception, changed behind ESO's back, left "
                "over, or holding values in an annotation.",
                problems.of_secrets(),
                height=8,
                without=("error", "hit", "store"),
            ),
        ],
    )


def dashboard() -> Dashboard:
    """The dashboard of the migration."""
    return Dashboard(
        uid=MIGRATION,
        title="Secrets / Migration",
        description="How many Secrets are still made by hand, where, by whom, and how fast they become fewer.",
        variables=[datasource(), CLUSTER, NAMESPACE, runbooks()],
        annotations=ANNOTATIONS,
        links=links(),
        rows=[Row("Now", _stats()), _burn_down(), _where(), _which()],
        since="now-30d",
        refresh="5m",
    )
