"""One ExternalSecret: everything about it on one page, with the store and the Vault it depends on."""

from __future__ import annotations

from dashboards import mappings, problems
from dashboards.colours import CRITICAL, OK
from dashboards.model import Dashboard, Link, Panel, Query, Row
from dashboards.panels import Column, Stat, StateTimeline, Table, TimeSeries
from dashboards.problems import silent_problems
from dashboards.promql import NOT_READY, NS, OBJECT, STORE, C, known, or_row, vault_state
from dashboards.timeline import WINDOW
from dashboards.variables import (
    ANNOTATIONS,
    CLUSTER,
    EXTERNALSECRET,
    KEEP,
    NAME,
    NAMESPACE,
    OVERVIEW,
    VAULT,
    datasource,
    links,
    runbooks,
)

NAMED = 'name=~"$name"'
ONE = f"{NS},{NAMED}"
STORE_INFO = f"eso_externalsecret_store_info{{{ONE}}}"


def one(family: str, *matchers: str, merge: str = "max", wrap: str = "{}") -> str:
    """A family of the chosen ExternalSecrets."""
    chosen = ",".join((ONE, *matchers))
    return f"{merge} by ({OBJECT}) ({wrap.format(f'{family}{{{chosen}}}')})"


def states(window: str = "") -> str:
    """A state of `mappings.READY_STATES`; with a window the worst one in it."""
    least, most = (f"{f}_over_time({{}}[{window}])" if window else "{}" for f in ("min", "max"))
    ready = least.format(f"eso_externalsecret_ready{{{ONE}}}")
    silent = most.format(f'eso_externalsecret_problem{{{ONE},problem=~"{silent_problems()}"}}')
    return f"min by ({OBJECT}) ({ready} or 0.5 * {silent})"


def of_its_stores(vector: str) -> str:
    """What a vector says of the stores that it reads from."""
    return f"({vector} and on ({STORE}) {STORE_INFO})"


def of_its_vaults(vector: str) -> str:
    """What a vector says of the Vaults that it reads from."""
    return f"({vector} and on (cluster, vault) {STORE_INFO})"


def _stats() -> list[Panel]:
    last = one("eso_externalsecret_last_sync_timestamp_seconds")
    upcoming = one("eso_externalsecret_next_sync_timestamp_seconds")
    due = one("eso_externalsecret_sync_deadline_timestamp_seconds")
    never = one("eso_externalsecret_info")
    store = of_its_stores(f"min by ({STORE}) (eso_secretstore_ready{{{C}}})")
    exists = "does not exist, or its name is not chosen above"
    return [
        Stat(
            title="State",
            description="What ESO says, and what the exporter sees beyond it. READY, BUT LATE OR BROKEN: Ready=True, yet a sync is "
            "overdue or the Secret is not what it should be. DOES NOT EXIST: no ExternalSecret of that name is there.",
            queries=[
                Query(
                    expr=f"{states()} or on () 3 + {known('externalsecrets')}",
                    legend="{{cluster}} {{namespace}}/{{name}}",
                    instant=True,
                )
            ],
            width=6,
            height=4,
            mappings=[mappings.READY_STATES],
            text="value_and_name",
            no_value="No data",
        ),
        Stat(
            title="Since",
            description="When the status of its Ready condition last changed.",
            queries=[
                Query(
                    expr=one("eso_externalsecret_ready_transition_timestamp_seconds") + " * 1000",
                    legend="{{namespace}}/{{name}}",
                    instant=True,
                )
            ],
            width=3,
            height=4,
            unit="dateTimeFromNow",
            no_value=f"Never had a status, {exists}",
        ),
        Stat(
            title="Last sync",
            description="When ESO last read the provider for it with success.",
            queries=[
                Query(
                    expr=f"{last} * 1000 or on ({OBJECT}) 0 * {never}",
                    legend="{{namespace}}/{{name}}",
                    instant=True,
                )
            ],
            width=3,
            height=4,
            unit="dateTimeFromNow",
            mappings=[mappings.values({"0": ("NEVER", CRITICAL)})],
            no_value=f"No data: it {exists}",
        ),
        Stat(
            title="Next sync due",
            description="When ESO reads the provider next. MISSED: it should have been synced by now, with all patience.",
            queries=[
                Query(
                    expr=f"0 * ({due} < time()) or on ({OBJECT}) {upcoming} * 1000 or on ({OBJECT}) -1 * {never}",
                    legend="{{namespace}}/{{name}}",
                    instant=True,
                )
            ],
            width=3,
            height=4,
            unit="dateTimeFromNow",
            mappings=[mappings.values({"0": ("MISSED", CRITICAL), "-1": "none is due"})],
            no_value=f"No data: it {exists}",
        ),
        Stat(
            title="Store",
            description="The store it reads from. Beside the state its name.",
            queries=[
                Query(
                    expr=f"{store} or on ({STORE}) 2 * max by ({STORE}) ({STORE_INFO} unless on ({STORE}) eso_secretstore_info{{{C}}})",
                    legend="{{store_namespace}} {{store}}",
                    instant=True,
                )
            ],
            width=4,
            height=4,
            mappings=[
                mappings.values({"0": ("NOT READY", CRITICAL), "1": ("READY", OK), "2": ("DOES NOT EXIST", CRITICAL)})
            ],
            text="value_and_name",
            links=[
                Link(title="What else reads from it", url=f"/d/{OVERVIEW}?var-store=${{__field.labels.store}}&{KEEP}")
            ],
            no_value=f"It names no store, or {exists}",
        ),
        Stat(
            title="Vault",
            description="The Vault behind its store. Beside the state its name.",
            queries=[
                Query(expr=of_its_vaults(f"({vault_state()})"), legend="{{vault}}", instant=True),
            ],
            width=5,
            height=4,
            mappings=[mappings.VAULT_STATES],
            text="value_and_name",
            links=[
                Link(title="Nodes, latency, unsealing", url=f"/d/{VAULT}?var-vault=${{__field.labels.vault}}&{KEEP}")
            ],
            no_value="Not behind a Vault that is probed",
        ),
    ]


