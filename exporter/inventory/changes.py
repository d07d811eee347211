"""What changed since the judge last looked: kinds and names only, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

EXTERNALSECRET = "externalsecret"
STORE = "store"
SECRET = "secret"
NAMESPACE = "namespace"
PUSHSECRET = "pushsecret"
CLUSTER_EXTERNALSECRET = "clusterexternalsecret"
CLUSTER_PUSHSECRET = "clusterpushsecret"
OPERATOR = "operator"
"""What is judged; also the label `kind` of problems. An object goes by (namespace, name), with namespace "" for one of the
cluster: a SecretStore and a ClusterSecretStore are told apart by that. A part of the operator goes by its component."""

REFRESHED = "refreshed externalsecret"
"""No kind of its own: ExternalSecrets of which nothing changed but the time of the last sync, as nearly always."""


class Names:
    """A set of (namespace, name), grouped by namespace: the names themselves are the records' own strings.

    Names are keys of dicts without values, which take a third of the memory of sets.
    """

    __slots__ = ("_by_namespace",)

    def __init__(self) -> None:
        self._by_namespace: dict[str, dict[str, None]] = {}

    def add(self, namespace: str, name: str) -> None:
        """Notes one object."""
        names = self._by_namespace.get(namespace)
        if names is None:
            names = self._by_namespace[namespace] = {}
        names[name] = None

    def discard(self, namespace: str, name: str) -> None:
        """Takes one object out; an unknown one is harmless."""
        names = self._by_namespace.get(namespace)
        if names is not None:
            names.pop(name, None)
            if not names:
                del self._by_namespace[namespace]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for namespace, names in self._by_namespace.items():
            for name in names:
                yield namespace, name

    def namespaces(self) -> Iterable[str]:
        """Namespaces of which it holds anything."""
        return self._by_namespace.keys()

    def any_in(self, namespace: str) -> bool:
        """Whether it holds anything of this namespace."""
        return namespace in self._by_namespace

    def __bool__(self) -> bool:
        return bool(self._by_namespace)

    def __len__(self) -> int:
        return sum(map(len, self._by_namespace.values()))


class Changes:
    """Objects to judge anew. `everything` says that all of it is to be judged, whatever the sets hold."""

    __slots__ = ("_names", "everything")

    def __init__(self, *, everything: bool = False) -> None:
        self.everything = everything
        self._names: dict[str, Names] = {}

    def add(self, kind: str, namespace: str, name: str) -> None:
        """Notes one object of one of the kinds above."""
        names = self._names.get(kind)
        if names is None:
            names = self._names[kind] = Names()
        names.add(namespace, name)

    def of(self, kind: str) -> Names:
        """The changed objects of one kind."""
        return self._names.get(kind) or Names()

    def __bool__(self) -> bool:
        return self.everything or bool(self._names)
