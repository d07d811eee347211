"""One cluster as three kinds of exporters tell of it: ours, ESO's own metrics, and exporters of Vault.

What ESO and Vault do in each incident, and when, is what was measured and read of them: an ExternalSecret notices trouble at its own
hourly refresh, a store within five minutes; after it they come back within seven minutes each; a sealed Vault answers a scrape of its
telemetry with 503, since that needs a token; ESO's own series end with its pod.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from alerts.compare.series import Recording, Segment

NODES = ("vault-0", "vault-1", "vault-2")
STORE = {"store_kind": "ClusterSecretStore", "store_namespace": "", "store": "vault-backend", "vault": "main"}
LONG_AGO = -30 * 24 * 3600.0
RETRIES = (0, 1, 2, 4, 8, 15)
"""Minutes after a failure at which ESO tries again, roughly; then every seven."""

Span = tuple[float, float]
"""From minute to minute."""


def _within(spans: Sequence[Span], inside: float | None, outside: float | None) -> list[Segment]:
    """Segments that are `inside` in the spans and `outside` elsewhere."""
    found: list[Segment] = [(0, outside)]
    for begin, end in spans:
        found += [(begin, inside), (end, outside)]
    return [one for n, one in enumerate(found) if n + 1 == len(found) or found[n + 1][0] > one[0]]


@dataclass
class Secret:
    """One ExternalSecret: refreshed each hour at its own minute, failing in these spans with this class of error.

    `retried` is whether ESO tries again by itself. `gone` is when it is deleted. `stuck` is from when it is no longer synced
    although it says Ready=True.
    """

    name: str
    minute: int
    failing: Sequence[Span] = ()
    error: str = "path_missing"
    retried: bool = True
    gone: float | None = None
    stuck: float | None = None


@dataclass
class World:
    """What holds when. Vault's `nodes` are each "active", "standby", "sealed" or "down", by span; those of `healthy` else.

    `served` is when exporters answer, `operator` when ESO runs, `copies` how often each target is scraped.
    """

    minutes: int
    secrets: Sequence[Secret]
    step: int = 1
    vault: Sequence[tuple[Span, Mapping[str, str]]] = ()
    store_failing: Sequence[Span] = ()
    operator_until: float | None = None
    exporters_until: float | None = None
    copies: int = 1
    recording: Recording = field(init=False)

    healthy: ClassVar[Mapping[str, str]] = {"vault-0": "active", "vault-1": "standby", "vault-2": "standby"}

    def record(self) -> list[dict[str, str]]:
        """All series."""
        self.recording = Recording(self.minutes, self.step)
        for copy in range(self.copies):
            instance = {"instance": f"exporter-{copy}:10820", "job": "vault-eso-exporter"}
            self._ours(lambda name, labels, *segments, own=instance: self._ending(name, {**labels, **own}, segments))
            self._ours_of_itself(instance)
            self._esos({"instance": f"external-secrets-{copy}:8080", "job": "external-secrets"})
            self._vault_exporters({"job": "vault-exporter", "pod": f"vault-exporter-{copy}"})
            self._telemetry({"job": "vault", "endpoint": f"scrape-{copy}"})
        return self.recording.series

    # ------------------------------------------------------------------------------------------------------------- ours
    def _ending(self, name: str, labels: Mapping[str, str], segments: Sequence[Segment]) -> None:
        """A series of an exporter, which ends when exporters do."""
        end = self.exporters_until
        if end is not None:
            segments = [*(one for one in segments if one[0] < end), (end, None)]
        self.recording.add(name, labels, *segments)

    def _ours_of_itself(self, instance: Mapping[str, str]) -> None:
        self._ending("eso_exporter_build_info", {"version": "1", **instance}, [(0, 1)])
        for resource in ("externalsecrets", "secrets", "deployments"):
            labels = {"resource": resource, "scope": "", **instance}
            self._ending("eso_exporter_resource_synced", labels, [(0, 1)])
            self.recording.add_clock(
                "eso_exporter_resource_last_contact_timestamp_seconds", labels, self.exporters_until
            )

    def _ours(self, add: Callable[..., None]) -> None:
        for secret in self.secrets:
            self._our_secret(secret, add)
        unready = _within(self.store_failing, 0, 1)
        add("eso_secretstore_info", {**STORE, "provider": "vault"}, (0, 1))
        add("eso_secretstore_ready", STORE, *unready)
        if self.store_failing:
            add("eso_secretstore_problem", {**STORE, "problem": "not_ready"}, *_within(self.store_failing, 1, None))
        add("eso_namespace_owner_info", {"namespace": "shop", "owner": "shop"}, (0, 1))
        for error in {secret.error for secret in self.secrets}:
            heals = "no" if error == "owned_by_other" else "yes"
            add("eso_error_info", {"error": error, "heals": heals}, (0, 1))
        self._our_operator(add)
        self._our_vault(add)

    def _our_operator(self, add: Callable[..., None]) -> None:
        where = {"namespace": "external-secrets", "component": "controller"}
        down = [] if self.operator_until is None else [(self.operator_until, self.minutes + self.step)]
        add("eso_operator_replicas", {**where, "state": "desired"}, (0, 1))
        add("eso_operator_replicas", {**where, "state": "ready"}, *_within(down, 0, 1))
        if down:
            add("eso_operator_problem", {**where, "problem": "down"}, *_within(down, 1, None))

    def _our_secret(self, secret: Secret, add: Callable[..., None]) -> None:
        identity = {"namespace": "shop", "name": secret.name}
        end: list[Segment] = [] if secret.gone is None else [(secret.gone, None)]

        def told(name: str, labels: Mapping[str, str], segments: Sequence[Segment]) -> None:
            add(name, labels, *(one for one in segments if secret.gone is None or one[0] < secret.gone), *end)

        told("eso_externalsecret_info", {**identity, **STORE, "owner": "shop"}, [(0, 1)])
        told("eso_externalsecret_store_info", {**identity, **STORE}, [(0, 1)])
        told("eso_externalsecret_ready", {**identity, **STORE}, _within(secret.failing, 0, 1))
        told(
            "eso_externalsecret_status_info",
            {**identity, "status": "True", "reason": "SecretSynced"},
            _within(secret.failing, None, 1),
        )
        transition = [(0.0, LONG_AGO), *((at, at * 60) for span in secret.failing for at in span if at > 0)]
        told("eso_externalsecret_ready_transition_timestamp_seconds", identity, transition)
        if secret.failing:
            failing = _within(secret.failing, 1, None)
            told(
                "eso_externalsecret_status_info",
                {**identity, "status": "False", "reason": "SecretSyncedError"},
                failing,
            )
            told(
                "eso_externalsecret_problem",
                {**identity, **STORE, "problem": "not_ready", "error": secret.error},
                failing,
            )
        synced = [(max(at, 0.0), at * 60) for at in self._syncs(secret)]
        told("eso_externalsecret_last_sync_timestamp_seconds", identity, synced)
        told(
            "eso_externalsecret_sync_deadline_timestamp_seconds", identity, [(at, value + 7200) for at, value in synced]
        )
        overdue = self._overdue(secret)
        if overdue is not None and overdue < self.minutes:
            told(
                "eso_externalsecret_problem",
                {**identity, **STORE, "problem": "overdue", "error": ""},
                [(0, None), (overdue, 1)],
            )

    def _syncs(self, secret: Secret) -> list[float]:
        """Minutes of its successful refreshes, the one before minute 0 first."""
        last = min(at for at in (self.operator_until, secret.stuck, float(self.minutes)) if at is not None)
        hourly = [at for at in range(secret.minute - 60, self.minutes + 1, 60) if at <= last]
        ends = [end for _, end in secret.failing if end <= last]
        good = [at for at in (*hourly, *ends) if not any(begin <= at < end for begin, end in secret.failing)]
        return sorted(float(at) for at in good)

    def _overdue(self, secret: Secret) -> float | None:
        """From when its deadline is past although it says Ready=True: two hours after the last sync."""
        if self.operator_until is None and secret.stuck is None:
            return None
        return self._syncs(secret)[-1] + 120

    def _our_vault(self, add: Callable[..., None]) -> None:
        for node in NODES:
            where = {"namespace": "", "vault": "main", "node": node}
            state = self._states(node)
            add("eso_vault_up", where, *_values(state, {"down": 0}, 1))
            add("eso_vault_active", where, *_values(state, {"active": 1}, 0))
            add("eso_vault_sealed", where, *_values(state, {"sealed": 1, "down": None}, 0))
            add("eso_vault_initialized", where, *_values(state, {"down": None}, 1))
            add("eso_vault_info", {**where, "cluster_id": "one"}, *_values(state, {"sealed": None, "down": None}, 1))
        whole = {"namespace": "", "vault": "main"}
        serving = self._serving()
        add("eso_vault_available", whole, *[(at, float(error == "")) for at, error in serving])
        for error in {error for _, error in serving} - {""}:
            problem = {**whole, "node": "", "problem": "unavailable", "error": error}
            add("eso_vault_problem", problem, *[(at, 1 if this == error else None) for at, this in serving])
        for node in NODES:
            for kind, name in (("sealed", "node_sealed"), ("down", "node_unreachable")):
                alone: list[Segment] = [
                    (at, 1 if states[node] == kind and "active" in states.values() else None)
                    for at, states in self._moments()
                ]
                if any(value for _, value in alone):
                    add("eso_vault_problem", {**whole, "node": node, "problem": name, "error": ""}, *alone)

    def _moments(self) -> list[tuple[float, Mapping[str, str]]]:
        """What each node is, from which minute on."""
        found: list[tuple[float, Mapping[str, str]]] = [(0, self.healthy)]
        for (begin, end), changed in self.vault:
            found += [(begin, {**self.healthy, **changed}), (end, self.healthy)]
        return found

    def _states(self, node: str) -> list[tuple[float, str]]:
        return [(at, states[node]) for at, states in self._moments()]

    def _serving(self) -> list[tuple[float, str]]:
        """Why Vault as a whole cannot serve, "" while it does."""
        found = []
        for at, states in self._moments():
            kinds = set(states.values())
            reason = (
                ""
                if "active" in kinds
                else "sealed"
                if "sealed" in kinds
                else "no_active"
                if "standby" in kinds
                else "unreachable"
            )
            found.append((at, reason))
        return found

    # ------------------------------------------------------------------------------------------------------- the usual
    def _esos(self, where: Mapping[str, str]) -> None:
        """ESO's own metrics; they end with its pod, and those of a deleted object with the object."""
        until = self.operator_until

        def add(name: str, labels: Mapping[str, str], segments: Sequence[Segment], gone: float | None = None) -> None:
            end = min((at for at in (until, gone) if at is not None), default=None)
            kept = [one for one in segments if end is None or one[0] < end]
            self.recording.add(name, {**labels, **where}, *kept, *([(end, None)] if end is not None else []))

        for secret in self.secrets:
            identity = {"namespace": "shop", "name": secret.name}
            for status, inside, outside in (("True", 0.0, 1.0), ("False", 1.0, 0.0)):
                labels = {**identity, "condition": "Ready", "status": status}
                add("externalsecret_status_condition", labels, _within(secret.failing, inside, outside), secret.gone)
            errors = [at for span in secret.failing for at in self._attempts(secret, span)]
            calls = [*errors, *(at for at in self._syncs(secret) if at > 0)]
            ends = min((at for at in (until, secret.gone) if at is not None), default=None)
            self.recording.add_counter("externalsecret_sync_calls_total", {**identity, **where}, calls, ends)
            if errors:
                labels = {**identity, **where}
                self.recording.add_counter("externalsecret_sync_calls_error", labels, errors, ends, born=errors[0])
        for status, inside, outside in (("True", 0.0, 1.0), ("False", 1.0, 0.0)):
            labels = {"name": "vault-backend", "condition": "Ready", "status": status}
            add("clustersecretstore_status_condition", labels, _within(self.store_failing, inside, outside))

    def _attempts(self, secret: Secret, span: Span) -> list[float]:
        """When ESO tries in vain: its retries, or its own refreshes alone where it does not retry."""
        begin, end = span
        if not secret.retried:
            return [begin]
        late = [begin + RETRIES[-1] + 7 * n for n in range(1, self.minutes)]
        return [at for at in (*(begin + one for one in RETRIES), *late) if at < min(end, self.minutes)]

    def _vault_exporters(self, where: Mapping[str, str]) -> None:
        """One target for each node: probes of sys/health, that know nothing of a node that does not answer."""
        for node in NODES:
            labels = {"instance": node, **where}
            state = self._states(node)
            self._ending("vault_up", labels, _values(state, {"down": 0}, 1))
            self._ending("vault_initialized", labels, _values(state, {"down": None}, 1))
            self._ending("vault_sealed", labels, _values(state, {"sealed": 1, "down": None}, 0))
            self._ending("vault_standby", labels, _values(state, {"active": 0, "down": None}, 1))

    def _telemetry(self, where: Mapping[str, str]) -> None:
        """Vault's own /v1/sys/metrics: it needs a token, so a sealed node answers 503 and its series end."""
        for node in NODES:
            labels = {"instance": node, "cluster": "vault-cluster-1", **where}
            state = self._states(node)
            self.recording.add("vault_core_unsealed", labels, *_values(state, {"sealed": None, "down": None}, 1))
            self.recording.add(
                "vault_core_active", labels, *_values(state, {"active": 1, "sealed": None, "down": None}, 0)
            )


def _values(states: Sequence[tuple[float, str]], special: Mapping[str, float | None], usual: float) -> list[Segment]:
    """Segments from states: `special` values, and `usual` for the other states."""
    return [(at, special.get(state, usual)) for at, state in states]
