"""The exporter itself: does it see everything, how quickly, and at what cost."""

from __future__ import annotations

from dashboards import mappings
from dashboards.colours import CRITICAL, INFO, OK, UNKNOWN, WARNING
from dashboards.model import Dashboard, Link, Panel, Query, Row
from dashboards.panels import BarGauge, Column, Stat, Table, TimeSeries
from dashboards.promql import C, or_row
from dashboards.variables import ANNOTATIONS, CLUSTER, EXPORTER, KEEP, datasource, links

INSTANCE = "cluster, job, instance"
WATCH = "cluster, resource, scope"
SILENT_FOR = 300
"""Seconds without a sign of life after which a watch counts as dead: it ends, and so shows itself, every 180 s."""

ALL = f"eso_exporter_build_info{{{C}}}"


def own(family: str, *matchers: str) -> str:
    """A family of the process, of exporters only: other programs have families of the same names."""
    selector = f"{family}{{{','.join((C, *matchers))}}}"
    return f"({selector} and on ({INSTANCE}) {ALL})"


def watch_state() -> str:
    """By resource and scope: a state of `mappings.WATCH_STATES`, the higher the worse. The best replica counts."""
    denied = f"max by ({WATCH}) (eso_exporter_resource_denied{{{C}}}) == 1"
    absent = f"max by ({WATCH}) (eso_exporter_resource_absent{{{C}}}) == 1"
    contact = f"max by ({WATCH}) (eso_exporter_resource_last_contact_timestamp_seconds{{{C}}})"
    synced = f"max by ({WATCH}) (eso_exporter_resource_synced{{{C}}})"
    return (
        f"3 * ({denied})"
        f" or 0 * ({absent})"
        f" or 4 + 0 * (time() - {contact} > {SILENT_FOR})"
        f" or 2 + ({synced} == 0)"
        f" or {synced}"
    )


def health() -> str:
    """By cluster, the worst state of its watches; what is not installed is no fault."""
    return f"max by (cluster) (({watch_state()}) > 0)"


def watches(width: int, height: int) -> Table:
    """One row a resource and scope."""
    events = f"sum by (cluster, resource) (increase(eso_exporter_watch_events_total{{{C}}}[1h]))"
    return Table(
        title="Watches",
        description="What the exporter watches, and whether it sees it. Last contact is the last event, bookmark or list: a living "
        f"watch shows itself within {SILENT_FOR} s. What depends on a resource that may not be read is not judged.",
        queries=[
            Query(expr=watch_state(), table=True),
            Query(
                expr=f"max by ({WATCH}) (eso_exporter_resource_last_contact_timestamp_seconds{{{C}}}) * 1000",
                table=True,
            ),
            Query(
                expr=f"max by ({WATCH}) (eso_exporter_resource_synced{{{C}}}) * 0 + on (cluster, resource) group_left () "
                f"max by (cluster, resource) (eso_exporter_resource_objects{{{C}}})",
                table=True,
            ),
            Query(
                expr=f"max by ({WATCH}) (eso_exporter_resource_synced{{{C}}}) * 0 + on (cluster, resource) group_left () {events}",
                table=True,
            ),
        ],
        width=width,
        height=height,
        columns=[
            Column(field="cluster", title="Cluster", width=110),
            Column(field="resource", title="Resource", width=200),
            Column(field="scope", title="Namespace", width=130, mappings=[mappings.empty("all")]),
            Column(field="Value #A", title="State", width=150, mappings=[mappings.WATCH_STATES], coloured=True),
            Column(field="Value #C", title="Objects", width=90, unit="locale"),
            Column(field="Value #D", title="Events, last hour", width=130, unit="short", decimals=0),
            Column(field="Value #B", title="Last contact", width=150, unit="dateTimeFromNow", empty="never"),
        ],
        sort=[("State", True), ("Resource", False)],
        no_value="No data: no exporter is scraped",
    )


def memory(width: int, height: int) -> TimeSeries:
    """Resident memory by instance."""
    return TimeSeries(
        title="Memory",
        description="Resident memory of each exporter. It follows the number of objects; a steady climb without more objects is a leak.",
        queries=[
            Query(expr=f"max by ({INSTANCE}) {own('process_resident_memory_bytes')}", legend="{{cluster}} {{instance}}")
        ],
        width=width,
        height=height,
        unit="bytes",
        no_value="No data: no exporter is scraped",
    )


def duration(width: int, height: int) -> TimeSeries:
    """How long scrapes and refreshes take."""

    def quantile(q: float, family: str) -> str:
        return f"histogram_quantile({q}, sum by (le) (rate({family}_bucket{{{C}}}[$__rate_interval])))"

    def parts(family: str, name: str) -> list[Query]:
        return [
            Query(expr=quantile(0.5, family), legend=f"{name}, half are below"),
            Query(expr=quantile(0.99, family), legend=f"{name}, 99 % are below"),
        ]

    return TimeSeries(
        title="Time for a scrape, and for a refresh",
        description="How long answering a scrape takes, and one round of judging and rendering what changed.",
        queries=[
            *parts("eso_exporter_scrape_duration_seconds", "scrape"),
            *parts("eso_exporter_refresh_duration_seconds", "refresh"),
        ],
        width=width,
        height=height,
        unit="s",
        no_value="No data: no exporter is scraped",
    )


