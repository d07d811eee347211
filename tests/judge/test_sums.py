"""Whatever comes, in whatever order: each Secret has exactly one class, and the classes sum to the number of Secrets."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exporter.config.settings import OwnershipException
from exporter.eso.ownership import CLASSES
from exporter.judge.secret import Exceptions, judge, silent
from tests.judge.test_corpus import ENTRIES, make
from tests.world import World, external_secret, store

NAMES = ("db", "api", "vault-token", "tpl")
NAMESPACES = ("shop", "mail")
EXCLUDED = "kube-system"


class Changes(RuleBasedStateMachine):
    """Secrets of the corpus under a few names, ExternalSecrets that may target them, stores that may name them."""

    def __init__(self) -> None:
        super().__init__()
        exceptions = (OwnershipException("accepted", "shop", "a*", "why"),)
        self.world = World(exceptions=exceptions, excluded=(EXCLUDED,))
        self.secrets: set[tuple[str, str]] = set()
        self.world.namespace(*NAMESPACES, EXCLUDED)

    @rule(
        entry=st.sampled_from(ENTRIES),
        name=st.sampled_from(NAMES),
        namespace=st.sampled_from((*NAMESPACES, EXCLUDED)),
    )
    def put(self, entry: list[Any], name: str, namespace: str) -> None:
        made = make(entry[2])
        made["metadata"] |= {"name": name, "namespace": namespace}
        self.world.add("secrets", made, type_=entry[2].get("type", "Opaque"))
        self.secrets.add((namespace, name))

    @rule(name=st.sampled_from(NAMES), namespace=st.sampled_from((*NAMESPACES, EXCLUDED)))
    def take(self, name: str, namespace: str) -> None:
        self.world.remove("secrets", name, namespace)
        self.secrets.discard((namespace, name))

    @rule(
        name=st.sampled_from(("db", "es1")),
        into=st.sampled_from(NAMES),
        policy=st.sampled_from(("Owner", "Orphan", "Merge", "CreateOrMerge", "None")),
        namespace=st.sampled_from(NAMESPACES),
    )
    def target(self, name: str, into: str, policy: str, namespace: str) -> None:
        self.world.add("externalsecrets", external_secret(name, namespace, target=into, policy=policy))

    @rule(name=st.sampled_from(("db", "es1")), namespace=st.sampled_from(NAMESPACES))
    def untarget(self, name: str, namespace: str) -> None:
        self.world.remove("externalsecrets", name, namespace)

    @rule(names=st.sampled_from(NAMES), namespace=st.sampled_from(("", *NAMESPACES)))
    def login(self, names: str, namespace: str) -> None:
        auth = {"tokenSecretRef": {"name": names, "key": "token"} | ({} if namespace else {"namespace": "shop"})}
        provider = {"vault": {"server": "https://vault:8200", "auth": auth}}
        resource = "secretstores" if namespace else "clustersecretstores"
        self.world.add(resource, store("vault-backend", namespace, provider=provider))

    @rule(namespace=st.sampled_from(("", *NAMESPACES)))
    def logout(self, namespace: str) -> None:
        self.world.remove("secretstores" if namespace else "clustersecretstores", "vault-backend", namespace)

    @rule()
    def start_over(self) -> None:
        self.world.inventory.everything_changed()

    @invariant()
    def classes_sum_to_the_secrets(self) -> None:
        counted: Counter[str] = Counter()
        manual: Counter[str] = Counter()
        surviving: Counter[str] = Counter()
        told: Counter[str] = Counter()
        accepted: Counter[str] = Counter()
        for line in self.world.samples("eso_secrets", "eso_manual_secrets", "eso_manual_secret_info"):
            sample, _, value = line.rpartition(" ")
            namespace = sample.split('namespace="')[1].split('"')[0]
            if line.startswith("eso_secrets{"):
                counted[namespace] += int(value)
                manual[namespace] += int(value) if 'class="manual"' in sample else 0
            elif line.startswith("eso_manual_secrets{"):
                surviving[namespace] += int(value)
            else:
                told[namespace] += 1
                accepted[namespace] += 'exception="accepted"' in sample
        assert counted == Counter(namespace for namespace, _ in self.secrets if namespace != EXCLUDED)
        assert manual == told == surviving + accepted

    @invariant()
    def what_passes_in_silence_has_nothing_to_tell(self) -> None:
        for record in self.world.inventory.secrets.all():
            if told := silent(record, self.world.view):
                judgement, findings = judge(record, self.world.view, Exceptions(()), self.world.now, {})
                assert (judgement.ownership, judgement.told) == (told, False)
                assert (findings.lasting, findings.recheck_at) == ({}, None)

    @invariant()
    def each_has_one_class(self) -> None:
        for record in self.world.inventory.secrets.all():
            known = {*CLASSES, "manual_accepted"} if record.namespace != EXCLUDED else {""}
            assert record.ownership in known


TestSums = Changes.TestCase
TestSums.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
