"""A large cluster: up to hundreds of thousands of ExternalSecrets and Secrets, in this process or in one of its own.

    python -m exporter.demo.bulk --externalsecrets 100000 --secrets 500000 --port 0

prints the URL (and with `--kubeconfig FILE` writes one) and serves until it is ended. What is asked of it beside the API:

    POST /-/change?resource=externalsecrets&count=1000    change that many objects now, chosen by chance
    POST /-/change?…&order=due                            those ExternalSecrets that were refreshed longest ago
    POST /-/churn?rate=500                                change so many a second from now on (0 ends it)
    GET  /-/requests                                      how many requests of each method and path came in
"""

from __future__ import annotations

import argparse
import functools
import heapq
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from exporter.demo import objects, workloads
from exporter.demo.cluster import SimulatedCluster
from exporter.demo.entries import encode
from exporter.demo.fields import CREATED_BY, GROUP, Object, object_hash, stamp, synced_version
from exporter.demo.kinds import kind_of
from exporter.demo.templates import Family, Holes, Rendered
from exporter.demo.wire import Exchange

CREATED = 1_780_000_000.0
TEAMS = 10
KEYS = ("database", "host", "password", "port", "username")


class Bulk:
    """Fills a cluster and changes what it filled in.

    Of the Secrets `targets` belong to the first ExternalSecrets, `manual` are made by hand and the rest are Helm releases.
    Where not told, targets are as many as there are ExternalSecrets but at most 80 %, manual ones at most 20 % and 20,000.
    One ExternalSecret of `failing` is not ready (0: none). `metadata_bytes` fills the metadata of every object up to about
    that size; `value_bytes` is what the plain JSON of a Secret shows per key, filling without meaning.
    """

    def __init__(
        self,
        cluster: SimulatedCluster,
        externalsecrets: int,
        secrets: int,
        *,
        targets: int | None = None,
        manual: int | None = None,
        namespaces: int | None = None,
        failing: int = 100,
        metadata_bytes: int = 0,
        value_bytes: int = 0,
        vault: str = "http://127.0.0.1:8200",
    ) -> None:
        self.cluster = cluster
        self.externalsecrets = externalsecrets
        self.targets = min(externalsecrets, secrets * 4 // 5) if targets is None else targets
        self.manual = min(secrets // 5, 20_000, secrets - self.targets) if manual is None else manual
        self.others = secrets - self.targets - self.manual
        if self.others < 0 or self.targets > externalsecrets:
            raise ValueError("more targets and manual Secrets were asked for than there are Secrets or ExternalSecrets")
        self.namespaces = namespaces or max(1, min(1000, max(externalsecrets, secrets // 5) // 100))
        self.failing = failing
        self.metadata_bytes = metadata_bytes
        self.value = "x" * value_bytes
        self.vault = vault
        self._now = cluster.clock()
        self._random = random.Random(7)
        self._churn: threading.Thread | None = None
        self._end_churn = threading.Event()

    def fill(self) -> None:
        """Put everything into the cluster: a few seconds for 600,000 objects."""
        cluster = self.cluster
        for number in range(self.namespaces):
            cluster.apply(workloads.namespace(self._namespace(number)))
        provider = objects.vault_provider(self.vault)
        cluster.apply(objects.cluster_secret_store("vault-backend", provider))
        for component in workloads.COMPONENTS:
            cluster.apply(workloads.eso_deployment(component))
        cluster.fill("externalsecrets", self._entries(self._external_secrets(), self.externalsecrets))
        families = ((self._targets(), self.targets), (self._manual(), self.manual), (self._releases(), self.others))
        cluster.fill("secrets", (entry for family, count in families for entry in self._entries(family, count)))

    # -- changes ------------------------------------------------------------------------------------------------

    def change(self, name_of_kind: str, count: int = 1, order: str = "chance") -> int:
        """Change `count` objects: a refresh of an ExternalSecret, a write of a Secret.

        They are chosen by chance, or with `order` "due" as ESO does it where all have one interval: of the ExternalSecrets
        those that were refreshed longest ago. Raises ValueError for another order, and for Secrets that are "due".
        """
        store = self.cluster.stores[kind_of(name_of_kind).plural]
        keys = store.keys()
        if order == "due":
            chosen = heapq.nsmallest(count, keys, key=lambda key: self._refreshed(store.get(key)))
        elif order == "chance":
            chosen = self._random.sample(keys, count) if count <= len(keys) else keys
        else:
            raise ValueError(f"order is chance or due, not {order}")
        for key in chosen:
            with self.cluster.versions.lock:
                entry = store.get(key)
                if isinstance(entry, Rendered):
                    store.put(entry.changed(self.cluster.versions.next(), self._turn(entry)))
        return len(chosen)

    def _refreshed(self, entry: object) -> float:
        if not isinstance(entry, Rendered) or entry.family.kind.plural != "externalsecrets":
            raise ValueError("only the ExternalSecrets that were filled in are due")
        return self._last_refresh(entry.index, entry.turn)

    def _last_refresh(self, index: int, turn: int) -> float:
        return self._now + turn if turn else self._now - index % 3000

    def _turn(self, entry: Rendered) -> int:
        """An ExternalSecret's turn is the second of its refresh, from the beginning on; a Secret's counts."""
        return int(self.cluster.clock() - self._now) if entry.family.kind.plural == "externalsecrets" else 0

    def churn(self, rate: float) -> None:
        """Change `rate` objects a second, ExternalSecrets and Secrets in turn, until called with 0."""
        self._end_churn.set()
        if self._churn is not None:
            self._churn.join()
            self._churn = None
        if rate > 0:
            self._end_churn = threading.Event()
            self._churn = threading.Thread(target=self._churning, args=(rate, self._end_churn), daemon=True)
            self._churn.start()

    def _churning(self, rate: float, end: threading.Event) -> None:
        stores = [self.cluster.stores[plural] for plural in ("externalsecrets", "secrets")]
        keys = [store.keys() for store in stores]
        began, done = time.monotonic(), 0
        while not end.wait(0.02):
            while done < (time.monotonic() - began) * rate:
                which = done % 2
                with self.cluster.versions.lock:
                    entry = stores[which].get(self._random.choice(keys[which])) if keys[which] else None
                    if isinstance(entry, Rendered):
                        stores[which].put(entry.changed(self.cluster.versions.next(), self._turn(entry)))
                done += 1

    # -- families -----------------------------------------------------------------------------------------------

    def _entries(self, family: Family, count: int) -> Iterator[Rendered]:
        versions = self.cluster.versions
        return (Rendered(family, index, versions.next()) for index in range(count))

    def _namespace(self, number: int) -> str:
        return f"team-{number % self.namespaces:04}"

    def _padded(self, sample: Object) -> Object:
        """The sample with an annotation that brings its metadata to `metadata_bytes`."""
        missing = self.metadata_bytes - len(encode(sample["metadata"]))
        if missing > 0:
            annotations = {"example.com/filling": "x" * missing}
            sample["metadata"]["annotations"] = {**sample["metadata"].get("annotations", {}), **annotations}
        return sample

    def _family(self, sample: Object, name: str, salt: int, holes: Callable[[int, int], Holes]) -> Family:
        kind = kind_of(sample["kind"])
        api_version = kind.api_version("v1")
        sample["metadata"] |= {"uid": "@@uid@@", "resourceVersion": "@@version@@"}
        for data_key in sample.get("data", {}):
            sample["data"][data_key] = self.value

        def fill(index: int, turn: int, version: int) -> Holes:
            return {
                "namespace": self._namespace(index).encode(),
                "name": (name % index).encode(),
                "uid": _uid(salt, index),
                "version": b"%d" % version,
                **holes(index, turn),
            }

        def key(index: int) -> str:
            return f"{self._namespace(index)}/{name % index}"

        return Family(kind, api_version, self._padded(sample), fill, key, stamp(CREATED), extra_keys=1)

    def _external_secrets(self) -> Family:
        # Unchanged annotations are hashed into syncedResourceVersion, so the filling is put in before it is computed.
        data = {key: ("teams/@@name@@", key) for key in KEYS}
        labels = {"app.kubernetes.io/part-of": "bulk", "team": "@@team@@"}
        sample = objects.external_secret(
            "@@namespace@@",
            "@@name@@",
            data=data,
            target="@@target@@",
            labels=labels,
            ready="@@ready@@",
            reason="@@reason@@",
            message="@@message@@",
            refreshed=CREATED,
            since=CREATED,
        )
        annotations = self._padded(sample)["metadata"].get("annotations", {})
        sample["status"] |= {"refreshTime": "@@refreshed@@", "syncedResourceVersion": "@@synced@@"}

        @functools.cache
        def synced(team: str) -> bytes:
            return synced_version(1, {**labels, "team": team}, annotations).encode()

        def holes(index: int, turn: int) -> Holes:
            team = f"team-{index % TEAMS}"
            failed = bool(self.failing) and index % self.failing == self.failing - 1
            told = (b"False", b"SecretSyncedError", b"could not get secret data from provider")
            ready, reason, message = told if failed else (b"True", b"SecretSynced", b"secret synced")
            return {
                "target": b"app-%06d" % index,
                "team": team.encode(),
                "ready": ready,
                "reason": reason,
                "message": message,
                "refreshed": stamp(self._last_refresh(index, turn)).encode(),
                "synced": synced(team),
            }

        return self._family(sample, "app-%06d-secrets", 1, holes)

    def _targets(self) -> Family:
        owner: Object = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "ExternalSecret",
            "metadata": {"namespace": "@@namespace@@", "name": "@@name@@-secrets", "uid": "@@owner@@"},
            "spec": {"target": {"name": "@@name@@", "creationPolicy": "Owner"}},
        }
        sample = objects.eso_secret(owner, KEYS, created=CREATED, written=CREATED)
        sample["metadata"]["labels"][CREATED_BY] = "@@created_by@@"
        sample["metadata"]["managedFields"][0]["time"] = "@@written@@"

        def holes(index: int, turn: int) -> Holes:
            created_by = object_hash(f"{self._namespace(index)}/app-{index:06}-secrets")
            written = stamp(CREATED + turn)
            return {
                "owner": _uid(1, index),
                "created_by": created_by.encode(),
                "written": written.encode(),
            }

        return self._family(sample, "app-%06d", 2, holes)

    def _manual(self) -> Family:
        sample = objects.manual_secret("@@namespace@@", "@@name@@", KEYS[:3], created=CREATED)
        sample["metadata"]["managedFields"][0]["time"] = "@@written@@"
        return self._family(sample, "hand-%06d", 3, _written)

    def _releases(self) -> Family:
        sample = objects.helm_release("@@namespace@@", "bulk", created=CREATED)
        sample["metadata"]["name"] = "@@name@@"
        sample["metadata"]["managedFields"][0]["time"] = "@@written@@"
        return self._family(sample, "sh.helm.release.v1.app-%06d.v1", 4, _written)


def _written(_index: int, turn: int) -> Holes:
    return {"written": stamp(CREATED + turn).encode()}


def _uid(salt: int, index: int) -> bytes:
    return b"%08x-0000-4000-8000-%012x" % (salt, index)


# -- its own process --------------------------------------------------------------------------------------------------


def controls(cluster: SimulatedCluster, bulk: Bulk) -> None:
    """Serve the paths told in the docstring of this module."""

    def answer(exchange: Exchange, told: Any) -> None:
        exchange.reply(200, encode(told) + b"\n")

    def change(exchange: Exchange) -> None:
        query = exchange.request.query
        resource, order = query.get("resource", "externalsecrets"), query.get("order", "chance")
        answer(exchange, {"changed": bulk.change(resource, int(query.get("count", 1)), order)})

    def churn(exchange: Exchange) -> None:
        rate = float(exchange.request.query.get("rate", 0))
        bulk.churn(rate)
        answer(exchange, {"rate": rate})

    def requests(exchange: Exchange) -> None:
        answer(exchange, Counter(f"{one.method} {one.path}" for one in cluster.requests))

    cluster.extra_paths |= {"/-/change": change, "/-/churn": churn, "/-/requests": requests}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m exporter.demo.bulk", description="A large simulated cluster.")
    parser.add_argument("--externalsecrets", type=int, default=10_000)
    parser.add_argument("--secrets", type=int, default=10_000)
    parser.add_argument("--targets", type=int, help="Secrets that belong to an ExternalSecret")
    parser.add_argument("--manual", type=int, help="Secrets made by hand")
    parser.add_argument("--namespaces", type=int)
    parser.add_argument("--failing", type=int, default=100, help="one ExternalSecret of so many is not ready (0: none)")
    parser.add_argument("--metadata-bytes", type=int, default=0)
    parser.add_argument("--value-bytes", type=int, default=0)
    parser.add_argument("--vault", default="http://127.0.0.1:8200", help="the server that the store names")
    parser.add_argument("--churn", type=float, default=0, help="changes a second from the start")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--kubeconfig", type=Path)
    options = parser.parse_args(arguments)
    cluster = SimulatedCluster(options.port, history=200_000)
    bulk = Bulk(
        cluster,
        options.externalsecrets,
        options.secrets,
        targets=options.targets,
        manual=options.manual,
        namespaces=options.namespaces,
        failing=options.failing,
        metadata_bytes=options.metadata_bytes,
        value_bytes=options.value_bytes,
        vault=options.vault,
    )
    bulk.fill()
    controls(cluster, bulk)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with cluster:
        if options.kubeconfig:
            cluster.write_kubeconfig(options.kubeconfig)
        bulk.churn(options.churn)
        sys.stdout.write(f"{cluster.url}\n")
        sys.stdout.flush()
        ended.wait()
        bulk.churn(0)


if __name__ == "__main__":
    main()
