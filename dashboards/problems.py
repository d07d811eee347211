"""The table of what needs action: every present problem, worst first, with what, where, since, why, whose and what now."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import mappings
from dashboards.model import Link, Query
from dashboards.panels import Column, Table
from dashboards.promql import NS, OBJECT, STORE, C, externalsecrets, known, named, one_of, renamed
from dashboards.variables import KEEP
from exporter.judge.problems import CATALOGUE

IN_NS = f'{C},namespace=~"$namespace|"'
"""In a chosen namespace, or in none."""

ROW = "cluster, kind, namespace, name, node, problem"
WIDE = ("operator", "clusterexternalsecret", "clusterpushsecret")
"""Kinds that no filter but the cluster hides: they are everybody's."""
NAMESPACED = ("secret", "pushsecret")

_RANK = 1e11
"""Added to a Unix time for each step of severity: sorts by severity, then by age, and is taken off again by `%`."""


def silent_problems() -> str:
    """A regular expression for the problems of an ExternalSecret that says Ready=True and yet is not well."""
    loud = {"not_ready", "never_synced", "store_missing", "store_not_ready"}
    ids = (each.id for each in CATALOGUE if each.kind == "externalsecret" and each.severity != "info")
    return "|".join(each for each in ids if each not in loud)


def worth_showing() -> str:
    """A regular expression for the problems of an ExternalSecret that are more than a remark."""
    return "|".join(each.id for each in CATALOGUE if each.kind == "externalsecret" and each.severity != "info")


def since(matchers: str) -> str:
    """Since when, in Unix seconds, by problem."""
    return f"min by ({ROW}) (eso_problem_since_timestamp_seconds{{{matchers}}})"


def of_externalsecrets(*matchers: str, any_store: bool = False) -> str:
    """With store and owner of the ExternalSecret, the Secret it writes, and the class of its error."""
    base = ",".join((NS, *matchers))
    info = f"eso_externalsecret_info{{{base}}}" if any_store else externalsecrets("eso_externalsecret_info", *matchers)
    facts = renamed(
        one_of(OBJECT, "store, target, owner", info),
        "Secret $1",
        hit="target",
    )
    errors = one_of(f"{OBJECT}, problem", "error", f"eso_externalsecret_problem{{{base}}}")
    rows = since(f'{base},kind="externalsecret"')
    return (
        f"({rows} * on ({OBJECT}) group_left (store, hit, owner) {facts}"
        f" + on ({OBJECT}, problem) group_left (error) 0 * {errors})"
    )


def users(by: str, matchers: str) -> str:
    """How many ExternalSecrets read from each store or Vault (labels `by`), as the label `hit`; the value is 0."""
    each = f"max by ({STORE}, vault, state) (eso_secretstore_externalsecrets{{{matchers}}})"
    return renamed(f'0 * count_values by ({by}) ("hit", sum by ({by}) ({each}))', "ExternalSecrets: $1", hit="hit")


def of_vaults(matchers: str = C) -> str:
    """With why each cannot serve, and how many read from it. `matchers` select series of eso_vault_problem."""
    errors = one_of("cluster, vault, node, problem", "error", f"eso_vault_problem{{{matchers}}}")
    rows = since(f'{C},kind="vault"')
    rows = f"({rows} + on (cluster, name, node, problem) group_left (error) 0 * {renamed(errors, name='vault')})"
    whole = f"({rows} + on (cluster, name) group_left (hit) {renamed(users('cluster, vault', C), name='vault')})"
    return f"({whole} or on ({ROW}) {rows})"


def of_stores(chosen: str = "") -> str:
    """Of the chosen stores, with the store's name where other tables have it, and how many read from it.

    `chosen` is a vector with the labels cluster, namespace and name of stores; those of the variable without it.
    """
    by = "cluster, namespace, name"
    rows = since(f'{IN_NS},kind="store",name=~"$store"') if not chosen else since(f'{C},kind="store"')
    rows = f"({rows} and on ({by}) {chosen})" if chosen else rows
    hit = renamed(users("cluster, store_namespace, store", C), namespace="store_namespace", name="store")
    return f"({renamed(f'({rows} + on ({by}) group_left (hit) {hit}) or on ({ROW}) {rows}', store='name')})"


