"""What is true of ESO itself, of its other kinds, and of Secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial

from exporter.inventory import changes
from exporter.judge.findings import Problem
from exporter.judge.pushsecret import PushSecretJudgement
from exporter.notify import table
from exporter.notify.externalsecrets import Parents
from exporter.notify.present import Present, since
from exporter.notify.table import Alert
from exporter.notify.timeline import Condition, Timeline, labels
from exporter.notify.words import Links, count, listed, meaning, moment

DAY = 86_400.0
EDITED = ("hand_edited", "edit_war")
SURVIVING = ("manual", "leftover", "copied_marks", "owner_dangling")


class Others:
    """Conditions of everything that is neither a Vault, a store nor an ExternalSecret."""

    def __init__(self, links: Links, timeline: Timeline) -> None:
        self._links = links
        self._timeline = timeline

    def operator(self, alert: Alert, present: Present) -> Iterator[Condition]:
        """Components of ESO without a ready replica."""
        wanted = "down" if alert is table.OPERATOR_DOWN else "degraded"
        for one in present.operators:
            begun = since(one.problems, wanted)
            if begun is None:
                continue
            if alert is table.OPERATOR_DOWN:
                summary = "The External Secrets Operator does not run."
                rest = "Nothing syncs, and every ExternalSecret goes on saying what it said last."
            else:
                summary = f"The {one.component} of the External Secrets Operator does not run."
                rest = "Syncing goes on, but ESO's objects cannot be changed while the webhook is away."
            description = (
                f"No replica of the {one.component} in namespace {one.namespace} is ready {moment(begun)}. {rest} "
                f"First: kubectl -n {one.namespace} get deployments,pods"
            )
            yield Condition(
                labels(namespace=one.namespace, component=one.component, owner=present.owners.get(one.namespace, "")),
                partial(self._links.words, alert, summary, description, "eso-overview"),
            )

    def pushes(self, present: Present, parents: Parents) -> Iterator[Condition]:
        """PushSecrets that do not push, as far as no parent speaks of them."""
        for one in present.pushes:
            record = one.record
            if any(ref in parents.stores for ref in record.stores) or any(
                present.vault_of(ref) in parents.vaults for ref in record.stores
            ):
                continue
            yield Condition(
                labels(namespace=record.namespace, name=record.name, owner=present.owners.get(record.namespace, "")),
                partial(self._push, one),
            )

    def spreads(self, alert: Alert, present: Present) -> Iterator[Condition]:
        """ClusterExternalSecrets or ClusterPushSecrets that did not reach every namespace."""
        kind, title, made = (
            (changes.CLUSTER_EXTERNALSECRET, "ClusterExternalSecret", "ExternalSecrets")
            if alert is table.CLUSTER_ES
            else (changes.CLUSTER_PUSHSECRET, "ClusterPushSecret", "PushSecrets")
        )
        for one in present.spreads.get(kind, ()):
            record = one.record
            failed = f" ({listed(record.failed_in)})" if record.failed_in else ""
            words = (
                f"{title} {record.name} could not make its {made} in every namespace.",
                f"{title} {record.name}: {meaning(kind, (problem.id for problem in one.problems))}, {moment(since(one.problems))}; "
                f"namespaces that failed: {record.failed}{failed}. Often an object of that name is there already and belongs to "
                f"somebody else. First: kubectl describe {kind} {record.name}",
            )
            yield Condition(
                labels(name=record.name),
                partial(self._links.words, alert, *words, "eso-overview"),
            )

    def appeared(self, present: Present) -> Iterator[Condition]:
        """One digest for each namespace of the Secrets that were made by hand within a day."""
        found: dict[str, list[str]] = {}
        begun: dict[str, float] = {}
        for one in present.secrets:
            record = one.record
            young = record.created > present.now - DAY * self._timeline.scale
            if one.ownership == "manual" and not one.exception and young:
                found.setdefault(record.namespace, []).append(record.name)
                begun[record.namespace] = min(record.created, begun.get(record.namespace, record.created))
        for namespace, names in found.items():
            yield self._digest(
                table.APPEARED,
                namespace,
                present,
                f"{count(len(names), 'Secret')} made by hand in {namespace} within a day.",
                f"{listed(names)} in namespace {namespace}, the first {moment(begun[namespace])}: not owned by ESO or another "
                "controller, not accepted as an exception. Put the value into Vault and make an ExternalSecret of the same name, or "
                f"accept it with a reason and an end. First: kubectl -n {namespace} get secrets --show-managed-fields -o yaml | "
                'grep -E "^    name:|manager:"',
            )

    def remaining(self, present: Present) -> Iterator[Condition]:
        """One digest for each namespace of everything that does not come from Vault."""
        for namespace, found in _by_namespace(present, SURVIVING).items():
            kinds: dict[str, int] = {}
            for problems in found.values():
                for problem in problems:
                    kinds[problem.id] = kinds.get(problem.id, 0) + 1
            told = ", ".join(f"{number} {name}" for name, number in sorted(kinds.items()))
            yield self._digest(
                table.REMAIN,
                namespace,
                present,
                f"{count(len(found), 'Secret')} in {namespace} not from Vault.",
                f"In namespace {namespace}: {told} ({listed(found)}). First: kubectl -n {namespace} get secrets",
            )

    def expired(self, present: Present) -> Iterator[Condition]:
        """One digest for each namespace of accepted Secrets past their date."""
        for namespace, found in _by_namespace(present, ("exception_expired",)).items():
            yield self._digest(
                table.EXPIRED,
                namespace,
                present,
                f"Accepted manual Secrets in {namespace} are past their date.",
                f"{listed(found)} in namespace {namespace} were accepted as made by hand until a date that is past, the first "
                f"{moment(_first(found))}, and count again. Move them to Vault, or renew the exception in the exporter's configuration "
                f"or the Secret's annotation. First: kubectl -n {namespace} get secrets",
            )

    def edited(self, present: Present) -> Iterator[Condition]:
        """Secrets of ESO that somebody else changed."""
        for namespace, found in _by_namespace(present, EDITED).items():
            for name, problems in found.items():
                edit = next((problem for problem in problems if problem.id == "hand_edited"), None)
                who = edit.evidence[0] if edit is not None and edit.evidence else "somebody other than ESO"
                words = (
                    f"Somebody changed Secret {namespace}/{name}, which ESO owns.",
                    f"Keys of Secret {namespace}/{name} were written by {who} {moment(since(problems))}, and ESO has not put them "
                    "right: it is down, its sync fails, or its policy lets edits stand. What runs is not what Vault holds. "
                    f"First: kubectl -n {namespace} get secret {name} --show-managed-fields -o "
                    'jsonpath="{.metadata.managedFields[*].manager}"',
                )
                yield Condition(
                    labels(namespace=namespace, secret=name, owner=present.owners.get(namespace, "")),
                    partial(self._links.words, table.EDITED, *words, "eso-overview", namespace=namespace),
                )

    def shown(self, present: Present) -> Iterator[Condition]:
        """One digest for each namespace of Secrets whose values stand in an annotation."""
        for namespace, found in _by_namespace(present, ("value_in_annotation",)).items():
            yield self._digest(
                table.VALUE_SHOWN,
                namespace,
                present,
                f"{count(len(found), 'Secret')} in {namespace} with values in an annotation.",
                f"{listed(found)} in namespace {namespace}: kubectl apply left the manifest, values included, in "
                "kubectl.kubernetes.io/last-applied-configuration, where whoever may read metadata reads them. First: "
                f"kubectl -n {namespace} annotate secret NAME kubectl.kubernetes.io/last-applied-configuration-",
            )

    def _digest(self, alert: Alert, namespace: str, present: Present, summary: str, description: str) -> Condition:
        board = "eso-migration" if alert in (table.APPEARED, table.REMAIN, table.EXPIRED) else "eso-overview"
        return Condition(
            labels(namespace=namespace, owner=present.owners.get(namespace, "")),
            partial(self._links.words, alert, summary, description, board, namespace=namespace),
        )

    def _push(self, one: PushSecretJudgement) -> Mapping[str, str]:
        record = one.record
        name = f"{record.namespace}/{record.name}"
        why = meaning(changes.PUSHSECRET, (problem.id for problem in one.problems))
        return self._links.words(
            table.PUSH,
            f"PushSecret {name} does not push.",
            f"PushSecret {name}: {why}, {moment(since(one.problems))}. Vault keeps the last value that was pushed. "
            f"First: kubectl -n {record.namespace} describe pushsecret {record.name}",
            "eso-overview",
            namespace=record.namespace,
        )


def _by_namespace(present: Present, wanted: Collection[str]) -> dict[str, dict[str, list[Problem]]]:
    """Secrets with any of these problems: namespace → name → the problems."""
    found: dict[str, dict[str, list[Problem]]] = {}
    for one in present.secrets:
        problems = [problem for problem in one.problems if problem.id in wanted]
        if problems:
            found.setdefault(one.record.namespace, {})[one.record.name] = problems
    return found


def _first(found: Mapping[str, list[Problem]]) -> float | None:
    return min((problem.since for problems in found.values() for problem in problems), default=None)
