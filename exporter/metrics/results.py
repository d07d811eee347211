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
from exporter.metrics.problems import ProblemFacts

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
        self._judged = {"externalsecret": 0, "store": 0, "secret": 0}
        self.problems: dict[tuple[str, str, str], tuple[Problem, ...]] = {}
        """Present problems by (kind, namespace, name), for pages and commands; stores go as kind/name."""

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
        self._problems("externalsecret", namespace, name, judgement.problems if judgement is not None else ())

    def store(self, ref: StoreRef, judgement: StoreJudgement | None) -> None:
        """One store's newest judgement."""
        key = f"{ref.kind}/{ref.namespace}/{ref.name}"
        if judgement is None:
            self.stores.delete(key)
        else:
            self.stores.put(key, store.facts(judgement))
        self._problems("store", ref.namespace, ref.name, judgement.problems if judgement is not None else ())

    def secret(self, namespace: str, name: str, judgement: SecretJudgement | None) -> None:
        """One Secret's newest judgement, None when it has no lines of its own."""
        key = f"{namespace}/{name}"
        if judgement is None:
            self.secrets.delete(key)
        else:
            self.secrets.put(key, judgement)
        self._problems("secret", namespace, name, judgement.problems if judgement is not None else ())

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

    def _problems(self, kind: str, namespace: str, name: str, found: tuple[Problem, ...]) -> None:
        key = (kind, namespace, name)
        if found == self.problems.get(key, ()):
            return
        text = "/".join(key)
        if found:
            self.problems[key] = found
            self.since.put(text, ProblemFacts(kind, namespace, name, "", found))
        else:
            del self.problems[key]
            self.since.delete(text)


def _split(key: str) -> tuple[str, str]:
    namespace, _, name = key.partition("/")
    return namespace, name
