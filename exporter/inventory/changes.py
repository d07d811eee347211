"""What changed since the judge last looked: names only, each once."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.kube.records import StoreRef


class Names:
    """A set of (namespace, name), grouped by namespace: the names themselves are the records' own strings."""

    __slots__ = ("_by_namespace",)

    def __init__(self) -> None:
        self._by_namespace: dict[str, set[str]] = {}

    def add(self, namespace: str, name: str) -> None:
        """Notes one object."""
        names = self._by_namespace.get(namespace)
        if names is None:
            names = self._by_namespace[namespace] = set()
        names.add(name)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for namespace, names in self._by_namespace.items():
            for name in names:
                yield namespace, name

    def __bool__(self) -> bool:
        return bool(self._by_namespace)

    def __len__(self) -> int:
        return sum(map(len, self._by_namespace.values()))


class Changes:
    """Objects to judge anew. `everything` says that all of it is to be judged, whatever the sets hold."""

    __slots__ = ("everything", "externalsecrets", "namespaces", "secrets", "stores")

    def __init__(self, *, everything: bool = False) -> None:
        self.everything = everything
        self.externalsecrets = Names()
        self.secrets = Names()
        self.stores: set[StoreRef] = set()
        self.namespaces: set[str] = set()

    def __bool__(self) -> bool:
        return self.everything or bool(self.externalsecrets or self.secrets or self.stores or self.namespaces)
