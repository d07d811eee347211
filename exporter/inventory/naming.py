"""Secret or ServiceAccount → the stores, generators and templates that name it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from exporter.kube.records import SecretRef, Source


class Naming:
    """Which sources name which Secrets (or ServiceAccounts). `namespace` "" in a reference: that of whoever uses the source."""

    def __init__(self) -> None:
        # A SecretRef is found by the bare pair, too, which is made faster: this is asked of every Secret.
        self._sources: dict[tuple[str, str], set[Source]] = {}

    def change(self, source: Source, before: Collection[SecretRef], after: Collection[SecretRef]) -> None:
        """What a source names is now `after`."""
        for ref in before:
            sources = self._sources.get(ref)
            if sources is not None:
                sources.discard(source)
                if not sources:
                    del self._sources[ref]
        for ref in after:
            self._sources.setdefault(ref, set()).add(source)

    def there(self, namespace: str, name: str) -> Iterable[Source]:
        """Sources that name it in this namespace."""
        return self._sources.get((namespace, name), ())

    def anywhere(self, name: str) -> Iterable[Source]:
        """Sources that name it in whichever namespace they are used."""
        return self._sources.get(("", name), ())


class Templates:
    """Secrets that templates of ExternalSecrets read (`templateFrom`), counted: several may read the same."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def read(self, namespace: str, name: str) -> bool:
        """Whether some template reads this Secret."""
        return (namespace, name) in self._counts

    def count(self, namespace: str, names: Collection[str], step: int) -> None:
        """One template more (step 1) or less (-1) that reads these Secrets."""
        for name in names:
            ref = (namespace, name)
            count = self._counts.get(ref, 0) + step
            if count:
                self._counts[ref] = count
            else:
                del self._counts[ref]
