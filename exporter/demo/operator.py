"""A very small External Secrets Operator: keeps Secrets and statuses in a simulated cluster as ESO would.

It reads the paths of simulated Vaults (names of keys only), writes Secrets, conditions, refresh times and Events, retries
failures with ESO's backoff and collects the Secrets of deleted ExternalSecrets, which on a real cluster is the garbage
collector's work. Reasons and messages are ESO's own (pkg/controllers/externalsecret, v2.9).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exporter.demo import fields, objects, workloads
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.fields import Object
from exporter.demo.vault import SimulatedVault

RETRY_FIRST, RETRY_LAST = 1.0, 420.0
"""ESO's backoff per object: 1 s, doubled up to 7 min (since 0.14)."""

STORE_INTERVAL = 300.0
"""How often ESO validates a store, in seconds."""

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(duration: str) -> float:
    """A Go duration of hours, minutes, seconds and milliseconds."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", duration))


class SyncError(Exception):
    """What ESO would put into the Warning Event; the condition only says that it failed."""


@dataclass(slots=True)
class _Retry:
    failures: int = 0
    at: float = 0.0
    seen: str = ""
    """The generation and annotations the last attempt saw: a change is tried at once."""


class Operator:
    """ESO's controller loop over one cluster.

    `vaults` are the Vaults it can reach, told apart by the server address in the stores. Every waiting time of its own
    (backoff, refresh intervals, store validation) is multiplied by `scale`.
    """

    def __init__(self, cluster: SimulatedCluster, vaults: Iterable[SimulatedVault], scale: float = 1.0) -> None:
        self.cluster = cluster
        self.vaults = list(vaults)
        self.scale = scale
        self.paused = False
        """True: ESO stands still (its process is stopped); nothing changes although everything still says Ready."""
        self._retries: dict[str, _Retry] = {}
        self._validated = cluster.clock()
        self._seen = -1
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="demo-operator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        passed = 0.0
        while not self._stopping.wait(0.05):
            now = self.cluster.clock()
            if self.paused or (self.cluster.versions.current == self._seen and now - passed < max(0.1, self.scale)):
                continue
            passed = now
            self._seen = self.cluster.versions.current
            self.reconcile()

    # -- one pass -----------------------------------------------------------------------------------------------

    def reconcile(self) -> None:
        """Bring every store and ExternalSecret to where ESO would have it now."""
        now = self.cluster.clock()
        if now - self._validated >= STORE_INTERVAL * self.scale:
            self._validated = now
            for kind in ("ClusterSecretStore", "SecretStore"):
                for store in self.cluster.objects(kind):
                    self._validate(store, now)
        alive = {}
        for external_secret in self.cluster.objects("externalsecrets"):
            alive[external_secret["metadata"]["uid"]] = external_secret
            self._one(external_secret, now)
        self._collect(alive)

    def _one(self, es: Object, now: float) -> None:
        own = es["metadata"]
        retry = self._retries.setdefault(own["uid"], _Retry())
        current = fields.synced_version(own["generation"], own.get("labels", {}), own.get("annotations", {}))
        before = _ready(es)
        failed = before is not None and before["status"] == "False"
        if failed and retry.seen in (current, "") and now < retry.at:
            return
        if failed and not retry.at:
            # Found failed at our own start: the backoff has long reached its end.
            retry.at, retry.seen, retry.failures = now + 30 * self.scale, current, 8
            return
        if not failed and not self._due(es, current, now) and self._target_valid(es):
            return
        retry.seen = current
        try:
            keys = self._read(es)
            self._write(es, keys, now)
        except SyncError as error:
            wait = min(RETRY_FIRST * 2**retry.failures, RETRY_LAST) * self.scale
            retry.failures, retry.at = retry.failures + 1, now + wait
            self._tell(es, "Warning", "UpdateFailed", str(error), now)
            self._status(es, "False", "SecretSyncedError", "could not get secret data from provider", now)
            return
        retry.failures, retry.at = 0, 0.0
        self._status(es, "True", "SecretSynced", "secret synced", now, synced=current)

    def _due(self, es: Object, current: str, now: float) -> bool:
        """ESO's shouldRefresh."""
        spec, status = es["spec"], es.get("status", {})
        synced, refreshed = status.get("syncedResourceVersion", ""), status.get("refreshTime")
        policy = spec.get("refreshPolicy", "Periodic")
        if not refreshed or not synced:
            return True
        if policy == "CreatedOnce":
            return False
        if policy == "OnChange":
            return bool(synced != current)
        interval = seconds(spec.get("refreshInterval", "1h"))
        if interval <= 0:
            return False
        return bool(synced != current) or now > datetime.fromisoformat(refreshed).timestamp() + interval * self.scale

    def _target_valid(self, es: Object) -> bool:
        target = es["spec"].get("target", {})
        if target.get("creationPolicy") in ("None", "Orphan", "Merge"):
            return True
        secret = self.cluster.get("secrets", es["metadata"]["namespace"], target.get("name") or es["metadata"]["name"])
        if secret is None:
            return False
        # The hash is over the names of all keys here (over the values on a real cluster): an edit breaks it.
        expected = fields.object_hash(f"names:{','.join(sorted(secret.get('data', {})))}")
        metadata = secret["metadata"]
        managed = metadata.get("labels", {}).get(fields.MANAGED) == "true"
        return bool(managed and metadata.get("annotations", {}).get(fields.DATA_HASH) == expected)

    # -- reading ------------------------------------------------------------------------------------------------

    def _read(self, es: Object) -> list[str]:
        """Names of the keys that this ExternalSecret makes. Raises SyncError."""
        spec, keys = es["spec"], list[str]()
        for index, item in enumerate(spec.get("dataFrom", [])):
            if "extract" in item:
                where = f"error processing spec.dataFrom[{index}].extract, err: "
                keys += self._keys(es, item["extract"], item.get("sourceRef", {}), where)
        for index, item in enumerate(spec.get("data", [])):
            remote = item["remoteRef"]
            where = f"error processing spec.data[{index}] (key: {remote['key']}), err: "
            found = self._keys(es, remote, item.get("sourceRef", {}), where)
            if remote.get("property") and remote["property"] not in found:
                raise SyncError(f'{where}cannot find secret data for key: "{remote["property"]}"')
            keys.append(item["secretKey"])
        return keys

    def _keys(self, es: Object, remote: Mapping[str, Any], source: Mapping[str, Any], where: str) -> list[str]:
        ref = source.get("storeRef") or es["spec"]["secretStoreRef"]
        kind, namespace = ref.get("kind") or "SecretStore", es["metadata"]["namespace"]
        store = self.cluster.get(kind, "" if kind == "ClusterSecretStore" else namespace, ref["name"])
        name = f'{kind} "{ref["name"]}"'
        if store is None:
            gone = f'{kind}.external-secrets.io "{ref["name"]}" not found'
            raise SyncError(f"{where}could not get {name}, {gone}")
        ready = _ready(store)
        if ready is None or ready["status"] != "True":
            raise SyncError(f"{where}{name} is not ready")
        provider = store["spec"]["provider"]["vault"]
        path = kv_path(provider, remote["key"])
        url = f"{provider['server']}/v1/{path[0]}/{'data/' if provider.get('version') != 'v1' else ''}{path[1]}"
        vault = self._vault(provider["server"])
        if vault is None or not vault.usable:
            refused = vault is None or not any(node.running for node in vault.nodes)
            if refused:
                address = provider["server"].partition("//")[2]
                raise SyncError(f'{where}Get "{url}": dial tcp {address}: connect: connection refused')
            message = f"Error making API request.\n\nURL: GET {url}\nCode: 503. Errors:\n\n* Vault is sealed"
            raise SyncError(f"{where}cannot read secret data from Vault: {message}")
        found = vault.table.keys("/".join(path))
        if found is None:
            raise SyncError(f"{where}Secret does not exist")
        return list(found)

    def _vault(self, server: str) -> SimulatedVault | None:
        return next((vault for vault in self.vaults if server.rstrip("/") in vault.urls), None)

    # -- writing ------------------------------------------------------------------------------------------------

    def _write(self, es: Object, keys: list[str], now: float) -> None:
        target = es["spec"].get("target", {})
        policy = target.get("creationPolicy", "Owner")
        namespace, name = es["metadata"]["namespace"], target.get("name") or es["metadata"]["name"]
        existing = self.cluster.get("secrets", namespace, name)
        if policy == "None" or (policy == "Merge" and existing is None):
            return
        if existing is not None and sorted(existing.get("data", {})) == sorted(keys) and self._target_valid(es):
            return
        created = None if existing is None else datetime.fromisoformat(existing["metadata"]["creationTimestamp"])
        made = objects.eso_secret(
            es, keys, created=now if created is None else created.timestamp(), written=now, taken_over=existing
        )
        self.cluster.apply(made)
        done = "created" if existing is None else "updated"
        self._tell(es, "Normal", done.capitalize(), f"secret {done}", now)

    def _status(self, es: Object, status: str, reason: str, message: str, now: float, synced: str = "") -> None:
        before = _ready(es)
        flipped = before is None or before["status"] != status
        since = fields.stamp(now) if flipped or before is None else before["lastTransitionTime"]
        new = {**es.get("status", {})}
        new["conditions"] = [objects.condition(status, reason, message, now) | {"lastTransitionTime": since}]
        new.setdefault("refreshTime", None)
        new.setdefault("binding", {"name": ""})
        if synced:
            target = es["spec"].get("target", {})
            new["refreshTime"] = fields.stamp(now)
            new["syncedResourceVersion"] = synced
            if target.get("creationPolicy") != "None":
                new["binding"] = {"name": target.get("name") or es["metadata"]["name"]}
        self._patch_status("externalsecrets", es, new)

    def _validate(self, store: Object, now: float) -> None:
        provider = store["spec"].get("provider", {}).get("vault")
        if provider is None or store["spec"].get("controller") not in (None, "", "default"):
            return
        vault = self._vault(provider["server"])
        valid = vault is not None and vault.usable
        status, reason = ("True", "Valid") if valid else ("False", "InvalidProviderConfig")
        message = "store validated" if valid else "unable to create client"
        before = _ready(store)
        since = before["lastTransitionTime"] if before and before["status"] == status else fields.stamp(now)
        told = objects.condition(status, reason, message, now) | {"lastTransitionTime": since}
        self._patch_status(store["kind"], store, {"capabilities": "ReadWrite", "conditions": [told]})
        self._tell(store, "Normal" if valid else "Warning", reason, message, now)

    def _patch_status(self, kind: str, obj: Object, status: Object) -> None:
        own = obj["metadata"]

        def patch(current: Object) -> None:
            if current["metadata"]["uid"] == own["uid"]:
                current["status"] = status

        try:
            self.cluster.change(kind, own.get("namespace", ""), own["name"], patch)
        except LookupError:
            return  # deleted while we worked on it; the next pass sees that

    def _tell(self, about: Object, kind: str, reason: str, message: str, now: float) -> None:
        made = workloads.event(about, kind, reason, message, now)
        own = made["metadata"]
        before = self.cluster.get("events", own["namespace"], own["name"])
        if before is not None:
            made |= {"count": before["count"] + 1, "firstTimestamp": before["firstTimestamp"]}
            own["creationTimestamp"] = before["metadata"]["creationTimestamp"]
        self.cluster.apply(made)

    def _collect(self, alive: Mapping[str, Object]) -> None:
        for secret in self.cluster.objects("secrets"):
            own = secret["metadata"]
            owners = [one for one in own.get("ownerReferences", []) if one["kind"] == "ExternalSecret"]
            if owners and all(one["uid"] not in alive for one in owners):
                self.cluster.delete("secrets", own["namespace"], own["name"])
        for uid in self._retries.keys() - alive.keys():
            del self._retries[uid]


def _ready(obj: Mapping[str, Any]) -> Object | None:
    conditions: list[Object] = (obj.get("status") or {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == "Ready"), None)


def kv_path(provider: Mapping[str, Any], key: str) -> tuple[str, str]:
    """Mount and path below it, as ESO's buildPath finds them for a store and a key."""
    mount, versioned = provider.get("path"), provider.get("version") != "v1"
    if mount is None:
        first, _, rest = key.partition("/data/") if versioned and "/data/" in key else key.partition("/")
        return first, rest
    key = key.removeprefix(f"{mount}/") if key.startswith(f"{mount}/") else key
    return mount, key.removeprefix("data/") if versioned and key.startswith("data/") else key
