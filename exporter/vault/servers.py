"""Which Vault servers are probed: the configured ones, and those that stores name as far as tenants may not steer us.

Pure: nothing is read or resolved here. Names that resolve to a forbidden address are refused where the connection is
made (`wire`), so that a name cannot change its meaning in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from exporter.config.settings import VaultSettings
from exporter.vault.addresses import canonical, forbidden, label, netlocs
from exporter.vault.configured import Target, check, configured_names, configured_targets

__all__ = ["NotProbed", "Selection", "StoreServer", "Target", "canonical", "check", "select", "vault_name"]

PROVIDERS = frozenset({"vault", "openbao"})
STATES = ("probed", "not_allowed", "refused", "excess")


class StoreServer(msgspec.Struct, frozen=True):
    """The server that one store names; `provider` is vault or openbao, `ca_pem` the store's caBundle as PEM."""

    store_kind: str
    store_namespace: str
    store: str
    server: str
    provider: str
    ca_pem: bytes = b""


class NotProbed(NamedTuple):
    """A server that some store names and nobody asks: why (a state), and what would change that."""

    server: str
    state: str
    hint: str


class Selection(msgspec.Struct, frozen=True):
    """What `select` decided.

    `states` counts the distinct servers named by stores, every state present; `names` maps each canonical address, of
    stores and of the configuration, to its Vault's name.
    """

    targets: tuple[Target, ...] = ()
    states: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(STATES, 0))
    names: Mapping[str, str] = {}
    not_probed: tuple[NotProbed, ...] = ()


class _Named(msgspec.Struct):
    """What the stores that name one server say of it."""

    cluster: bool = False
    cas: set[bytes] = msgspec.field(default_factory=set)

    def add(self, store: StoreServer) -> None:
        cluster = store.store_kind == "ClusterSecretStore"
        if cluster and not self.cluster:
            self.cluster, self.cas = True, set()
        if cluster or not self.cluster:
            self.cas.add(store.ca_pem.strip())

    def ca_pem(self) -> bytes:
        """The CA: all that ClusterSecretStores give, or the one that all namespaced stores agree on.

        A tenant who names a server with another caBundle must not make the probe of his neighbour's Vault fail.
        """
        if self.cluster:
            return b"\n".join(sorted(self.cas - {b""}))
        return next(iter(self.cas)) if len(self.cas) == 1 else b""


def select(settings: VaultSettings, stores: Iterable[StoreServer]) -> Selection:
    """Choose the targets, at most `settings.max_servers`: the configured Vaults in their order, then what
    ClusterSecretStores name, then what namespaced stores name, these in the order of the addresses. Never raises.
    """
    named, unreadable = _by_server(stores)
    configured = configured_names(settings)
    names = _names(configured, named)
    targets: list[Target] = []
    left_out: set[str] = set()
    for server in settings.servers:
        entry = named.get(canonical(server.address))
        wanted = configured_targets(server, entry.ca_pem() if entry and entry.cluster else b"")
        if wanted and len(targets) + len(wanted) <= settings.max_servers:
            targets += wanted
        else:
            left_out.add(server.name)

    states = dict.fromkeys(STATES, 0)
    not_probed: list[NotProbed] = []
    for url in sorted(named, key=lambda url: (not named[url].cluster, url)):
        if url in configured:
            state, hint = ("excess", "") if configured[url] in left_out else ("probed", "")
        else:
            state, hint = _permission(settings, url, named[url].cluster)
            if state == "probed" and len(targets) >= settings.max_servers:
                state = "excess"
            elif state == "probed":
                targets.append(Target(names[url], label(url), url, ca_pem=named[url].ca_pem()))
        states[state] += 1
        if state == "excess":
            hint = f"more than {settings.max_servers} addresses: raise --vault.max-servers"
        if state != "probed":
            not_probed.append(NotProbed(url, state, hint))

    states["refused"] += len(unreadable)
    not_probed += (NotProbed(store, "refused", "its server is no http(s) URL") for store in sorted(unreadable))
    return Selection(tuple(targets), states, names, tuple(not_probed))


def vault_name(selection: Selection, server: str) -> str:
    """The logical name of the Vault behind a store's server: from the configuration, else host[:port].

    Empty for a server that is no http(s) URL. The whole address where host[:port] is another Vault's name already.
    """
    url = canonical(server)
    return selection.names.get(url) or (_free_name(url, set(selection.names.values())) if url else "")


def _by_server(stores: Iterable[StoreServer]) -> tuple[dict[str, _Named], set[str]]:
    """The named servers by canonical address, and the stores (not their texts: these may hold a password) without one."""
    named: dict[str, _Named] = {}
    unreadable: dict[str, str] = {}
    for store in sorted(stores, key=lambda store: (store.store_kind, store.store_namespace, store.store)):
        if store.provider not in PROVIDERS:
            continue
        if url := canonical(store.server):
            named.setdefault(url, _Named()).add(store)
        else:
            namespace = f"{store.store_namespace}/" if store.store_namespace else ""
            unreadable.setdefault(store.server, f"{store.store_kind} {namespace}{store.store}")
    return named, set(unreadable.values())


def _names(configured: dict[str, str], named: dict[str, _Named]) -> dict[str, str]:
    """A name for every address, unique among the Vaults; who is served first keeps it whoever else comes and goes."""
    names = dict(configured)
    taken = set(configured.values())
    for url in sorted(named, key=lambda url: (not named[url].cluster, not url.startswith("https:"), url)):
        if url not in names:
            names[url] = _free_name(url, taken)
            taken.add(names[url])
    return names


def _free_name(url: str, taken: set[str]) -> str:
    return next(name for name in (label(url), url, f"{url}/", f"{url}//") if name not in taken)


def _permission(settings: VaultSettings, url: str, cluster: bool) -> tuple[str, str]:
    """The state of a server that only stores name, and what would change it."""
    allow = f"--vault.allow={netlocs(url)[0]}"
    if forbidden(url):
        return "refused", "link-local, multicast and metadata addresses are never asked"
    if settings.discover == "off":
        return "not_allowed", "allow it with --vault.discover=cluster" + ("" if cluster else f" and {allow}")
    if cluster or settings.discover == "all" or any(_matches(pattern, url) for pattern in settings.allow):
        return "probed", ""
    return "not_allowed", f"allow it with {allow}"


def _matches(pattern: str, url: str) -> bool:
    """A glob on host[:port] or on the URL; its parts are matched one by one, so that `*` never crosses a slash."""
    scheme, separator, rest = pattern.strip().partition("://")
    if not separator:
        return any(fnmatchcase(netloc, pattern.strip().lower()) for netloc in netlocs(url))
    own_scheme, _, own_rest = url.partition("://")
    netloc, _, path = rest.partition("/")
    return (
        fnmatchcase(own_scheme, scheme.lower())
        and any(fnmatchcase(each, netloc.lower()) for each in netlocs(url))
        and fnmatchcase(own_rest.partition("/")[2], path.rstrip("/"))
    )
