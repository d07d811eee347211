"""The state timeline that both the overview and the dashboard of one ExternalSecret have: causes on top, effects below."""

from __future__ import annotations

from dashboards import mappings
from dashboards.model import Query
from dashboards.panels import StateTimeline
from dashboards.problems import silent_problems
from dashboards.promql import NOT_READY, NS, OBJECT, STORE, C, externalsecrets, stores_ready, vault_state

MOST_VAULTS, MOST_STORES, MOST_OBJECTS = 5, 10, 25
WINDOW = "$__rate_interval"
RANGE = "[$__range] @ end()"


def vaults(matchers: str) -> str:
    """States of Vaults, ten above those of `vault_state`, so that they have words of their own."""
    return f"topk({MOST_VAULTS}, 10 + ({vault_state(matchers, WINDOW)}))"


def stores(among: str = "") -> str:
    """1 or 0 by store; those that were bad longest in the range are chosen. `among` is a vector of stores to choose from."""
    kept = f" and on ({STORE}) {among}" if among else ""
    worst = f"topk({MOST_STORES}, 1 - {stores_ready(wrap='avg_over_time({}' + RANGE + ')')}{kept})"
    return f"{stores_ready(wrap='min_over_time({}[' + WINDOW + '])')} and on ({STORE}) {worst}"


def problems(ids: str, window: str, function: str) -> str:
    """Problems of the chosen ExternalSecrets within a window: only what is bad has such series, so this costs little."""
    return externalsecrets("eso_externalsecret_problem", f'problem=~"{ids}"', wrap=f"{function}({{}}{window})")


def were_bad() -> str:
    """The ExternalSecrets that were not ready, late or broken at some time in the range; the longest bad ones are kept."""
    loud = problems(NOT_READY, RANGE, "count_over_time")
    silent = problems(silent_problems(), RANGE, "count_over_time")
    return f"topk({MOST_OBJECTS}, max by ({OBJECT}) ({loud}) or on ({OBJECT}) max by ({OBJECT}) ({silent}) * 1e-6)"


def states() -> str:
    """A state of `mappings.READY_STATES` by ExternalSecret of `were_bad`: 0 not ready, 0.5 ready and yet not well, 1 ready.

    Looking at every ExternalSecret at every step would take seconds at 5,000, so what is good is taken from what is bad: it
    is ready where it exists, has no such problem, and an exporter looked. One that is gone by the end has no good spans.
    """
    bad = f"0 * {problems(NOT_READY, f'[{WINDOW}]', 'max_over_time')}"
    unwell = f"0.5 * {problems(silent_problems(), f'[{WINDOW}]', 'max_over_time')}"
    created = f"eso_externalsecret_created_timestamp_seconds{{{NS}}} @ end() and on ({OBJECT}) {were_bad()}"
    looked = f'max by (cluster) (eso_exporter_resource_synced{{{C},resource="externalsecrets"}} == 1)'
    good = f"(1 + 0 * (max by ({OBJECT}) ({created}) <= time()) and on (cluster) {looked})"
    return f"min by ({OBJECT}) (({bad} or {unwell}) and on ({OBJECT}) {were_bad()}) or on ({OBJECT}) {good}"


def state_timeline(title: str, description: str, queries: list[Query], height: int) -> StateTimeline:
    """The panel, over the whole width."""
    return StateTimeline(
        title=title,
        description=description,
        queries=queries,
        width=24,
        height=height,
        mappings=[mappings.TIMELINE_STATES],
        max_data_points=180,
        per_page=MOST_VAULTS + MOST_STORES + MOST_OBJECTS,
        no_value="No data: no exporter has reported a Vault, a store or an ExternalSecret",
    )


def causes(vault_matchers: str, among: str = "") -> list[Query]:
    """Vaults, then stores."""
    return [
        Query(expr=vaults(vault_matchers), legend="Vault {{cluster}} {{vault}}"),
        Query(expr=stores(among), legend="{{store_kind}} {{cluster}} {{store_namespace}} {{store}}"),
    ]
