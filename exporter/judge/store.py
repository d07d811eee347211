"""One SecretStore or ClusterSecretStore: its state, who uses it, its problems."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exporter.inventory.changes import STORE
from exporter.inventory.inventory import Inventory
from exporter.judge.findings import Findings, Problem
from exporter.judge.kind import GONE, Judged, Places
from exporter.judge.view import View
from exporter.kube.records import Store

UNUSED_AFTER = 600.0
"""Seconds for which a store must have been without users: one is often made before its first ExternalSecret."""


class StoreJudgement(msgspec.Struct, frozen=True, gc=False):
    """What is to be told of a store: `users` by state, in the order ready, not_ready, unknown."""

    record: Store
    owner: str
    vault: str
    users: tuple[int, int, int]
    problems: tuple[Problem, ...]


def judge(record: Store, view: View, now: float, observed: Mapping[str, float]) -> tuple[StoreJudgement, Findings]:
    """Judges one store at `now`; `observed` is `Findings.lasting` of the judgement before."""
    findings = Findings(now, observed)
    users = view.users(record.ref)
    if not record.foreign:
        if record.status == "False" or record.status == "Unknown":
            findings.add("not_ready", record.transition)
        elif not record.status:
            findings.at("never_validated", record.created + view.settings.never_validated_after, record.created)
        elif record.reason == "ValidationUnknown" or record.referent:
            findings.add("unchecked", record.transition)
    _credentials(record, view, findings)
    if not any(users.values()) and view.use_readable(record.ref) and not view.pushed_to(record.ref):
        findings.observe("unused", UNUSED_AFTER)
    judgement = StoreJudgement(
        record=record,
        owner=record.owner or (view.namespace_owner(record.namespace) if record.namespace else ""),
        vault=view.vault(record.ref),
        users=(users["ready"], users["not_ready"], users["unknown"]),
        problems=tuple(findings.problems),
    )
    return judgement, findings


def _credentials(record: Store, view: View, findings: Findings) -> None:
    """The Secrets and ServiceAccounts its login needs exist. A reference without a namespace has no single place to look."""
    missing = [
        f"{ref.namespace}/{ref.name}"
        for ref in record.secrets
        if ref.namespace and view.secrets_readable(ref.namespace) and view.secret(ref.namespace, ref.name) is None
    ]
    missing += [
        f"serviceaccount {ref.namespace}/{ref.name}"
        for ref in record.accounts
        if ref.namespace and view.accounts_readable(ref.namespace) and view.account(ref.namespace, ref.name) is None
    ]
    if missing:
        findings.observe("credentials_missing", view.settings.absence_after, evidence=tuple(missing))


class _Stores:
    """Implements `Kind` for both kinds of stores."""

    name = STORE

    def places(self, inventory: Inventory) -> Places:
        """See Kind."""
        yield "", inventory.clustersecretstores.names("")
        for namespace in inventory.secretstores.namespaces():
            yield namespace, inventory.secretstores.names(namespace)

    def has(self, inventory: Inventory, namespace: str, name: str) -> bool:
        """See Kind."""
        return inventory.store_at(namespace, name) is not None

    def judge(
        self, inventory: Inventory, view: View, namespace: str, name: str, now: float, observed: Mapping[str, float]
    ) -> Judged:
        """See Kind."""
        record = inventory.store_at(namespace, name)
        if record is None or not view.store_readable(record.ref):
            return GONE
        return Judged(*judge(record, view, now, observed))


KIND = _Stores()