def trouble(width: int, height: int) -> TimeSeries:
    """What went wrong, a minute."""

    def a_minute(counter: str, name: str, *matchers: str) -> Query:
        selector = f"{counter}{{{','.join((C, *matchers))}}}"
        return Query(expr=f"60 * sum(rate({selector}[$__rate_interval]))", legend=name)

    return TimeSeries(
        title="Trouble, a minute",
        description="Lists and watches that failed, objects that could not be decoded, requests to Vault without an answer, and "
        "connections that were turned away. All zero is healthy.",
        queries=[
            a_minute("eso_exporter_lists_total", "lists that failed", 'result=~"error|denied"'),
            a_minute("eso_exporter_watch_restarts_total", "watches cut off", 'reason!~"end|absent|denied"'),
            a_minute("eso_exporter_decode_errors_total", "objects not understood"),
            Query(
                expr=f'60 * (sum(rate(eso_exporter_vault_requests_total{{{C},code="0"}}[$__rate_interval])) or 0 * max({ALL}))',
                legend="Vault did not answer",
            ),
            a_minute("eso_exporter_web_rejected_total", "scrapes turned away"),
        ],
        width=width,
        height=height,
        unit="short",
        at_least=1,
        no_value="No data: no exporter is scraped",
    )


def row() -> Row:
    """The exporter at the end of the overview, closed until somebody doubts it."""
    return Row("The exporter", [watches(12, 9), memory(6, 9), trouble(6, 9)], collapsed=True)


def _stats() -> list[Panel]:
    reload = f"min by ({INSTANCE}) (eso_exporter_config_last_reload_successful{{{C}}})"
    started = own("process_start_time_seconds")
    servers = f'sum(max by (cluster, state) (eso_exporter_vault_servers{{{C},state%s"probed"}}))'
    return [
        Stat(
            title="State",
            description="BLIND: a watch has shown no life for five minutes. STILL LISTING: the first list is not complete. MAY NOT "
            "READ ALL: the API server refuses a resource. No data: no exporter is scraped, and nothing else here is known.",
            queries=[Query(expr=health(), legend="{{cluster}}", instant=True)],
            width=4,
            height=4,
            mappings=[mappings.EXPORTER_STATES],
            no_value="NOBODY IS LOOKING (no data)",
        ),
        Stat(
            title="Exporters",
            description="How many are scraped. Each sees everything by itself; two may run side by side.",
            queries=[Query(expr=f"count(max by ({INSTANCE}) ({ALL}))", legend="exporters", instant=True)],
            width=3,
            height=4,
            unit="short",
            thresholds=((None, INFO),),
            no_value="0",
        ),
        Stat(
            title="Running for",
            description="Since when the youngest one runs: what had only been observed counts anew from then.",
            queries=[Query(expr=f"time() - max {started}", legend="running", instant=True)],
            width=3,
            height=4,
            unit="s",
            decimals=1,
            no_value="No data",
        ),
        Stat(
            title="Configuration",
            description="Whether the last load of the configuration file was good; a refused one leaves the old one in force.",
            queries=[Query(expr=reload, legend="{{instance}}", instant=True)],
            width=3,
            height=4,
            mappings=[mappings.values({"0": ("REFUSED", CRITICAL), "1": ("OK", OK)})],
            no_value="No data",
        ),
        Stat(
            title="Direct road",
            description="Whether the exporter's own requests to every Alertmanager go well, where it is told to send alerts itself.",
            queries=[
                Query(
                    expr=f"min by (cluster) (eso_exporter_notify_up{{{C}}}) or on (cluster) -1 + 0 * max by (cluster) ({ALL})",
                    legend="{{cluster}}",
                    instant=True,
                )
            ],
            width=4,
            height=4,
            mappings=[mappings.values({"-1": ("NOT IN USE", UNKNOWN), "0": ("FAILS", CRITICAL), "1": ("OPEN", OK)})],
            no_value="No data",
        ),
        Stat(
            title="Vaults not probed",
            description="Vault servers that stores name and nobody asks: servers of namespaced stores that are not on the allow-list, "
            "addresses that are refused, or more than the limit.",
            queries=[Query(expr=servers % "!=", legend="not probed", instant=True)],
            width=3,
            height=4,
            unit="short",
            thresholds=((None, OK), (1, WARNING)),
            no_value="No data",
        ),
        Stat(
            title="Exceptions that fit nothing",
            description="Accepted exceptions of the configuration for which there is no manual Secret: a typing error, or a migration "
            "that is done.",
            queries=[
                Query(
                    expr=f"count(max by (cluster, exception) (eso_exporter_unmatched_exceptions{{{C}}})) or 0 * max({ALL})",
                    legend="fit nothing",
                    instant=True,
                )
            ],
            width=4,
            height=4,
            unit="short",
            thresholds=((None, OK), (1, WARNING)),
            no_value="No data",
        ),
    ]


