"""`SimulatedCluster`: a Kubernetes API server in this process, with the objects a test or the demo puts into it.

    with SimulatedCluster() as cluster:
        cluster.apply(workloads.namespace("shop"))
        cluster.faults.inject(Status(429, retry_after=1), "secrets", verb="watch", times=2)
        ... a client talks to cluster.url ...

Writing is done with the methods here, never over HTTP: the exporter is read-only, and any write it tried is in
`requests` and was answered 405.
"""

from __future__ import annotations

import contextlib
import copy
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from exporter.demo import kinds
from exporter.demo.api import Api
from exporter.demo.entries import Encoded, Entry, Object, Spoiled, Stored, key_for, key_of
from exporter.demo.faults import Board, Fault
from exporter.demo.kinds import Kind, kind_of
from exporter.demo.store import ResourceStore, Versions
from exporter.demo.watching import Watch
from exporter.demo.wire import Exchange, Listener, Request

_UIDS = uuid.UUID("6d0f9a52-6a3b-5c51-9b4e-7a1c0f2d9e11")


class SimulatedCluster:
    """A whole cluster's API.

    `eso_versions` are the served versions of the External Secrets kinds that have them; `installed` False starts without
    External Secrets' definitions. `tokens` None lets everybody in, else only these bearer tokens. `history` is how many
    changes a resource remembers, `bookmark_every` the seconds between bookmarks of a watch that wants them (about a minute
    on a real server), `clock` what object times and ages come from.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        eso_versions: tuple[str, ...] = ("v1",),
        installed: bool = True,
        tokens: Iterable[str] | None = None,
        history: int = 20_000,
        bookmark_every: float = 60.0,
        clock: Callable[[], float] = time.time,
        user: str = "system:serviceaccount:monitoring:vault-eso-exporter",
    ) -> None:
        self.versions = Versions()
        self.stores = {kind.plural: ResourceStore(kind, self.versions, history) for kind in kinds.KINDS}
        self.served: dict[str, tuple[str, ...]] = {}
        self.faults = Board()
        self.tokens: set[str] | None = None if tokens is None else set(tokens)
        self.bookmark_every = bookmark_every
        self.clock = clock
        self.user = user
        self.extra_paths: dict[str, Callable[[Exchange], None]] = {}
        """Paths outside the API that a process around the cluster answers (the bulk double's controls)."""
        self._eso_versions = eso_versions
        self._watches: set[Watch] = set()
        self._watching = threading.Condition()
        self._listener = Listener(Api(self), port)
        self.served |= {kind.plural: kind.versions for kind in kinds.KINDS if not kind.custom}
        if installed:
            self.install()

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> SimulatedCluster:
        """Listen (on the same port as before, if stopped before). Objects and history survive a stop."""
        self._listener.start()
        return self

    def stop(self) -> None:
        """Stop listening and cut every connection, as a killed server would."""
        self._listener.stop()
        for watch in self.watches():
            with watch.store.changed:
                watch.store.changed.notify_all()

    def __enter__(self) -> SimulatedCluster:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return self._listener.url

    @property
    def requests(self) -> list[Request]:
        """Every request so far, oldest first."""
        return list(self._listener.requests)

    @property
    def connections(self) -> int:
        """Open TCP connections."""
        return self._listener.connections

    def write_kubeconfig(self, path: Path, token: str = "", token_file: Path | None = None) -> Path:
        """A kubeconfig for this cluster (JSON, which is YAML), context `simulated`."""
        user = {"tokenFile": str(token_file)} if token_file else {"token": token} if token else {}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "simulated", "cluster": {"server": self.url}}],
            "users": [{"name": "simulated", "user": user}],
            "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": "simulated"}}],
            "current-context": "simulated",
        }
        path.write_text(json.dumps(config, indent=2) + "\n")
        return path

    # -- kinds --------------------------------------------------------------------------------------------------

    def install(self, *names: str) -> None:
        """Serve these custom kinds (all without an argument), each with its CustomResourceDefinition."""
        for kind in _custom(names):
            versions = tuple(version for version in kind.versions if version in self._eso_versions)
            self.served[kind.plural] = versions or kind.versions
            self.apply(kinds.definition(kind, self.served[kind.plural]))

    def uninstall(self, *names: str, keep_objects: bool = False) -> None:
        """Remove these definitions (all without an argument): objects go, watches end, the paths answer 404.

        With `keep_objects` only the definition goes, and `install` brings the same objects back.
        """
        for kind in _custom(names):
            store = self.stores[kind.plural]
            for key in [] if keep_objects else store.keys():
                store.remove(key)
            self.served.pop(kind.plural, None)
            self.delete("customresourcedefinitions", "", kind.gvr)
            for watch in self.watches(kind.plural):
                watch.finish()

    # -- objects ------------------------------------------------------------------------------------------------

    def apply(self, obj: Mapping[str, object], *, force: bool = False) -> Object:
        """Create or replace an object and return it as stored.

        `uid`, `creationTimestamp` and `generation` are given by the server unless the object brings them. Like a real
        server, an unchanged object makes no event, unless `force`. Raises LookupError where its kind is not installed.
        """
        new: Object = copy.deepcopy(dict(obj))
        kind = self._installed(new["kind"])
        store = self.stores[kind.plural]
        metadata = new["metadata"]
        with self.versions.lock:
            previous = store.get(key_of(kind, new))
            old = previous.obj if previous is not None else None
            if old is None:
                now = datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                seed = f"{kind.plural}/{key_of(kind, new)}/{self.versions.current}"
                metadata.setdefault("creationTimestamp", now)
                metadata.setdefault("uid", str(uuid.uuid5(_UIDS, seed)))
            else:
                metadata.setdefault("creationTimestamp", old["metadata"]["creationTimestamp"])
                metadata.setdefault("uid", old["metadata"]["uid"])
            if "spec" in new and kind.plural != "namespaces":
                generation = (
                    1 if old is None else old["metadata"].get("generation", 1) + (old.get("spec") != new["spec"])
                )
                metadata.setdefault("generation", generation)
            metadata.pop("resourceVersion", None)
            if old is not None and not force and isinstance(previous, Stored):
                bare = {key: value for key, value in old["metadata"].items() if key != "resourceVersion"}
                if {**old, "metadata": bare} == new:
                    return copy.deepcopy(dict(old))
            entry = Stored(kind, new, self.versions.next())
            store.put(entry)
            return copy.deepcopy(entry.obj)

    def change(self, name_of_kind: str, namespace: str, name: str, mutate: Callable[[Object], object]) -> Object:
        """Apply `mutate` to a copy of an object and store the outcome. Raises LookupError where there is none."""
        with self.versions.lock:
            obj = self.get(name_of_kind, namespace, name)
            if obj is None:
                raise LookupError(f"no {name_of_kind} {namespace}/{name}")
            obj["metadata"].pop("generation", None)
            mutate(obj)
            return self.apply(obj)

    def get(self, name_of_kind: str, namespace: str, name: str) -> Object | None:
        """A copy of an object, None where there is none."""
        kind = kind_of(name_of_kind)
        entry = self.stores[kind.plural].get(key_for(kind, namespace, name))
        return None if entry is None else copy.deepcopy(dict(entry.obj))

    def objects(self, name_of_kind: str, namespace: str = "") -> list[Object]:
        """Copies of all objects of a kind, of one namespace if named."""
        entries = self.stores[kind_of(name_of_kind).plural].all()
        return [
            copy.deepcopy(dict(entry.obj))
            for entry in entries
            if not namespace or entry.key.startswith(f"{namespace}/")
        ]

    def delete(self, name_of_kind: str, namespace: str, name: str) -> bool:
        """Delete an object; False where there was none. What it owned stays: the garbage collector is the demo's."""
        kind = kind_of(name_of_kind)
        return self.stores[kind.plural].remove(key_for(kind, namespace, name)) is not None

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace and, before it, everything in it."""
        for kind in kinds.KINDS:
            store = self.stores[kind.plural]
            for key in store.keys() if kind.namespaced else ():
                if key.startswith(f"{name}/"):
                    store.remove(key)
        self.delete("namespaces", "", name)

    def spoil(self, name_of_kind: str, namespace: str, name: str, how: str = "object") -> None:
        """Serve an existing object in an undecodable way from now on (a MODIFIED event says so); see `Spoiled`."""
        kind = kind_of(name_of_kind)
        store = self.stores[kind.plural]
        with self.versions.lock:
            obj = self.get(name_of_kind, namespace, name)
            if obj is None:
                raise LookupError(f"no {name_of_kind} {namespace}/{name}")
            store.put(Spoiled(Stored(kind, obj, self.versions.next()), how))

    def heal(self, name_of_kind: str, namespace: str, name: str) -> None:
        """End what `spoil` began: the object as it was, with a new resource version."""
        self.change(name_of_kind, namespace, name, dict.copy)

    def bulk(self, name_of_kind: str, encoded: Iterable[tuple[str, str, bytes]]) -> int:
        """Take (namespace, name, whole object as JSON) triples as if they had always been there; returns how many are new.

        The bytes are kept as they are and decoded only when served, so memory is that of the bytes. Open watches are not
        told. `exporter.demo.bulk` fills stores without even keeping the bytes.
        """
        kind = self._installed(name_of_kind)
        with self.versions.lock:
            return self.stores[kind.plural].fill(
                Encoded(kind, key_for(kind, namespace, name), raw, self.versions.next())
                for namespace, name, raw in encoded
            )

    def fill(self, name_of_kind: str, entries: Iterable[Entry]) -> int:
        """The same for entries that know how to render themselves."""
        return self.stores[self._installed(name_of_kind).plural].fill(entries)

    def compact(self, *names: str) -> None:
        """Forget history (of every resource without an argument): older versions and tokens are answered 410."""
        for plural in [kind_of(name).plural for name in names] or self.stores:
            self.stores[plural].compact()

    def _installed(self, name: str) -> Kind:
        kind = kind_of(name)
        if kind.plural not in self.served:
            raise LookupError(
                f"{kind.gvr} is not installed in the simulated cluster: call install({kind.plural!r}) first"
            )
        return kind

    # -- watches ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def watching(self, watch: Watch) -> Iterator[None]:
        with self._watching:
            self._watches.add(watch)
            self._watching.notify_all()
        try:
            yield
        finally:
            with self._watching:
                self._watches.discard(watch)
                self._watching.notify_all()

    def watches(self, name_of_kind: str = "") -> list[Watch]:
        """The open watches (of one kind)."""
        with self._watching:
            found = list(self._watches)
        return [watch for watch in found if not name_of_kind or watch.store.kind is kind_of(name_of_kind)]

    def wait_for_watches(self, *names: str, timeout: float = 10.0) -> None:
        """Return once each of these kinds has an open watch. Raises TimeoutError."""
        with self._watching:
            opened = self._watching.wait_for(
                lambda: all(any(one.store.kind is kind_of(name) for one in self._watches) for name in names), timeout
            )
        if not opened:
            missing = [name for name in names if not self.watches(name)]
            raise TimeoutError(f"nobody watches {', '.join(missing)} within {timeout} s")

    def disrupt(self, name_of_kind: str, fault: Fault) -> int:
        """Hit every open watch of a kind with `fault`; returns how many there were."""
        watches = self.watches(name_of_kind)
        for watch in watches:
            watch.disrupt(fault)
        return len(watches)


def _custom(names: Iterable[str]) -> list[Kind]:
    return [kind_of(name) for name in names] or [kind for kind in kinds.KINDS if kind.custom]
