"""What must hold between settings, beyond each one's own type: a table of checks, each a sentence when it fails."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from urllib.parse import urlsplit

from exporter.config.schema import quote
from exporter.config.settings import OwnershipRule, Settings, VaultServer

Check = Callable[[Settings], Iterator[str]]

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONDITIONS = tuple(name for name in OwnershipRule.__struct_fields__ if name not in ("name", "result"))


def validate(settings: Settings) -> list[str]:
    """Every complaint about `settings` as a sentence that names the settings; empty when all is well."""
    return [complaint for check in CHECKS for complaint in check(settings)]


def _listen_address(settings: Settings) -> Iterator[str]:
    text = settings.web.listen_address
    match = re.fullmatch(r"(?:\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]\s/]*):(\d{1,5})", text)
    if not match or int(match[1]) > 65535:
        yield f"web.listen_address must be host:port, :port or [v6]:port, not {quote(text)}"


def _namespaces(settings: Settings) -> Iterator[str]:
    if settings.kubernetes.namespaces and settings.kubernetes.namespace_selector:
        yield "kubernetes.namespaces and kubernetes.namespace_selector exclude each other: give one of them"


def _probe_time(settings: Settings) -> Iterator[str]:
    if settings.vault.timeout >= settings.vault.interval:
        yield "vault.timeout must be less than vault.interval, else probes of one node would overlap"


def _vault_servers(settings: Settings) -> Iterator[str]:
    servers = settings.vault.servers
    yield from _twice("vault.servers", "name", (server.name for server in servers))
    for number, server in enumerate(servers):
        yield from _vault_server(f"vault.servers[{number}]", server)


def _vault_server(where: str, server: VaultServer) -> Iterator[str]:
    if not _NAME.fullmatch(server.name):
        yield f"{where}.name must be letters, digits, '.', '_' and '-' (at most 63), not {quote(server.name)}"
    if not server.address and not server.nodes:
        yield f"{where} needs an address or nodes"
    if server.ca and server.ca_file:
        yield f"{where}.ca and {where}.ca_file exclude each other: give one of them"
    addresses = [("address", server.address)] if server.address else []
    addresses += [(f"aliases[{number}]", alias) for number, alias in enumerate(server.aliases)]
    for number, node in enumerate(server.nodes):
        addresses.append((f"nodes[{number}].address", node.address))
        if not _NAME.fullmatch(node.name):
            yield f"{where}.nodes[{number}].name must be letters, digits, '.', '_' and '-' (at most 63), not {quote(node.name)}"
    for key, address in addresses:
        complaint = url_complaint(address)
        if complaint:
            yield f"{where}.{key} {complaint}"
    yield from _twice(f"{where}.nodes", "name", (node.name for node in server.nodes))


def url_complaint(address: str, instead: str = "probes carry no credentials") -> str:
    """What is wrong with the address of a server, to stand after its name; empty when nothing is."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"must be an http:// or https:// address, not {quote(address)}"
    if "@" in parts.netloc:
        return f"must not hold a user or password: {instead} ({quote(address)})"
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        return f"must be an http:// or https:// address, not {quote(address)}"
    return ""


def _alertmanager(settings: Settings) -> Iterator[str]:
    given = settings.alertmanager
    for number, url in enumerate(given.urls):
        complaint = url_complaint(url, "give alertmanager.username and alertmanager.password_file")
        if complaint:
            yield f"alertmanager.urls[{number}] {complaint}"
    yield from _twice("alertmanager.urls", "address", (url.rstrip("/") for url in given.urls))
    for name, value in given.labels.items():
        if not _LABEL.fullmatch(name) or name in ("alertname", "severity"):
            yield f"alertmanager.labels must hold names of labels other than alertname and severity, not {quote(name)}"
        elif not value:
            yield f"alertmanager.labels: the label {name} has no value"
    if given.bearer_token_file and given.username:
        yield "alertmanager.bearer_token_file and alertmanager.username exclude each other: give one of them"
    if bool(given.username) != bool(given.password_file):
        yield "alertmanager.username and alertmanager.password_file go together: give both or none"
    if bool(given.cert_file) != bool(given.key_file):
        yield "alertmanager.cert_file and alertmanager.key_file go together: give both or none"
    if given.interval * 4 > given.resolve_timeout:
        yield "alertmanager.resolve_timeout must be at least four times alertmanager.interval, else alerts end while they stand"


def _ownership_rules(settings: Settings) -> Iterator[str]:
    yield from _twice("ownership.rules", "name", (rule.name for rule in settings.ownership.rules))
    for number, rule in enumerate(settings.ownership.rules):
        if not any(getattr(rule, condition) for condition in _CONDITIONS):
            yield f"ownership.rules[{number}] would hold for every Secret: give one of {', '.join(_CONDITIONS)}"


def _ownership_exceptions(settings: Settings) -> Iterator[str]:
    yield from _twice("ownership.exceptions", "id", (entry.id for entry in settings.ownership.exceptions))
    for number, entry in enumerate(settings.ownership.exceptions):
        where = f"ownership.exceptions[{number}]"
        for key in ("id", "namespace", "secret", "reason"):
            if not getattr(entry, key).strip():
                yield f"{where}.{key} is empty"
        if entry.until and not _is_date(entry.until):
            yield f"{where}.until must be a date such as 2027-03-31, not {quote(entry.until)}"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text))


def _twice(where: str, key: str, values: Iterable[str]) -> Iterator[str]:
    for value, times in Counter(values).items():
        if times > 1:
            yield f"{where}: the {key} {quote(value)} is given {times} times"


CHECKS: tuple[Check, ...] = (
    _listen_address,
    _namespaces,
    _probe_time,
    _vault_servers,
    _alertmanager,
    _ownership_rules,
    _ownership_exceptions,
)