def _watching() -> Row:
    return Row(
        "Does it see everything?",
        [
            watches(15, 11),
            BarGauge(
                title="Objects judged",
                description="How many objects of each kind were judged: only where this is not zero does “no problem” mean something.",
                queries=[
                    Query(
                        expr=f"sum by (kind) (max by (cluster, kind) (eso_exporter_judged_objects{{{C}}}))",
                        legend="{{kind}}",
                        instant=True,
                    )
                ],
                width=9,
                height=11,
                unit="locale",
                thresholds=((None, INFO),),
                no_value="No data: no exporter is scraped",
            ),
            TimeSeries(
                title="Watch events, by resource",
                description="Changes of the cluster as they come in, and bookmarks. A resource that falls silent while its objects "
                "change is not watched.",
                queries=[
                    Query(
                        expr=f"60 * sum by (resource) (rate(eso_exporter_watch_events_total{{{C}}}[$__rate_interval]))",
                        legend="{{resource}}",
                    )
                ],
                width=12,
                height=8,
                unit="opm",
                no_value="No data: no exporter is scraped",
            ),
            TimeSeries(
                title="Watches that ended, by reason",
                description="`end` is the API server's own doing every few minutes; all others are faults that were recovered from.",
                queries=[
                    Query(
                        expr=f"60 * sum by (reason) (rate(eso_exporter_watch_restarts_total{{{C}}}[$__rate_interval]))",
                        legend="{{reason}}",
                    )
                ],
                width=12,
                height=8,
                unit="opm",
                no_value="No data: no exporter is scraped",
            ),
        ],
    )


def _cost() -> Row:
    return Row(
        "What goes wrong, and what it costs",
        [
            trouble(12, 8),
            TimeSeries(
                title="Requests to Vault",
                description="Health probes and what else the exporter asks of Vault, by status code; 0 is no answer.",
                queries=[
                    Query(
                        expr="60 * sum by (vault, operation, code) "
                        f"(rate(eso_exporter_vault_requests_total{{{C}}}[$__rate_interval]))",
                        legend="{{vault}} {{operation}} {{code}}",
                    )
                ],
                width=12,
                height=8,
                unit="reqpm",
                no_value="No data: no exporter is scraped, or no Vault is known",
            ),
            duration(8, 8),
            memory(8, 8),
            TimeSeries(
                title="Processor",
                description="Processor time of each exporter; 100 % is one whole core.",
                queries=[
                    Query(
                        expr=f"max by ({INSTANCE}) (rate(process_cpu_seconds_total{{{C}}}[$__rate_interval]) and on ({INSTANCE}) {ALL})",
                        legend="{{cluster}} {{instance}}",
                    )
                ],
                width=8,
                height=8,
                unit="percentunit",
                no_value="No data: no exporter is scraped",
            ),
            Table(
                title="Which exporter runs where",
                description="Version and revision of each exporter, and what its process holds.",
                queries=[
                    Query(expr=f"max by ({INSTANCE}, version, revision, python) ({ALL})", table=True),
                    Query(expr=f"max by ({INSTANCE}) {own('process_start_time_seconds')} * 1000", table=True),
                    Query(expr=f"max by ({INSTANCE}) {own('process_open_fds')}", table=True),
                ],
                width=16,
                height=6,
                columns=[
                    Column(field="cluster", title="Cluster", width=110),
                    Column(field="instance", title="Instance", width=200),
                    Column(field="version", title="Version", width=120),
                    Column(field="revision", title="Revision", width=140, mappings=[mappings.empty("–")]),
                    Column(field="python", title="Python", width=90),
                    Column(field="Value #B", title="Started", width=150, unit="dateTimeFromNow"),
                    Column(field="Value #C", title="Open files", width=100, unit="short"),
                ],
                left_out=("job", "Value #A"),
                no_value="No data: no exporter is scraped",
            ),
            Table(
                title="Which exceptions fit nothing",
                description="Accepted exceptions for which there is no manual Secret: correct them or take them out.",
                queries=[
                    Query(
                        expr=or_row(
                            f"max by (cluster, exception) (eso_exporter_unmatched_exceptions{{{C}}})",
                            "secrets",
                            exception="every exception fits a Secret",
                        ),
                        table=True,
                    )
                ],
                width=8,
                height=6,
                columns=[
                    Column(field="cluster", title="Cluster", width=110),
                    Column(field="exception", title="Exception"),
                ],
                left_out=("Value",),
                no_value="No data: no exporter watches Secrets",
            ),
        ],
    )


def overview_link() -> Link:
    """Where its state leads from elsewhere."""
    return Link(title="Watches, errors, memory", url=f"/d/{EXPORTER}?" + "${cluster:queryparam}&" + KEEP)


def dashboard() -> Dashboard:
    """The exporter's own dashboard."""
    return Dashboard(
        uid=EXPORTER,
        title="Secrets / Exporter",
        description="Does the exporter see everything, how quickly, and at what cost.",
        variables=[datasource(), CLUSTER],
        annotations=ANNOTATIONS,
        links=links(),
        rows=[Row("Now", _stats()), _watching(), _cost()],
    )
