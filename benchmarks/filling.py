"""Fills the real API server over several connections at once."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3

from benchmarks import cluster_objects
from benchmarks.cluster_objects import Object, Sizes, Value
from tests.lab.control_plane import ApiServer

CONNECTIONS = 12
_BATCH = 500
_ES = "/apis/external-secrets.io/v1"


class Writer:
    """Writes objects as an administrator. Raises RuntimeError when the API server refuses one."""

    def __init__(self, apiserver: ApiServer) -> None:
        self._address = apiserver.address
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS,
            block=True,
            ca_certs=str(apiserver.authority.certificate),
            cert_file=str(apiserver.admin.certificate),
            key_file=str(apiserver.admin.key),
        )

    def __call__(self, method: str, path: str, one: Object, manager: str = "benchmark") -> Object:
        """One request; returns the object as it now stands."""
        body = json.dumps(one, separators=(",", ":"))
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        url = f"{self._address}{path}?fieldManager={manager}"
        for _ in range(50):
            answer = self._pool.request(method, url, body=body, headers={"Content-Type": kind}, timeout=60.0)
            if answer.status != 429:
                break
            time.sleep(0.2)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {answer.data[:300]!r}")
        told: Object = json.loads(answer.data)
        return told

    def many(self, write: Callable[[Any], None], over: Iterable[Any]) -> None:
        """Calls `write` for everything, CONNECTIONS at a time. Raises what the first failed one raised."""
        left = iter(over)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            while batch := list(itertools.islice(left, _BATCH)):
                for _ in pool.map(write, batch):
                    pass


class Filler:
    """Puts the objects of `sizes` there. ExternalSecrets get their status through the subresource, as ESO gives it."""

    def __init__(self, writer: Writer, sizes: Sizes) -> None:
        self._write = writer
        self._sizes = sizes
        self._uids: dict[int, str] = {}

    def externalsecrets(self) -> None:
        """Namespaces, the store and all ExternalSecrets."""
        write, sizes = self._write, self._sizes
        for one in cluster_objects.namespaces(sizes):
            write("POST", "/api/v1/namespaces", one)
        store = cluster_objects.store()
        told = write("POST", f"{_ES}/clustersecretstores", _as_applied(store))
        write("PUT", f"{_ES}/clustersecretstores/{cluster_objects.STORE}/status", {**told, "status": store["status"]})
        write.many(self._external_secret, range(sizes.externalsecrets))

    def secrets(self, value_bytes: int, *, again: bool = False) -> None:
        """All Secrets, with values of so many bytes; `again` writes those anew that are there."""
        sizes, value = self._sizes, Value(value_bytes)

        def write(made: tuple[Object, str]) -> None:
            one, manager = made
            path = f"/api/v1/namespaces/{one['metadata']['namespace']}/secrets"
            if again:
                self._write("PUT", f"{path}/{one['metadata']['name']}", one, manager)
            else:
                self._write("POST", path, one, manager)

        targets = (cluster_objects.target(number, sizes, self._uids[number], value) for number in range(sizes.targets))
        self._write.many(write, targets)
        self._write.many(write, (cluster_objects.manual(number, sizes, value) for number in range(sizes.manual)))

    def _external_secret(self, number: int) -> None:
        made = cluster_objects.external_secret(number, self._sizes)
        path = f"{_ES}/namespaces/{made['metadata']['namespace']}/externalsecrets"
        created = self._write("POST", path, _as_applied(made), "kubectl-client-side-apply")
        self._uids[number] = created["metadata"]["uid"]
        status = cluster_objects.synced(created, cluster_objects.refreshed_at(number))
        self._write("PUT", f"{path}/{made['metadata']['name']}/status", status, "external-secrets")


def _as_applied(one: Object) -> Object:
    """Without what only a cluster sets."""
    metadata = {key: value for key, value in one["metadata"].items() if key in _OURS}
    return {**{key: value for key, value in one.items() if key != "status"}, "metadata": metadata}


_OURS = frozenset({"name", "namespace", "labels", "annotations", "ownerReferences"})
