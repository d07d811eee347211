"""The Vaults of the configuration: their names and targets, and what is wrong with them, one sentence each."""

from __future__ import annotations

import msgspec

from exporter.config.settings import VaultServer, VaultSettings
from exporter.errors import ConfigError
from exporter.vault.addresses import canonical, forbidden, label
from exporter.vault.trust import CaError, known_ca


class Target(msgspec.Struct, frozen=True):
    """One address to probe.

    `address` is canonical. `server_name`, when given, is the name asked for and checked in TLS. `ca_pem` and the file
    `ca_file` (read at each probe, so that a renewed file counts at once) are the CA it must have; without both the probe
    may go on unverified. `configured_nodes`: the address is one configured node, not an entry that may lead to any node.
    """

    vault: str
    node: str
    address: str
    server_name: str = ""
    ca_pem: bytes = b""
    ca_file: str = ""
    configured_nodes: bool = False


def configured_names(settings: VaultSettings) -> dict[str, str]:
    """Canonical address (and alias) → name of the configured Vault; the first one wins."""
    names: dict[str, str] = {}
    for server in settings.servers:
        for text in (server.address, *server.aliases):
            if url := canonical(text):
                names.setdefault(url, server.name)
    return names


def configured_targets(server: VaultServer, store_ca: bytes = b"") -> tuple[Target, ...]:
    """The targets of one configured Vault: its nodes, else its address. Addresses that `check` refuses are left out.

    `store_ca` is the caBundle of ClusterSecretStores that name this server; the configuration's own CA stands over it.
    """
    pem = server.ca.encode() or (b"" if server.ca_file else store_ca)
    if server.nodes:
        nodes = [(node.name, canonical(node.address), node.server_name) for node in server.nodes]
    else:
        url = canonical(server.address)
        nodes = [(label(url), url, "")]
    return tuple(
        Target(server.name, node, url, name, pem, server.ca_file, configured_nodes=bool(server.nodes))
        for node, url, name in nodes
        if url and not forbidden(url)
    )


def check(settings: VaultSettings) -> None:
    """Raise ConfigError, in one sentence, for the first configured Vault that cannot be probed as it is written.

    Beyond what `exporter.config.validate` asks of the settings' forms: addresses that can be asked and belong to one
    Vault each, CAs that can be used (files are read), and no more addresses than are probed.
    """
    owners: dict[str, str] = {}
    for server in settings.servers:
        where = f"vault server {server.name!r}"
        for text in (*([server.address] if server.address else []), *server.aliases):
            url = _usable(text, where)
            if owners.setdefault(url, server.name) != server.name:
                raise ConfigError(
                    f"The address {url} belongs to two vault servers, {owners[url]!r} and {server.name!r}: keep one of them."
                )
        for node in server.nodes:
            _usable(node.address, f"node {node.name!r} of the {where}")
        try:
            known_ca(server.ca.encode(), server.ca_file)
        except CaError as error:
            raise ConfigError(f"The CA of the {where} cannot be used: {error}.") from None
    count = sum(len(server.nodes) or 1 for server in settings.servers)
    if count > settings.max_servers:
        raise ConfigError(
            f"{count} vault addresses are configured, but at most {settings.max_servers} are probed: "
            "raise --vault.max-servers."
        )


def _usable(text: str, where: str) -> str:
    url = canonical(text)
    if not url:
        raise ConfigError(f"The {where} has an address that is no http(s) URL: write it as https://host:port.")
    if forbidden(url):
        raise ConfigError(
            f"The {where} has the address {url}, which is link-local, multicast or a metadata service and never asked: "
            "use another address of that server."
        )
    return url
