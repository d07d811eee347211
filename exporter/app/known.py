"""What of the cluster is completely known: the ground on which anything may be judged absent."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.kube.resource import ReflectorStatus
from exporter.kube.resources import CLUSTERSECRETSTORES, NAMESPACES

Key = tuple[str, str]


class Known:
    """Which (resource, scope) is known: completely listed, or not served at all (then there is nothing of it).

    A reflector that has not settled keeps what was known before it, so that a reload which starts new reflectors makes
    no dip; with `narrowed` (namespaces are watched one by one) so does every scope while namespaces have not settled, for
    its reflectors may be yet to come. There, too, ClusterSecretStores may be out of reach for good: rights by Role cannot
    give them, and Secrets are judged without them.
    """

    def __init__(self) -> None:
        self._known: frozenset[Key] = frozenset()
        self._narrowed = False
        self._unreachable: frozenset[str] = frozenset()

    def update(self, statuses: Iterable[ReflectorStatus], *, narrowed: bool) -> bool:
        """Takes over the reflectors' states; tells whether anything became known or unknown."""
        known: set[Key] = set()
        denied: set[str] = set()
        for status in statuses:
            if status.resource == NAMESPACES and narrowed and not settled([status]):
                known.update(key for key in self._known if key[1])
            key = (status.resource, status.scope)
            if status.synced or status.absent or (not status.denied and key in self._known):
                known.add(key)
            elif status.denied:
                denied.add(status.resource)
        before = (self._known, self._narrowed, self._unreachable)
        self._known, self._narrowed, self._unreachable = frozenset(known), narrowed, frozenset(denied)
        return before != (self._known, self._narrowed, self._unreachable)

    def readable(self, resource: str, namespace: str) -> bool:
        """Whether everything of the resource in the namespace ("" for cluster-scoped things) is known."""
        if (resource, "") in self._known or (resource, namespace) in self._known:
            return True
        return resource == CLUSTERSECRETSTORES and self._narrowed and resource in self._unreachable

    @property
    def resources(self) -> frozenset[str]:
        """Resources known in at least one scope."""
        return frozenset(resource for resource, _ in self._known)


def settled(statuses: Iterable[ReflectorStatus]) -> bool:
    """Whether every reflector has its first complete list, or has been told that it will not get one."""
    return all(status.synced or status.denied or status.absent for status in statuses)


PATIENCE = 10.0
LONGEST_PATIENCE = 60.0


def worth_waiting(statuses: Iterable[ReflectorStatus], waited: float, now: float) -> bool:
    """Whether the first judging had better wait for resources that have not settled: a big one is then judged once, not twice.

    `waited` are seconds since the start, `now` is Unix time. After PATIENCE only lists that go on are waited for, of which
    a page came within that time, and after LONGEST_PATIENCE nothing is.
    """
    if waited < PATIENCE or waited >= LONGEST_PATIENCE:
        return waited < PATIENCE
    return all(settled([status]) or (status.last_contact or 0.0) > now - PATIENCE for status in statuses)
