"""The state timeline that both the overview and the dashboard of one ExternalSecret have: causes on top, effects below."""

from __future__ import annotations

from dashboards import mappings
from dashboards.model import Query
from dashboards.panels import StateTimeline
from dashboards.problems import silent_problems
from dashboards.promql import OBJECT, STORE, externalsecrets, stores_ready, vault_state

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


def states(*matchers: str) -> str:
    """A state of `mappings.READY_STATES` by ExternalSecret: 0 not ready, 1 ready, 2 ready and yet not well."""
    ready = externalsecrets("eso_externalsecret_ready", *matchers, wrap="min_over_time({}[" + WINDOW + "])")
    silent = externalsecrets(
        "eso_externalsecret_problem",
        *matchers,
        f'problem=~"{silent_problems()}"',
        wrap="max_over_time({}[" + WINDOW + "])",
    )
    by = f"min by ({OBJECT})"
    return f"({by} ({ready} == 0) or 2 * max by ({OBJECT}) ({silent}) or {by} ({ready}))"


def were_bad() -> str:
    """The ExternalSecrets that were not ready, late or broken at some time in the range; the longest bad ones are kept."""
    ready = externalsecrets("eso_externalsecret_ready", wrap="avg_over_time({}" + RANGE + ")")
    silent = externalsecrets(
        "eso_externalsecret_problem", f'problem=~"{silent_problems()}"', wrap="count_over_time({}" + RANGE + ")"
    )
    return f"topk({MOST_OBJECTS}, (1 - min by ({OBJECT}) ({ready})) > 0 or max by ({OBJECT}) ({silent}) * 1e-6)"


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
