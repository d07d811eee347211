"""The indexes between kinds keep nothing of what is gone: after any order of changes they equal those built anew."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.inventory.naming import Naming, Templates
from exporter.inventory.ownership import OwnershipCounts
from exporter.inventory.targets import Targets
from exporter.inventory.users import Users, UserStates
from exporter.kube.records import SecretRef, StoreRef

STORES = [StoreRef("ClusterSecretStore", "", name) for name in "ab"] + [StoreRef("SecretStore", "red", "own")]
few_stores = st.lists(st.sampled_from(STORES), max_size=3, unique=True).map(tuple)
users = st.tuples(st.sampled_from(["red", "green"]), st.sampled_from(["one", "two", "three"]))


@given(st.lists(st.tuples(users, few_stores), max_size=30))
@settings(deadline=None)
def test_users(changes: list[tuple[tuple[str, str], tuple[StoreRef, ...]]]) -> None:
    index, now = Users(), dict[tuple[str, str], tuple[StoreRef, ...]]()
    for user, stores in changes:
        index.change(*user, now.get(user, ()), stores)
        now[user] = stores
    for store in STORES:
        expected = {user for user, stores in now.items() if store in stores}
        assert set(index.of(store)) == expected
        assert set(index.of(store).namespaces()) == {namespace for namespace, _ in expected}
        assert len(index.of(store)) == len(expected)


@given(st.lists(st.tuples(users, st.sampled_from(["", "secret", "other"])), max_size=30))
@settings(deadline=None)
def test_targets(changes: list[tuple[tuple[str, str], str]]) -> None:
    index, now = Targets(), dict[tuple[str, str], str]()
    for user, target in changes:
        index.change(*user, now.get(user, ""), target)
        now[user] = target
    for namespace in ("red", "green"):
        for target in ("secret", "other"):
            expected = {name for (where, name), held in now.items() if (where, held) == (namespace, target)}
            assert set(index.of(namespace, target)) == expected
            assert len(index.of(namespace, target)) == len(expected)


def test_what_is_gone_leaves_nothing_behind() -> None:
    users_of, targets, states, naming, templates, counts = (
        Users(),
        Targets(),
        UserStates(),
        Naming(),
        Templates(),
        OwnershipCounts(),
    )
    ref = SecretRef("red", "token")
    users_of.change("red", "es", (), STORES)
    users_of.change("red", "es", STORES, ())
    targets.change("red", "es", "", "secret")
    targets.change("red", "es", "secret", "")
    states.count(STORES, "True", 1)
    states.count(STORES, "True", -1)
    naming.change(STORES[0], (), (ref,))
    naming.change(STORES[0], (ref,), ())
    templates.count("red", ("token",), 1)
    templates.count("red", ("token",), -1)
    counts.count("red", "manual", 1)
    counts.count("red", "manual", -1)
    held = [vars(one) for one in (users_of, targets, states, naming, templates, counts)]
    assert [value for each in held for value in each.values()] == [{}] * len(held)
