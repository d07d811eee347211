"""Two days of one simulated cluster, told by the real judge and exposition: a healthy one and a bad one.

Every STEP seconds the objects are what ESO would have made of them, go through the real decoding, inventory, judge and
groups, and the exposition is kept with the moment it was made at. `openmetrics` is what `promtool tsdb
create-blocks-from openmetrics` takes. Moments of the story are hours before the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from exporter.app.state import object_counts
from exporter.config.settings import OwnershipException
from exporter.exposition.families import Exposition
from exporter.kube.resource import ReflectorStatus
from exporter.metrics.exporter import KubeCounters, OwnCollector, OwnState, VaultCounters, refresh_histogram
from exporter.metrics.vault import VaultGroups
from exporter.vault.observation import Observation
from exporter.vault.servers import Selection, Target
from exporter.web.counters import WebCounters
from tests import kinds
from tests.dashboards.scrape import Process, with_labels
from tests.world import EVERYTHING, World, at, external_secret, owned, secret, store

HOUR = 3600.0
HOURS = 7
STEP = 30
"""Seconds between two scrapes."""
LABELS = {"job": "vault-eso-exporter", "instance": "10.42.0.7:10820"}

SEAL, UNSEALED = 4.0, 3.25
FLAPPING = (6.0, 5.0)
FROZEN = 4.5
"""`reports/warehouse` syncs no more from here on, though it says Ready=True; its interval is half an hour."""
LATE_SECRET = 2.0
RESTART = 1.5
NODE_SEALED = 1.0
STORE_BROKEN = 0.75
PATH_GONE = 0.5
MOVED = (6.5, 2.5)
"""When the first and the second manual Secret moved to Vault."""


@dataclass
class Es:
    """One ExternalSecret and how its syncs went."""

    namespace: str
    name: str
    target: str
    interval: float = HOUR
    store: str = "vault-backend"
    phase: float = 0.0
    keys: tuple[str, ...] = ("password", "username")
    owner: str = ""
    synced: float | None = None
    ready: str = "True"
    transition: float = 0.0
    error: str = ""
    frozen: bool = False
    shown: object = None


@dataclass
class Node:
    """One Vault node."""

    name: str
    sealed: bool = False
    progress: int = 0
    up: bool = True


def cluster() -> list[Es]:
    """What both days begin with."""
    return [
        Es("keybuzz-api-dev", "keybuzz-api-postgres", "keybuzz-postgres", store="vault-backend-database", phase=300),
        Es("keybuzz-ai", "litellm-secrets", "litellm", phase=900),
        Es("observability", "alerting-slack", "alerting-slack", phase=1500),
        Es("observability", "alerting-pagerduty", "alerting-pagerduty", phase=2100),
        Es("shop", "checkout.payments", "checkout-payments", interval=600, phase=60, owner="team-checkout"),
        Es("shop", "checkout-payments", "checkout-payments-2", phase=1300, owner="team-checkout"),
        Es("shop", "storefront", "storefront", phase=700, owner="team-checkout"),
        Es("shop", "search", "search", interval=900, phase=200, owner="team-search"),
        Es("reports", "warehouse", "warehouse", interval=1800, phase=400, owner="team-data"),
        Es("reports", "nightly", "nightly", interval=1800, phase=1000, owner="team-data"),
        Es("staging", "preview-login", "preview-login", store="staging-vault", interval=1200, phase=10),
    ]


@dataclass
class Day:
    """A day that ends at `end` (Unix seconds). `bad` tells which; `cluster` is the label of that name."""

    end: float
    bad: bool
    cluster: str
    extra: int = 0
    """So many more healthy ExternalSecrets, to make the cluster large."""
    hours: float = HOURS
    step: int = STEP
    now: float = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.start = self.end - self.hours * HOUR
        exceptions = (
            OwnershipException("registry-until-spring", "observability", "registry-login", "the registry cannot do it"),
            OwnershipException("typing-error", "observability", "registrylogin", "fits nothing"),
            OwnershipException(
                "old-promise", "reports", "legacy-sftp", "to be moved", until=at(self.end - 30 * 86400)[:10]
            ),
        )
        self.world = World(exceptions=exceptions if self.bad else exceptions[:1])
        self.vaults = VaultGroups()
        self.registry = CollectorRegistry()
        self._begin_process()
        self.exposition = Exposition([*self.world.groups.groups, *self.vaults.groups], own=self.registry)
        self.nodes = [Node("vault-0"), Node("vault-1"), Node("vault-2")]
        self.leader = "vault-0"
        self.objects = cluster()
        for number in range(self.extra):
            name = f"service-{number:05d}"
            self.objects.append(Es(f"team-{number % 100:03d}", name, name, phase=float(number * 37 % 3600)))
        for one in self.objects:
            one.transition = self.start - 40 * HOUR
            one.synced = self.start - (self.start - one.phase) % one.interval
        self._before()

    # The process.

    def _begin_process(self) -> None:
        """A fresh process: its counters start at zero."""
        for collector in list(self.registry._collector_to_names):
            self.registry.unregister(collector)
        self.kube = KubeCounters(self.registry, EVERYTHING)
        self.asked = VaultCounters(self.registry)
        self.refreshed = refresh_histogram(self.registry)
        self.web = WebCounters(self.registry)
        self.statuses = [ReflectorStatus(resource, "") for resource in EVERYTHING]
        self.process = Process(self.now)
        state = OwnState(
            statuses=lambda: self.statuses,
            objects=lambda: object_counts(self.world.inventory.sinks),
            judged=lambda: {
                **self.world.groups.judged(),
                "secret": sum(self.world.inventory.judged_secrets()),
                "vault": len(self.vaults.judgements),
            },
            vault_servers=lambda: {"probed": 1, "not_allowed": int(self.bad), "refused": 0, "excess": 0},
            reload=lambda: (True, self.process.started),
            unmatched_exceptions=lambda: ("typing-error",) if self.bad else (),
        )
        self.registry.register(OwnCollector(state, "3f6bb56"))
        self.registry.register(self.process)
        for resource in EVERYTHING:
            self.kube.listed(resource, "absent" if resource == "clusterpushsecrets" else "ok")

    def _count(self) -> None:
        """What the process does in one step."""
        self.process.now = self.now
        self.process.cpu += 0.4
        for status in self.statuses:
            if status.resource == "clusterpushsecrets":  # not installed here
                status.absent = True
                continue
            status.synced, status.last_contact = True, self.now - 7
            self.kube.event(status.resource, "BOOKMARK")
            if (self.now + 17 * len(status.resource)) % 180 < self.step:
                self.kube.restarted(status.resource, "end")
        for _ in range(5):
            self.refreshed.observe(0.004)
        self.web.scraped(0.006)
        for node in self.nodes:
            self.asked("main", "health", ("503" if node.sealed else "200") if node.up else "0")
        if self.bad and self._between(SEAL, SEAL - 0.1):
            self.kube.listed("events", "error")
            self.kube.restarted("events", "network")

    # The story.

    def _ago(self, hours: float) -> float:
        return self.end - hours * HOUR

    def _between(self, begin: float, end: float) -> bool:
        return self._ago(begin) <= self.now < self._ago(end)

    def _since(self, begin: float) -> bool:
        return self.now >= self._ago(begin)

    def _before(self) -> None:
        """What was there before the day began."""
        world, long_ago = self.world, self.start - 90 * 86400
        namespaces = sorted(
            {one.namespace for one in self.objects} | {"keybuzz-client-dev", "external-secrets", "default"}
        )
        world.namespace(*namespaces)
        for namespace in ("keybuzz-api-dev", "keybuzz-client-dev"):
            labels = {"app.kubernetes.io/owner": "team-keybuzz", "team": "team-keybuzz", "owner": "team-keybuzz"}
            world.namespace(namespace, labels=labels)
        since = {"created": long_ago, "transition": long_ago + 60}
        for name in ("vault-backend", "vault-backend-database"):
            world.add("clustersecretstores", store(name, **since))
        world.add("secretstores", self._staging("True", long_ago + 60))
        token = secret(
            "vault-token", "external-secrets", created=long_ago, entries=[("kubectl-create", long_ago, ("token",))]
        )
        staging = secret(
            "staging-token", "staging", created=long_ago, entries=[("kubectl-create", long_ago, ("token",))]
        )
        accepted = secret(
            "registry-login", "observability", created=long_ago, entries=[("kubectl-create", long_ago, ("login",))]
        )
        world.add("secrets", token, staging, accepted)
        for component in ("external-secrets", "external-secrets-webhook", "external-secrets-cert-controller"):
            world.add("deployments", kinds.deployment(component, transition=long_ago))
        if self.bad:
            for namespace, name in self._manual():
                entries = [("kubectl-create", long_ago, ("key",))]
                world.add("secrets", secret(name, namespace, created=long_ago, entries=entries))
            legacy = secret(
                "legacy-sftp", "reports", created=long_ago, entries=[("kubectl-client-side-apply", long_ago, ("key",))]
            )
            world.add("secrets", legacy)

    @staticmethod
    def _manual() -> list[tuple[str, str]]:
        return [
            ("keybuzz-api-dev", "keybuzz-stripe"),
            ("keybuzz-api-dev", "keybuzz-ses"),
            ("keybuzz-client-dev", "keybuzz-auth"),
        ]

    def _staging(self, ready: str, transition: float) -> dict[str, Any]:
        auth = {"tokenSecretRef": {"name": "staging-token", "key": "token"}}
        provider = {"vault": {"server": "https://vault:8200", "path": "staging", "version": "v2", "auth": auth}}
        return store("staging-vault", "staging", ready=ready, transition=transition, provider=provider)

    def _happen(self) -> None:
        """The events of a bad day, each once."""
        for begin, event in (
            (MOVED[0], lambda: self._move(*self._manual()[0])),
            (MOVED[1], lambda: self._move(*self._manual()[1])),
            (LATE_SECRET, self._late_secret),
            (RESTART, self._restart),
            (STORE_BROKEN, self._break_store),
        ):
            if self._ago(begin) <= self.now < self._ago(begin) + self.step:
                event()
        sealed = self._between(SEAL, UNSEALED)
        for index, node in enumerate(self.nodes):
            node.sealed = sealed or (index == 2 and self._since(NODE_SEALED))
            # Three keys, entered in the last ten minutes.
            node.progress = (
                max(0, min(2, int((self.now - self._ago(UNSEALED) + 600) // 200))) if sealed and index == 1 else 0
            )
            node.up = not (index == 0 and self._between(UNSEALED, UNSEALED - 0.1))
        self.leader = "vault-1" if self._since(UNSEALED) else "vault-0"

    def _move(self, namespace: str, target: str) -> None:
        """A manual Secret gives way to one of ESO."""
        name = f"{target}-secrets"
        self.world.remove("secrets", target, namespace)
        one = Es(namespace, name, target, synced=self.now, transition=self.now, phase=self.now % HOUR)
        self.objects.append(one)

    def _late_secret(self) -> None:
        hand = secret("quick-fix", "shop", created=self.now, entries=[("kubectl-create", self.now, ("token",))])
        self.world.add("secrets", hand)
        edited = owned(
            "search", "shop", "search", written=self.now - 60, entries=[("kubectl-patch", self.now, ("extra",))],
            keys=("password", "username"),
        )  # fmt: skip
        self.world.add("secrets", edited)
        down = kinds.deployment("external-secrets-webhook", ready=0, transition=self.now)
        self.world.add("deployments", down)

    def _restart(self) -> None:
        self._begin_process()

    def _break_store(self) -> None:
        self.world.remove("secrets", "staging-token", "staging")
        self.world.add("secretstores", self._staging("False", self.now))

    def _sync(self, one: Es) -> None:
        """What ESO makes of one ExternalSecret until now."""
        error = ""
        if self.bad:
            if all(node.sealed for node in self.nodes):
                error = "Code: 503. Errors: * Vault is sealed"
            elif one.name == "alerting-pagerduty" and self._since(PATH_GONE):
                error = "Secret does not exist"
            elif one.store == "staging-vault" and self._since(STORE_BROKEN):
                error = "cannot get Kubernetes secret staging-token"
            elif one.name == "checkout.payments" and self._between(*FLAPPING) and (self.now // 600) % 2:
                error = "could not execute template: unable to execute template at key password"
            if one.name == "warehouse" and self._since(FROZEN):
                return
        assert one.synced is not None
        due = self.now >= one.synced + one.interval
        # A failing one is tried again and again, a change of the path or the template shows at once.
        at_once = not error.startswith("Code: 503")
        if error and one.ready == "True" and (due or at_once):
            one.ready, one.transition, one.error = "False", self.now, error
        elif not error and (due or one.ready == "False"):
            if one.ready == "False":
                one.ready, one.transition, one.error = "True", self.now, ""
            one.synced = self.now

    def _show(self, one: Es) -> None:
        """Puts the ExternalSecret and its Secret into the world when anything about them changed."""
        state = (one.synced, one.ready, one.transition, one.error)
        if one.shown == state:
            return
        new = one.shown is None
        one.shown = state
        created = self.start - 60 * 86400 if one.transition < self.start else one.transition
        staging = one.store == "staging-vault"
        self.world.add(
            "externalsecrets",
            external_secret(
                one.name,
                one.namespace,
                target=one.target,
                keys=one.keys,
                interval=f"{int(one.interval)}s",
                synced=one.synced,
                ready=one.ready,
                transition=one.transition,
                created=created if new else self.start - 60 * 86400,
                annotations={"owner": one.owner} if one.owner else None,
                labels={"team": one.owner, "owner": one.owner} if one.owner else None,
                spec={
                    "secretStoreRef": {"name": one.store, "kind": "SecretStore" if staging else "ClusterSecretStore"}
                },
            ),
        )
        if one.ready == "True" and not (one.target == "search" and self.bad and self._since(LATE_SECRET)):
            self.world.add(
                "secrets",
                owned(
                    one.target, one.namespace, one.name, keys=one.keys, created=created, written=one.synced or created
                ),
            )
        if one.error:
            event = kinds.event(
                one.name, one.namespace, one.error, when=self.now, uid=f"uid-{one.namespace}-{one.name}",
                event=f"{one.name}.{int(self.now):x}",
            )  # fmt: skip
            self.world.add("events", event)

    def _observe(self) -> dict[tuple[str, str], Observation]:
        wave = 0.004 * ((self.now // 300) % 3)
        return {
            ("main", node.name): Observation(
                "main",
                node.name,
                self.now - 3,
                0.008 + wave + 0.003 * index if node.up else 5.0,
                node.up,
                configured_node=True,
                error="" if node.up else "timeout",
                **(self._said(node) if node.up else {}),
            )
            for index, node in enumerate(self.nodes)
        }

    def _said(self, node: Node) -> dict[str, Any]:
        return {
            "initialized": True,
            "sealed": node.sealed,
            "standby": node.sealed or node.name != self.leader,
            "version": "1.21.1",
            "cluster_name": "" if node.sealed else "vault-prod",
            "cluster_id": "" if node.sealed else "74180e65-0b02-faf9-aa10-68b5c5c2fdd2",
            "seal_type": "shamir",
            "product": "vault",
            "progress": node.progress,
            "threshold": 3,
            "tls_verified": True,
            "tls_not_after": self.end + 41 * 86400,
            "clock_offset": 0.2,
        }

    # The telling.

    def scrapes(self) -> Iterator[tuple[float, bytes]]:
        """Moment and exposition, of every step up to and with the end."""
        selection = Selection(targets=tuple(Target("main", node.name, "") for node in self.nodes))
        moment = self.start
        while moment <= self.end:
            self.now = self.world.now = moment
            if self.bad:
                self._happen()
            for one in self.objects:
                self._sync(one)
                self._show(one)
            self._count()
            self.world.judge()
            self.vaults.update(selection, self._observe(), moment, self.world.groups.since)
            self.exposition.refresh()
            yield moment, self.exposition.body(openmetrics=False, gzip=False, now=moment).read()
            moment += self.step

    def alerts(self) -> list[tuple[str, float, float]]:
        """What Prometheus would have kept of alerts: (labels, from, to)."""
        if not self.bad:
            return []
        return [
            (
                'alertname="EsoVaultSealed",severity="critical",vault="main"',
                self._ago(SEAL) + 60,
                self._ago(UNSEALED) + 300,
            ),
            (
                'alertname="EsoExternalSecretNotReady",severity="warning",namespace="observability",name="alerting-pagerduty"',
                self._ago(PATH_GONE) + 600,
                self.end,
            ),
        ]

    def openmetrics(self, without: tuple[str, ...] = ()) -> Iterator[str]:
        """The whole day, a text of lines for each scrape, with the labels of its scrape target; empty labels are left out,
        as a scrape does. Families whose names begin with one of `without` are left out."""
        target = {"cluster": self.cluster, **LABELS}
        known: dict[str, str] = {}
        left_out = ("#", *without)
        for moment, body in self.scrapes():
            lines = []
            for line in body.decode().splitlines():
                labelled = known.get(line)
                if labelled is None:
                    ident, _, value = line.rpartition(" ")
                    kept = not line.startswith(left_out)
                    labelled = known[line] = f"{with_labels(ident, target)} {value}" if kept else ""
                if labelled:
                    lines.append(labelled)
            for labels, begin, end in self.alerts():
                if begin <= moment <= end:
                    lines.append(f'ALERTS{{cluster="{self.cluster}",alertstate="firing",{labels}}} 1')
            at_moment = f" {moment:.0f}\n"
            yield at_moment.join([*lines, ""])