def of_the_rest() -> str:
    """Of what has no store. What lives in a namespace hides when a store is chosen: `store` is a label it does not have."""
    wide, namespaced = "|".join(WIDE), "|".join(NAMESPACED)
    everybodys = since(f'{C},kind=~"{wide}"')
    rest = since(f'{NS},kind=~"{namespaced}",store=~"$store"')
    return f"({everybodys} or {rest})"


def with_owner(rows: str, keys: str) -> str:
    """Joins the owner that a manual Secret, a store or else the namespace names; `keys` are rows of the same objects."""
    by = "cluster, kind, namespace, name"
    secrets = named(
        renamed(f'max by (cluster, namespace, secret, owner) (eso_manual_secret_info{{{C},owner!=""}})', name="secret"),
        kind="secret",
    )
    stores = named(
        renamed(
            f'max by (cluster, store_namespace, store, owner) (eso_secretstore_info{{{C},owner!=""}})',
            namespace="store_namespace",
            name="store",
        ),
        kind="store",
    )
    namespaces = one_of("cluster, namespace", "owner", f"eso_namespace_owner_info{{{C}}}")
    fallback = f"max by ({by}) ({keys}) * 0"
    found = (
        f"max by ({by}, owner) ({secrets} or {stores})"
        f" or on ({by}) (({fallback} + on (cluster, namespace) group_left (owner) {namespaces}) or {fallback})"
    )
    return f"({rows} + on ({by}) group_left (owner) 0 * {one_of(by, 'owner', found)})"


def worst_first(rows: str, limit: int) -> str:
    """Joins the severity and keeps the worst, the oldest of these first. The value is again Unix seconds."""
    by = "cluster, kind, problem"
    ranks = " or ".join(
        named(
            f'max by ({by}) (eso_problem_info{{{C},severity="{severity}"}}) * {rank * _RANK:.0f}',
            severity=f"{rank + 1} {severity}",
        )
        for rank, severity in enumerate(("critical", "warning", "info"))
    )
    return f"(bottomk({limit}, {rows} + on ({by}) group_left (severity) ({ranks})) % {_RANK:.0f})"


def dressed(rows: str) -> str:
    """Adds the labels that the columns show: `object`, `what`, `runbook`, `advice` and `link`. The value is milliseconds."""
    rows = f'label_join({rows} * 1000, "what", "/", "kind", "problem")'
    rows = f'label_join({rows}, "runbook", "/", "kind", "problem")'
    rows = f'label_join({rows}, "advice", " ", "what", "error", "namespace", "name", "store")'
    rows = f'label_join({rows}, "object", "/", "namespace", "name", "node")'
    rows = f'label_replace({rows}, "object", "$1", "object", "/?(.*?)/?")'
    return f'label_join({rows}, "link", " ", "kind", "namespace", "name")'


def nothing_to_do(kind: str = "externalsecret", resource: str = "externalsecrets") -> str:
    """The row that stands alone when all is well: how many of `kind` were looked at, so that it cannot mean nobody did."""
    judged = f'max(eso_exporter_judged_objects{{{C},kind="{kind}"}}) and on () {known(resource)}'
    row = f'label_replace(0 * count_values("judged", {judged}), "what", "none/{kind}/$1", "judged", "(.+)")'
    return named(row, severity="4 none", runbook="none", link="none")


def rest_with_owner(rest: str) -> str:
    """Rows of stores, Secrets and other kinds, with the owner of each."""
    return with_owner(rest, f'eso_problem_since_timestamp_seconds{{{C},kind!~"externalsecret|vault"}}')


def everything(limit: int = 100) -> str:
    """All problems of the chosen clusters, namespaces and stores."""
    rows = f"({of_externalsecrets()} or {of_vaults()} or {rest_with_owner(f'({of_stores()} or {of_the_rest()})')})"
    return f"{dressed(worst_first(rows, limit))} or on () {nothing_to_do()}"


