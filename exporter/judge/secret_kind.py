"""Secrets and Namespaces as the engine walks them: each Secret's class is counted, and its namespace tells the counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from exporter.inventory.changes import NAMESPACE, SECRET
from exporter.inventory.inventory import Inventory
from exporter.judge import namespace as rule_of_namespace
from exporter.judge import secret as rule_of_secret
from exporter.judge.kind import GONE, Judged, Places
from exporter.judge.secret import Exceptions
from exporter.judge.view import View
from exporter.kube.resources import CLUSTERSECRETSTORES, EXTERNALSECRETS, NAMESPACES, SECRETSTORES


def secrets_judged(view: View, excluded: Collection[str], namespace: str) -> bool:
    """Whether each Secret of a namespace can be given its class: everything that decides it is known there."""
    return (
        namespace not in excluded
        and view.secrets_readable(namespace)
        and view.readable(EXTERNALSECRETS, namespace)
        and view.readable(SECRETSTORES, namespace)
        and view.readable(CLUSTERSECRETSTORES, "")
    )


class Secrets:
    """Implements `Kind`. Only manual Secrets and those with problems have a judgement that is told; all are counted."""

    name = SECRET

    def __init__(self, exceptions: Exceptions, excluded: Collection[str]) -> None:
        self._exceptions = exceptions
        self._excluded = excluded
        self._judged: dict[str, bool] = {}
        self._recounted: set[str] = set()

    def begin(self) -> None:
        """A round of judging begins: what is readable may have changed since the last one, and will not within it."""
        self._judged.clear()
        self._recounted.clear()

    def places(self, inventory: Inventory) -> Places:
        """See Kind."""
        for namespace in inventory.secrets.namespaces():
            yield namespace, inventory.secrets.names(namespace)

    def has(self, inventory: Inventory, namespace: str, name: str) -> bool:
        """See Kind."""
        return inventory.secrets.get(namespace, name) is not None

    def judge(
        self, inventory: Inventory, view: View, namespace: str, name: str, now: float, observed: Mapping[str, float]
    ) -> Judged:
        """See Kind."""
        record = inventory.secrets.get(namespace, name)
        if record is None:
            return self._counts(namespace)
        judged = self._judged.get(namespace)
        if judged is None:
            judged = self._judged[namespace] = secrets_judged(view, self._excluded, namespace)
        if not judged:
            return self._counts(namespace) if inventory.set_ownership(record, "") else GONE
        silent = rule_of_secret.silent(record, view)
        if silent:
            return self._counts(namespace) if inventory.set_ownership(record, silent) else GONE
        judgement, findings = rule_of_secret.judge(record, view, self._exceptions, now, observed)
        counted = rule_of_namespace.ACCEPTED if judgement.exception else judgement.ownership
        changed = inventory.set_ownership(record, counted)
        concerns = (NAMESPACE, "", namespace) if changed else None
        return Judged(judgement if judgement.told else None, findings, concerns)

    def _counts(self, namespace: str) -> Judged:
        """Nothing to tell but that the counts of the namespace changed: that once in a round is enough."""
        if namespace in self._recounted:
            return GONE
        self._recounted.add(namespace)
        return Judged(None, None, (NAMESPACE, "", namespace))


class Namespaces:
    """Implements `Kind`. Where Namespaces cannot be read, those that hold a Secret exist."""

    name = NAMESPACE

    def __init__(self, excluded: Collection[str]) -> None:
        self._excluded = excluded

    def places(self, inventory: Inventory) -> Places:
        """See Kind."""
        yield "", {*inventory.namespaces.names(""), *inventory.secrets.namespaces()}

    def has(self, inventory: Inventory, namespace: str, name: str) -> bool:
        """See Kind."""
        return inventory.namespaces.get(namespace, name) is not None or bool(inventory.secrets.names(name))

    def judge(
        self,
        inventory: Inventory,
        view: View,
        namespace: str,
        name: str,
        now: float,  # noqa: ARG002  (the shape of Kind; no time changes these counts)
        observed: Mapping[str, float],  # noqa: ARG002
    ) -> Judged:
        """See Kind."""
        exists = inventory.namespaces.get(namespace, name) is not None
        if not exists and not view.readable(NAMESPACES, ""):
            exists = bool(inventory.secrets.names(name))
        if not exists:
            return GONE
        ownership = inventory.ownership(name) if secrets_judged(view, self._excluded, name) else None
        return Judged(rule_of_namespace.judge(name, view.namespace_owner(name), ownership), None)
