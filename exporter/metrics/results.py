"""Takes judgements and keeps the groups of the exposition in step with them."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.exposition.families import Group
from exporter.judge.externalsecret import ExternalSecretJudgement
from exporter.judge.findings import Problem
from exporter.judge.namespace import NamespaceJudgement
from exporter.judge.secret import SecretJudgement
from exporter.judge.store import StoreJudgement
from exporter.kube.records import StoreRef
from exporter.kube.resources import CLUSTERSECRETSTORES, EXTERNALSECRETS, SECRETS, SECRETSTORES
from exporter.metrics import externalsecret, problems, secret, store

_NEEDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("externalsecret", frozenset({EXTERNALSECRETS})),
    ("store", frozenset({SECRETSTORES, CLUSTERSECRETSTORES})),
    ("secret", frozenset({SECRETS})),
)
"""Families of a group are absent, header too, until one of these resources has had its first complete list."""


class MetricGroups:
    """The groups of everything that comes from Kubernetes; implements `judge.engine.Results`."""

    def __init__(self, *, age: bool = True) -> None:
        self._facts = externalsecret.Facts()
        self.externalsecrets = externalsecret.group(age=age)
        self.stores = store.group()
        self.namespaces = secret.namespace_group()
        self.secrets = secret.secret_group()
        self.since = problems.since_group()
        self.catalogue = problems.catalogue_group()

    def judged(self) -> dict[str, int]:
        """How many objects of each kind were judged: the ground on which silence is provable."""
        return {
            "externalsecret": len(self.externalsecrets),
            "store": len(self.stores),
            "namespace": len(self.namespaces),
        }

    @property
    def problems(self) -> dict[tuple[str, str, str], tuple[Problem, ...]]:
        """Present problems of Kubernetes objects by (kind, namespace, name), for pages and commands; a copy."""
        found: dict[tuple[str, str, str], tuple[Problem, ...]] = {}
        for where, name in self.told_externalsecrets():
            if (es := self.externalsecrets.get(f"{where}/{name}")) is not None and es.problems:
                found["externalsecret", where, name] = es.problems
        for ref in self.told_stores():
            if (st := self.stores.get("/".join(ref))) is not None and st.judgement.problems:
                found["store", ref.namespace, ref.name] = st.judgement.problems
        for where, name in self.told_secrets():
            if (one := self.secrets.get(f"{where}/{name}")) is not None and one.problems:
                found["secret", where, name] = one.problems
        return found

    @property
    def groups(self) -> list[Group]:  # type: ignore[type-arg]
        """In the order of the exposition."""
        return [self.externalsecrets, self.stores, self.since, self.catalogue, self.namespaces, self.secrets]

    def enable(self, known: Iterable[str]) -> None:
        """Shows the families of resources that are known (synced, or not installed), hides those of the others."""
        known = frozenset(known)
        groups: dict[str, list[Group]] = {  # type: ignore[type-arg]
            "externalsecret": [self.externalsecrets],
            "store": [self.stores],
            "secret": [self.secrets],
        }
        for name, needs in _NEEDS:
            for group in groups[name]:
                for column in group.columns:
                    group.enable(column.family.name, bool(needs & known))
        for name in ("eso_secrets", "eso_manual_secrets"):
            self.namespaces.enable(name, SECRETS in known)

    def externalsecret(self, namespace: str, name: str, judgement: ExternalSecretJudgement | None) -> None:
        """One ExternalSecret's newest judgement, None when it is gone."""
        key = f"{namespace}/{name}"
        if judgement is None:
            self.externalsecrets.delete(key)
        else:
            self.externalsecrets.put(key, self._facts.of(judgement))

    def store(self, ref: StoreRef, judgement: StoreJudgement | None) -> None:
        """One store's newest judgement."""
        key = f"{ref.kind}/{ref.namespace}/{ref.name}"
        if judgement is None:
            self.stores.delete(key)
        else:
            self.stores.put(key, store.facts(judgement))

    def secret(self, namespace: str, name: str, judgement: SecretJudgement | None) -> None:
        """One Secret's newest judgement, None when it has no lines of its own."""
        key = f"{namespace}/{name}"
        if judgement is None:
            self.secrets.delete(key)
        else:
            self.secrets.put(key, judgement)

    def namespace(self, name: str, judgement: NamespaceJudgement | None) -> None:
        """One namespace's newest counts."""
        if judgement is None:
            self.namespaces.delete(name)
        else:
            self.namespaces.put(name, judgement)

    def told_externalsecrets(self) -> Iterable[tuple[str, str]]:
        """(namespace, name) of every ExternalSecret that has lines."""
        return (_split(key) for key in self.externalsecrets.keys())  # noqa: SIM118

    def told_stores(self) -> Iterable[StoreRef]:
        """Every store that has lines."""
        return (StoreRef(*key.split("/", 2)) for key in self.stores.keys())  # noqa: SIM118

    def told_secrets(self) -> Iterable[tuple[str, str]]:
        """(namespace, name) of every Secret that has lines."""
        return (_split(key) for key in self.secrets.keys())  # noqa: SIM118

    def told_namespaces(self) -> Iterable[str]:
        """Every namespace that has lines."""
        return self.namespaces.keys()


def _split(key: str) -> tuple[str, str]:
    namespace, _, name = key.partition("/")
    return namespace, name