def _facts() -> Row:
    info = f"{OBJECT}, target, owner, store_kind, store_namespace, store, vault, refresh_policy, creation_policy, deletion_policy"
    errors = f'max by ({OBJECT}, error) (eso_externalsecret_problem{{{ONE},problem="not_ready"}})'
    classes = f"max by (cluster, error, owner_side, heals) (eso_error_info{{{C}}})"
    return Row(
        "What it is, and why it fails",
        [
            Table(
                title="Why it is not ready",
                description="The class of ESO's error, who can end it, and whether it ends by itself once its cause is gone. The "
                "exporter never shows the message itself: it may hold what is nobody's business. `kubectl describe` has it.",
                queries=[
                    Query(
                        expr=or_row(
                            f"{errors} * on (cluster, error) group_left (owner_side, heals) {classes}",
                            "externalsecrets",
                            error="no error: it is ready, or has no status yet",
                        ),
                        table=True,
                    ),
                ],
                width=24,
                height=4,
                columns=[
                    Column(field="namespace", title="Namespace", width=180),
                    Column(field="name", title="ExternalSecret", width=240),
                    Column(field="error", title="Why", width=380, mappings=mappings.causes()),
                    Column(field="owner_side", title="Who can end it", width=200, mappings=[mappings.SIDES]),
                    Column(field="heals", title="Does it heal?", width=300, mappings=[mappings.HEALS]),
                ],
                left_out=("cluster", "Value"),
                no_value="No data: no exporter has reported",
            ),
            Table(
                title="What it is",
                description="The Secret it writes, where it reads from, its policies, and what ESO says of it.",
                queries=[
                    Query(
                        expr=or_row(
                            f"max by ({info}) (eso_externalsecret_info{{{ONE}}})",
                            "externalsecrets",
                            name="does not exist",
                        ),
                        table=True,
                    ),
                    Query(expr=one("eso_externalsecret_refresh_interval_seconds"), table=True),
                    Query(expr=one("eso_externalsecret_created_timestamp_seconds") + " * 1000", table=True),
                    Query(
                        expr=f"max by ({OBJECT}, status, reason) (eso_externalsecret_status_info{{{ONE}}})", table=True
                    ),
                ],
                width=24,
                height=4,
                columns=[
                    Column(field="namespace", title="Namespace", width=150),
                    Column(field="name", title="ExternalSecret", width=200),
                    Column(field="target", title="Secret it writes", width=170),
                    Column(field="owner", title="Owner", width=110, mappings=[mappings.NOBODY]),
                    Column(field="store", title="Store", width=150),
                    Column(field="vault", title="Vault", width=90, mappings=[mappings.empty("–")]),
                    Column(field="status", title="Ready", width=80),
                    Column(field="reason", title="Reason", width=170, mappings=[mappings.empty("–")]),
                    Column(
                        field="Value #B",
                        title="Interval",
                        width=90,
                        unit="dtdurations",
                        mappings=[mappings.values({"0": "none"})],
                    ),
                    Column(field="refresh_policy", title="Refresh", width=90),
                    Column(field="creation_policy", title="Creation", width=90),
                    Column(field="deletion_policy", title="Deletion", width=90),
                    Column(field="Value #C", title="Created", width=120, unit="dateTimeFromNow"),
                ],
                left_out=("cluster", "store_kind", "store_namespace", "Value #A", "Value #D"),
                no_value="No data: no exporter has reported",
            ),
        ],
    )


