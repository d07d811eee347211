"""How the exporter's parts stand, for its own metrics and for the landing page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized

from exporter import __version__
from exporter.kube.resource import ReflectorStatus
from exporter.vault.observation import Observation
from exporter.vault.servers import Selection
from exporter.web.pages import NotProbed, ResourceStatus, Status, VaultStatus


def object_counts(sinks: Mapping[str, object]) -> Mapping[str, int]:
    """How many objects of each resource are held."""
    return {resource: len(sink) for resource, sink in sinks.items() if isinstance(sink, Sized)}


def page_status(
    *,
    ready: bool,
    statuses: Iterable[ReflectorStatus],
    objects: Mapping[str, int],
    selection: Selection,
    observations: Mapping[tuple[str, str], Observation],
) -> Status:
    """What the landing page shows."""
    return Status(
        version=__version__,
        ready=ready,
        resources=tuple(_resource(status, objects) for status in statuses),
        vaults=tuple(
            _vault(target.vault, target.node, target.address, observations.get((target.vault, target.node)))
            for target in selection.targets
        ),
        not_probed=tuple(NotProbed(each.server, each.state, each.hint) for each in selection.not_probed),
    )


def _resource(status: ReflectorStatus, objects: Mapping[str, int]) -> ResourceStatus:
    note = status.last_error
    if status.absent:
        note = "not installed in this cluster; it is looked for again every 30 s"
    return ResourceStatus(
        resource=status.resource,
        scope=status.scope,
        synced=status.synced,
        denied=status.denied,
        last_contact=status.last_contact,
        objects=objects.get(status.resource) if not status.scope else None,
        note=note,
    )


def _vault(vault: str, node: str, address: str, seen: Observation | None) -> VaultStatus:
    if seen is None:
        return VaultStatus(vault, node, address, "not probed yet")
    if not seen.cause:
        return VaultStatus(vault, node, address, "active" if seen.active else "serving", seen.at)
    if seen.cause == "no_active" and seen.configured_node and not seen.dr_secondary:
        return VaultStatus(vault, node, address, "standby", seen.at)
    state = seen.detail or seen.error or _CAUSES.get(seen.cause, seen.cause)
    return VaultStatus(vault, node, address, state, seen.at, bad=True)


_CAUSES = {"no_active": "no active node known", "rate_limited": "keeps us away by a quota"}
