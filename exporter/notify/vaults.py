"""What is true of Vaults and of their nodes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from exporter.judge.findings import Problem
from exporter.judge.vault import VaultJudgement
from exporter.notify import table
from exporter.notify.present import Present, since
from exporter.notify.table import Alert
from exporter.notify.timeline import Condition, Timeline, labels
from exporter.notify.words import Links, count, moment

WHOLE: dict[str, Alert] = {
    "sealed": table.SEALED,
    "uninitialized": table.UNINITIALIZED,
    "unreachable": table.UNREACHABLE,
    "no_active": table.NO_ACTIVE,
}
"""Why a Vault cannot serve → its alert, in the order of the rules: the first that was seen in the window gives the name."""
NAMES = frozenset(alert.name for alert in WHOLE.values())

WAVERS = 360.0
"""Seconds for which a cause is remembered, so that a Vault that wavers between causes keeps its name."""
TLS_CRITICAL, TLS_WARNING = 259_200.0, 1_209_600.0
"""Seconds before the end of a certificate."""

_SEAL_STATUS = "First: curl -s $VAULT_ADDR/v1/sys/seal-status"
_HEALTH = "First, from a pod in the exporter's namespace: curl -s $VAULT_ADDR/v1/sys/health"


class Vaults:
    """Remembers what the newest judgement alone cannot tell: causes seen lately, and when a Vault last answered."""

    def __init__(self, links: Links, timeline: Timeline) -> None:
        self._links = links
        self._timeline = timeline
        self._causes: dict[tuple[str, str], float] = {}
        self._answered: dict[str, float] = {}
        self.unavailable: dict[str, Alert] = {}
        """Vaults that cannot serve, each with the alert that tells it."""

    def look(self, present: Present) -> None:
        """Takes over a new state."""
        now, scale = present.now, self._timeline.scale
        for name, judgement in present.vaults.items():
            if judgement.available is False:
                self._causes[name, judgement.error] = now
            answers = [node.seen.at for node in judgement.nodes if node.seen.up]
            if answers:
                self._answered[name] = max(answers)
            elif name not in self._answered:
                before = self._timeline.adopted(table.UNREACHABLE.name, "critical", labels(vault=name))
                if before is not None:
                    self._answered[name] = before.starts
        self._causes = {
            key: at for key, at in self._causes.items() if now - at < WAVERS * scale and key[0] in present.vaults
        }
        self._answered = {name: at for name, at in self._answered.items() if name in present.vaults}
        self.unavailable = {
            name: next(
                (alert for cause, alert in WHOLE.items() if (name, cause) in self._causes), WHOLE[judgement.error]
            )
            for name, judgement in present.vaults.items()
            if judgement.available is False
        }

    def missed(self, name: str, present: Present) -> bool:
        """Whether the silence of a Vault is a page: it answered within a week, or one of its stores is not ready."""
        answered = self._answered.get(name)
        if answered is not None and present.now - answered < present.week:
            return True
        return any(store.vault == name and store.record.ready is False for store in present.stores.values())

    def alerting(self, now: float) -> set[str]:
        """Vaults that page, or did until ten minutes ago: the parents of everything that reads from them."""
        return {found.get("vault", "") for found in self._timeline.recently(NAMES, now, "critical")}

    def whole(self, alert: Alert, present: Present) -> Iterator[Condition]:
        """Vaults that cannot serve as a whole, told by this alert."""
        for name, told in self.unavailable.items():
            if told is not alert or (alert is table.UNREACHABLE and not self.missed(name, present)):
                continue
            yield Condition(
                labels(vault=name),
                partial(self._whole, alert, present.vaults[name], present),
            )

    def nodes(self, alert: Alert, present: Present) -> Iterator[Condition]:
        """Nodes that do not serve while another one does, told by this alert."""
        alerting = self.alerting(present.now)
        for name, judgement in present.vaults.items():
            if name in self.unavailable or name in alerting:
                continue
            for node in judgement.nodes:
                for problem in node.problems:
                    if _alert_of(problem) is alert:
                        yield Condition(
                            labels(vault=name, node=node.seen.node),
                            partial(self._node, alert, name, node.seen.node, problem),
                        )
        if alert is table.NODE_UNREACHABLE:
            yield from self._out_of_reach(present)

    def _out_of_reach(self, present: Present) -> Iterator[Condition]:
        """All of a Vault, where perhaps only we cannot reach it."""
        for name, told in self.unavailable.items():
            if told is table.UNREACHABLE and not self.missed(name, present):
                errors = _errors(present.vaults[name])
                yield Condition(
                    labels(vault=name),
                    partial(
                        self._links.words,
                        table.NODE_UNREACHABLE,
                        f"The exporter cannot reach Vault {name}, though its stores are ready.",
                        f"Vault {name} has not answered the exporter since it was started, while the stores that use it are "
                        "ready. Either Vault is down and ESO has not noticed yet, or a network policy or a rule for client "
                        f"certificates admits ESO but not the exporter. Error: {errors}. {_HEALTH}",
                        "eso-vault",
                        vault=name,
                    ),
                )

    def certificates(self, alert: Alert, present: Present) -> Iterator[Condition]:
        """Nodes whose certificate ends soon."""
        within = (TLS_CRITICAL if alert is table.TLS_ENDS else TLS_WARNING) * self._timeline.scale
        words = "three days" if alert is table.TLS_ENDS else "two weeks"
        for name, judgement in present.vaults.items():
            for node in judgement.nodes:
                end = node.seen.tls_not_after
                if end is not None and end - present.now < within:
                    yield Condition(
                        labels(vault=name, node=node.seen.node),
                        partial(
                            self._links.words,
                            alert,
                            f"The certificate of node {node.seen.node} of Vault {name} ends within {words}.",
                            f"The TLS certificate that node {node.seen.node} of Vault {name} shows is no longer valid from "
                            f"{moment(end).removeprefix('since ')} on. From then on ESO cannot read from it. First: openssl s_client -connect "
                            "$VAULT_HOST:8200 </dev/null | openssl x509 -noout -enddate -issuer",
                            "eso-vault",
                            vault=name,
                        ),
                    )

    def _whole(self, alert: Alert, judgement: VaultJudgement, present: Present) -> dict[str, str]:
        name = judgement.vault
        begun = moment(since(judgement.problems))
        readers = sum(sum(store.users) for store in present.stores.values() if store.vault == name)
        summary, description = {
            table.SEALED: (
                f"Vault {name} is sealed.",
                f"Vault {name} cannot serve {begun}: it is sealed. Pods keep the Secrets they have; nothing syncs or rotates "
                f"until it is unsealed. It is read by {count(readers, 'ExternalSecret')}. {_SEAL_STATUS}",
            ),
            table.UNINITIALIZED: (
                f"Vault {name} is not initialized.",
                f"Vault {name} cannot serve {begun}: it says that it was never initialized. If it was in use before, its storage "
                f"is lost or another one is mounted: do not initialize it anew before you know. {_SEAL_STATUS}",
            ),
            table.UNREACHABLE: (
                f"Vault {name} does not answer.",
                f"No node of Vault {name} answers {begun} ({_errors(judgement)}). Nothing syncs or rotates until it is back. "
                f"It is read by {count(readers, 'ExternalSecret')}. {_HEALTH}",
            ),
            table.NO_ACTIVE: (
                f"Vault {name} has no active node.",
                f"Vault {name} cannot serve {begun}: its nodes are unsealed, but none of them leads. Quorum or storage is lost. "
                "First, on each node: curl -s $VAULT_ADDR/v1/sys/leader",
            ),
        }[alert]
        return dict(self._links.words(alert, summary, description, "eso-vault", vault=name))

    def _node(self, alert: Alert, vault: str, node: str, problem: Problem) -> dict[str, str]:
        begun = moment(problem.since)
        summary, description = {
            table.NODE_SEALED: (
                f"Node {node} of Vault {vault} is sealed.",
                f"Node {node} of Vault {vault} is sealed {begun}; another node serves, so nothing fails yet, but there is one node "
                f"less to fall back on. On that node: {_SEAL_STATUS}",
            ),
            table.NODE_UNINITIALIZED: (
                f"Node {node} of Vault {vault} is not initialized.",
                f"Node {node} of Vault {vault} says that it is not initialized {begun}: it has not joined the others, or lost its "
                f"storage; another node serves. On that node: {_SEAL_STATUS}",
            ),
            table.NODE_UNREACHABLE: (
                f"Node {node} of Vault {vault} does not answer.",
                f"Node {node} of Vault {vault} does not answer {begun} ({problem.error or 'no error known'}); another node serves, "
                f"so nothing fails yet. {_HEALTH}",
            ),
        }[alert]
        return dict(self._links.words(alert, summary, description, "eso-vault", vault=vault))


def _alert_of(problem: Problem) -> Alert:
    if problem.id == "node_unreachable":
        return table.NODE_UNREACHABLE
    return table.NODE_UNINITIALIZED if problem.error == "uninitialized" else table.NODE_SEALED


def _errors(judgement: VaultJudgement) -> str:
    return ", ".join(sorted({node.seen.error for node in judgement.nodes if node.seen.error})) or "no error known"