def _over_time() -> Row:
    last = one("eso_externalsecret_last_sync_timestamp_seconds")
    due = one("eso_externalsecret_sync_deadline_timestamp_seconds")
    stores = of_its_stores(f"min by ({STORE}) (min_over_time(eso_secretstore_ready{{{C}}}[{WINDOW}]))")
    vaults = of_its_vaults(f"({vault_state(C, WINDOW)})")
    others = f'max by ({OBJECT}, {STORE}) (eso_externalsecret_problem{{{C},problem=~"{NOT_READY}"}})'
    users = f"max by ({STORE}) (eso_externalsecret_ready{{{ONE}}} * 0)"
    return Row(
        "Since when, and is it alone?",
        [
            StateTimeline(
                title="Vault, store and ExternalSecret",
                description="What broke first is the cause of what stands below it.",
                queries=[
                    Query(expr=f"10 + {vaults}", legend="Vault {{vault}}"),
                    Query(expr=stores, legend="{{store_kind}} {{store_namespace}} {{store}}"),
                    Query(expr=states(WINDOW), legend="{{cluster}} {{namespace}}/{{name}}"),
                ],
                width=24,
                height=6,
                mappings=[mappings.TIMELINE_STATES],
                max_data_points=180,
                no_value="No data: nothing of that name in this time range",
            ),
            TimeSeries(
                title="Age of what the Secret holds",
                description="How long ago the last sync was, and from which age on it counts as missed. A healthy one is a saw: it falls "
                "to zero at each sync. A line that only climbs is not synced any more.",
                queries=[
                    Query(expr=f"time() - {last}", legend="age of {{namespace}}/{{name}}"),
                    Query(expr=f"{due} - {last}", legend="allowed for {{namespace}}/{{name}}"),
                ],
                width=12,
                height=8,
                unit="s",
                no_value="No data: never synced, or nothing of that name in this time range",
            ),
            TimeSeries(
                title="Not ready, among all that read from the same store",
                description="If many fail at once the store or Vault is the cause; if this one fails alone it is its own path, property or "
                "policy.",
                queries=[
                    Query(
                        expr=f"count by ({STORE}) ({others} and on ({STORE}) {users}) or {users}",
                        legend="{{store_namespace}} {{store}}",
                    ),
                ],
                width=12,
                height=8,
                unit="short",
                decimals=0,
                at_least=1,
                steps=True,
                shades=CRITICAL,
                no_value="No data: nothing of that name in this time range",
            ),
        ],
    )


def _secret() -> Row:
    target = f"max by (cluster, namespace, target) (eso_externalsecret_info{{{ONE}}})"
    named = f'label_replace({target}, "secret", "$1", "target", "(.+)")'
    by = "cluster, namespace, secret, problem"
    found = f"max by ({by}) (eso_secret_problem{{{NS}}}) and on (cluster, namespace, secret) {named}"
    siblings = (
        f"max by ({OBJECT}, target, store) (eso_externalsecret_info{{{NS}}}"
        f" and on (cluster, namespace, target) eso_externalsecret_info{{{ONE}}})"
    )
    return Row(
        "The Secret it writes",
        [
            Table(
                title="Problems of the Secret itself",
                description="What is wrong with the Kubernetes Secret that it writes: changed by hand, left over, values in an annotation.",
                queries=[
                    Query(
                        expr=or_row(
                            f'label_replace({found}, "problem", "secret/$1", "problem", "(.+)")',
                            "secrets",
                            problem="no problem of the Secret is known",
                        ),
                        table=True,
                    )
                ],
                width=12,
                height=5,
                columns=[
                    Column(field="namespace", title="Namespace", width=180),
                    Column(field="secret", title="Secret", width=200),
                    Column(field="problem", title="Problem", mappings=mappings.problems()),
                ],
                left_out=("cluster", "Value"),
                no_value="No data, or Secrets are not watched",
            ),
            Table(
                title="Who writes this Secret",
                description="Every ExternalSecret with the same target: more than one is a quarrel, unless they merge.",
                queries=[Query(expr=or_row(siblings, "externalsecrets", name="does not exist"), table=True)],
                width=12,
                height=5,
                columns=[
                    Column(field="namespace", title="Namespace", width=160),
                    Column(
                        field="name",
                        title="ExternalSecret",
                        width=220,
                        link=Link(
                            title="Look closer",
                            url=f"/d/{EXTERNALSECRET}?var-namespace=${{__data.fields.namespace}}&var-name=${{__value.raw}}"
                            "&${cluster:queryparam}&" + KEEP,
                        ),
                    ),
                    Column(field="target", title="Secret", width=180),
                    Column(field="store", title="Store"),
                ],
                left_out=("cluster", "Value"),
                no_value="No data: no exporter has reported",
            ),
        ],
    )


def dashboard() -> Dashboard:
    """The dashboard of one ExternalSecret."""
    return Dashboard(
        uid=EXTERNALSECRET,
        title="Secrets / ExternalSecret",
        description="Everything about one ExternalSecret: its state, its problems, what it depends on, since when, and what to do.",
        variables=[datasource(), CLUSTER, NAMESPACE, NAME, runbooks()],
        annotations=ANNOTATIONS,
        links=links(),
        rows=[
            Row("Now", _stats()),
            Row(
                "What needs action",
                [
                    problems.table(
                        "Needs action, worst first",
                        "Present problems of it, of its store and of the Vault behind that: what, since when, why, whose, and the first "
                        "command to run. The last column leads to the runbook.",
                        problems.of_one_externalsecret(NAMED),
                        height=8,
                    )
                ],
            ),
            _facts(),
            _over_time(),
            _secret(),
        ],
    )