def of_one_vault(matchers: str) -> str:
    """Problems of the Vaults that `matchers` select, and of the stores that lead to them."""
    leading = f"max by (cluster, store_namespace, store) (eso_secretstore_info{{{matchers}}})"
    stores = rest_with_owner(of_stores(renamed(leading, namespace="store_namespace", name="store")))
    rows = f"({of_vaults(matchers)} or {stores})"
    return f"{dressed(worst_first(rows, 50))} or on () {nothing_to_do('vault', 'clustersecretstores')}"


def of_one_externalsecret(matchers: str) -> str:
    """Problems of the ExternalSecrets that `matchers` (on labels namespace and name) select, of their stores and Vaults."""
    reads = f"eso_externalsecret_store_info{{{NS},{matchers}}}"
    stores = renamed(f"max by (cluster, store_namespace, store) ({reads})", namespace="store_namespace", name="store")
    vaults = renamed(f"max by (cluster, vault) ({reads})", name="vault")
    rows = (
        f"({of_externalsecrets(matchers, any_store=True)} or {rest_with_owner(of_stores(stores))}"
        f" or ({of_vaults()} and on (cluster, name) {vaults}))"
    )
    return f"{dressed(worst_first(rows, 50))} or on () {nothing_to_do()}"


def of_secrets() -> str:
    """Problems of Secrets of the chosen namespaces."""
    rows = rest_with_owner(since(f'{NS},kind="secret"'))
    return f"{dressed(worst_first(rows, 100))} or on () {nothing_to_do('secret', 'secrets')}"


def columns() -> Sequence[Column]:
    """The columns of the table."""
    return (
        Column(field="severity", title="Severity", width=70, mappings=[mappings.SEVERITIES], coloured=True),
        Column(field="Value", title="Since", width=100, unit="dateTimeFromNow", mappings=[mappings.values({"0": "–"})]),
        Column(field="kind", title="Kind", width=108, mappings=[mappings.KINDS, mappings.empty("–")]),
        Column(
            field="object",
            title="Object",
            width=190,
            wrapped=True,
            link=Link(title="Look closer", url="/d/${__data.fields.link}&${cluster:queryparam}&" + KEEP),
        ),
        Column(
            field="what",
            title="Problem",
            width=235,
            wrapped=True,
            mappings=[
                *mappings.problems(),
                *(
                    mappings.pattern(f"none/{kind}/(\\d+)", f"Nothing needs action ($1 {noun} looked at)")
                    for kind, noun in (
                        ("externalsecret", "ExternalSecrets"),
                        ("secret", "Secrets"),
                        ("vault", "Vaults"),
                    )
                ),
            ],
        ),
        Column(field="error", title="Why", width=155, wrapped=True, mappings=[*mappings.causes(), mappings.empty("–")]),
        Column(field="store", title="Store", width=110, wrapped=True, mappings=[mappings.empty("–")]),
        Column(field="hit", title="Who is hit", width=110, wrapped=True, mappings=[mappings.empty("–")]),
        Column(field="owner", title="Owner", width=95, wrapped=True, mappings=[mappings.NOBODY]),
        Column(
            field="advice",
            title="What now",
            width=300,
            wrapped=True,
            mappings=[*mappings.advice(), mappings.empty("–")],
        ),
        Column(
            field="runbook",
            title="Runbook",
            width=120,
            wrapped=True,
            mappings=mappings.runbooks(),
            link=Link(title="Read the runbook", url="${runbooks}/${__value.text}.md", new_tab=True),
        ),
        Column(field="link", hidden=True, mappings=mappings.places()),
    )


LEFT_OUT = ("cluster", "namespace", "name", "node", "problem", "judged")


def table(title: str, description: str, expr: str, *, height: int = 13, without: Sequence[str] = ()) -> Table:
    """The panel. `expr` gives `dressed` rows; `without` are fields that they do not have."""
    return Table(
        title=title,
        description=description,
        queries=[Query(expr=expr, table=True)],
        width=24,
        height=height,
        columns=[column for column in columns() if column.field not in without],
        left_out=LEFT_OUT,
        tall=True,
        sort=[("Severity", False), ("Since", False)],
    )
