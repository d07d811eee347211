"""PromQL that several panels share.

Each function returns the text of an instant vector. All read series through an aggregation to the labels of the object, as
docs/metrics.md asks (min for ready and available, else max), so that replicas and double scrapes change nothing. None of
them turns absence into 0: a zero is only said where the resource has been listed (`known`).
"""

from __future__ import annotations

from collections.abc import Iterable

C = 'cluster=~"$cluster"'
NS = f'{C},namespace=~"$namespace"'
IN_STORE_NS = f'{C},store_namespace=~"$namespace|"'
"""A store of a chosen namespace, or one of the whole cluster."""

ALL_STORES = 'all_stores=~"$store"'
SOME_STORES = 'all_stores!~"$store"'
"""No series has that label. With all stores chosen (`.*`) a selector with the first keeps everything and one with the second
nothing, else it is the other way round: what is not needed costs Prometheus nothing."""

OBJECT = "cluster, namespace, name"
STORE = "cluster, store_kind, store_namespace, store"
NODE = "cluster, vault, node"

VAULT_ERRORS = ("sealed", "uninitialized", "unreachable", "no_active")
"""Why a Vault is unavailable; the first of them that is seen gives the state its name, as in the alerts."""


def known(resource: str) -> str:
    """0 when an exporter has listed the resource completely; nothing otherwise."""
    return f'0 * max(eso_exporter_resource_synced{{{C},resource="{resource}"}} == 1)'


def counted(vector: str, resource: str) -> str:
    """How many elements; 0 only where the resource is known."""
    return f"count({vector}) or on () {known(resource)}"


def externalsecrets(family: str, *matchers: str, wrap: str = "{}") -> str:
    """Series of a family with the store labels, of the chosen namespaces and stores. `wrap` is put around each selector.

    A series carries the store of `spec.secretStoreRef` only; one that reads from a chosen store besides is found through
    eso_externalsecret_store_info.
    """
    base = ",".join((NS, *matchers))
    every = wrap.format(f"{family}{{{base},{ALL_STORES}}}")
    first = wrap.format(f'{family}{{{base},{SOME_STORES},store=~"$store"}}')
    second = wrap.format(f'{family}{{{base},{SOME_STORES},store!~"$store"}}')
    reads = wrap.format(f'eso_externalsecret_store_info{{{base_of(matchers)},{SOME_STORES},store=~"$store"}}')
    return f"({every} or {first} or ({second} and on ({OBJECT}) {reads}))"


def base_of(matchers: Iterable[str]) -> str:
    """The matchers that eso_externalsecret_store_info knows too."""
    return ",".join((NS, *(each for each in matchers if each.startswith("name="))))


NOT_READY = "not_ready|never_synced"
"""The problems of an ExternalSecret that is not ready. Charts over time count these: only what is bad has such series, while
eso_externalsecret_ready must be read of every object at every step."""


def not_ready_over_time(by: str) -> str:
    """How many of the chosen ExternalSecrets are not ready, by labels of the store."""
    found = externalsecrets("eso_externalsecret_problem", f'problem=~"{NOT_READY}"')
    return f"count by ({by}) (max by ({OBJECT}, {STORE}) ({found}))"


def not_ready(*matchers: str) -> str:
    """ExternalSecrets that are not ready."""
    return f"min by ({OBJECT}) ({externalsecrets('eso_externalsecret_ready', *matchers)} == 0)"


def of_chosen(family: str, *matchers: str, merge: str = "max") -> str:
    """A family without store labels, by ExternalSecret, of the chosen namespaces and stores."""
    base = ",".join((NS, *matchers))
    reads = f'eso_externalsecret_store_info{{{base_of(matchers)},{SOME_STORES},store=~"$store"}}'
    every, some = f"{family}{{{base},{ALL_STORES}}}", f"{family}{{{base},{SOME_STORES}}}"
    return f"{merge} by ({OBJECT}) ({every} or ({some} and on ({OBJECT}) {reads}))"


def vault_state(matchers: str = C, window: str = "") -> str:
    """By Vault, a state of `mappings.VAULT_STATES`; with a window the worst one in it, so that a short outage is not missed."""

    def worst(family: str, function: str, *more: str) -> str:
        selector = f"{family}{{{','.join((matchers, *more))}}}"
        return f"{function} by (cluster, vault) " + (
            f"({function}_over_time({selector}[{window}]))" if window else f"({selector})"
        )

    states = [
        worst("eso_vault_problem", "max", 'problem="unavailable"', f'error="{error}"') + f" * {state}"
        for state, error in enumerate(VAULT_ERRORS, start=3)
    ]
    states.append(worst("eso_vault_problem", "max", 'problem=~"node_.*"') + " * 2")
    states.append(worst("eso_vault_available", "min"))
    return " or on (cluster, vault) ".join(states)


def node_state(matchers: str, window: str = "") -> str:
    """By Vault node, a state of `mappings.NODE_STATES`."""

    def seen(family: str, function: str) -> str:
        selector = f"{family}{{{matchers}}}"
        return f"{function} by ({NODE}) " + (
            f"({function}_over_time({selector}[{window}]))" if window else f"({selector})"
        )

    states = (
        f"0 * ({seen('eso_vault_up', 'min')} == 0)",
        f"4 + ({seen('eso_vault_initialized', 'min')} == 0)",
        f"3 * ({seen('eso_vault_sealed', 'max')} == 1)",
        f"1 * ({seen('eso_vault_active', 'max')} == 1)",
        f"1 + {seen('eso_vault_standby', 'max')}",
    )
    return f" or on ({NODE}) ".join(states)


def stores_ready(matchers: str = IN_STORE_NS, wrap: str = "{}") -> str:
    """By store, 1 or 0. `wrap` is put around the selector."""
    selector = f'eso_secretstore_ready{{{matchers},store=~"$store"}}'
    return f"min by ({STORE}) ({wrap.format(selector)})"


def stores_missing() -> str:
    """Stores that ExternalSecrets name though they do not exist."""
    named = (
        f'eso_externalsecret_store_info{{{NS},store=~"$store"}} and on ({OBJECT}) '
        f'eso_externalsecret_problem{{{NS},problem="store_missing"}}'
    )
    return f"(max by ({STORE}) ({named}) unless on ({STORE}) eso_secretstore_info{{{C}}})"


def one_of(keys: str, labels: str, vector: str) -> str:
    """One element for each `keys`, with `labels` besides: two replicas that disagree for a moment break no join."""
    return f"topk by ({keys}) (1, max by ({keys}, {labels}) ({vector}))"


def named(vector: str, **labels: str) -> str:
    """Sets labels to constants."""
    for label, value in labels.items():
        vector = f'label_replace({vector}, "{label}", "{value}", "", "")'
    return vector


def renamed(vector: str, as_: str = "$1", **labels: str) -> str:
    """Copies labels: `to="from"`; `as_` tells what is made of the value."""
    for to, source in labels.items():
        vector = f'label_replace({vector}, "{to}", "{as_}", "{source}", "(.+)")'
    return vector


def or_row(vector: str, resource: str, **labels: str) -> str:
    """A single row with these labels where there is none, though the resource is known: empty means no data, never healthy."""
    return f"{vector} or on () {named(f'({known(resource)})', **labels)}"
