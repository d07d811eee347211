"""Each problem of an ExternalSecret: one test that makes it appear and one that keeps it away; object in, text out."""

from __future__ import annotations

import pytest

from tests.world import NOW, World, external_secret, lines, owned, secret, store


@pytest.fixture
def world() -> World:
    world = World()
    world.namespace("shop")
    world.add("clustersecretstores", store())
    return world


def healthy(world: World, **given: object) -> None:
    world.add("externalsecrets", external_secret(**given))
    world.add("secrets", owned())


def test_a_healthy_one_tells_everything_and_has_no_problem(world: World) -> None:
    healthy(world)
    s = 'store_kind="ClusterSecretStore",store_namespace="",store="vault-backend",vault="main"'
    got = [line for line in world.samples() if line.startswith("eso_externalsecret")]
    assert got == lines(f"""
        eso_externalsecret_info{{namespace="shop",name="db",{s},target="db",refresh_policy="Periodic",creation_policy="Owner",deletion_policy="Retain",cluster_externalsecret="",owner=""}} 1
        eso_externalsecret_store_info{{namespace="shop",name="db",{s}}} 1
        eso_externalsecret_ready{{namespace="shop",name="db",{s}}} 1
        eso_externalsecret_status_info{{namespace="shop",name="db",status="True",reason="SecretSynced"}} 1
        eso_externalsecret_created_timestamp_seconds{{namespace="shop",name="db"}} 1779996000
        eso_externalsecret_ready_transition_timestamp_seconds{{namespace="shop",name="db"}} 1779997000
        eso_externalsecret_last_sync_timestamp_seconds{{namespace="shop",name="db"}} 1779999940
        eso_externalsecret_last_sync_age_seconds{{namespace="shop",name="db"}} 60
        eso_externalsecret_next_sync_timestamp_seconds{{namespace="shop",name="db"}} 1780003540
        eso_externalsecret_refresh_interval_seconds{{namespace="shop",name="db"}} 3600
        eso_externalsecret_sync_deadline_timestamp_seconds{{namespace="shop",name="db"}} 1780007140
    """)
    world.wait(60)
    assert world.problems() == set()


def test_ready_false_is_zero_and_says_why(world: World) -> None:
    healthy(world, ready="False", transition=NOW - 120)
    s = 'store_kind="ClusterSecretStore",store_namespace="",store="vault-backend",vault="main"'
    assert world.samples(
        "eso_externalsecret_ready", "eso_externalsecret_problem", "eso_externalsecret_status_info"
    ) == lines(f"""
        eso_externalsecret_ready{{namespace="shop",name="db",{s}}} 0
        eso_externalsecret_status_info{{namespace="shop",name="db",status="False",reason="SecretSyncedError"}} 1
        eso_externalsecret_problem{{namespace="shop",name="db",{s},problem="not_ready",error="unknown"}} 1
    """)
    assert world.samples("eso_problem_since_timestamp_seconds") == lines("""
        eso_problem_since_timestamp_seconds{kind="externalsecret",namespace="shop",name="db",node="",problem="not_ready",basis="object"} 1779999880
    """)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("target is owned by another ExternalSecret", "owned_by_other"),
        ("failed to take ownership of target secret", "ownership_conflict"),
        ("could not update secret, target is immutable", "immutable_target"),
        ("could not delete secret", "delete_conflict"),
        ("invalid generic target", "invalid_target"),
    ],
)
def test_what_eso_never_retries_has_its_own_class(world: World, message: str, error: str) -> None:
    healthy(world, ready="False", message=message)
    assert f'problem="not_ready",error="{error}"' in world.samples("eso_externalsecret_problem")[0]


def test_unknown_and_no_condition_count_as_not_ready(world: World) -> None:
    healthy(world, ready="")
    assert world.samples("eso_externalsecret_ready")[0].endswith(" 0")
    assert 'status="none",reason=""' in world.samples("eso_externalsecret_status_info")[0]
    healthy(world, ready="Unknown")
    assert world.samples("eso_externalsecret_ready")[0].endswith(" 0")


def test_an_unknown_reason_never_becomes_a_label(world: World) -> None:
    healthy(world, reason="SomethingNew")
    assert 'reason="other"' in world.samples("eso_externalsecret_status_info")[0]


class TestNeverSynced:
    def test_appears_five_minutes_after_creation_without_any_event(self, world: World) -> None:
        world.add("externalsecrets", external_secret(synced=None, ready="", created=NOW - 10))
        assert world.problems() == set()
        world.wait(288)
        assert world.problems() == set()
        world.wait(4)
        assert world.problems() == {"never_synced"}
        assert not world.samples(
            "eso_externalsecret_last_sync_timestamp_seconds", "eso_externalsecret_last_sync_age_seconds"
        )

    def test_a_failure_from_the_beginning_counts_as_well(self, world: World) -> None:
        world.add("externalsecrets", external_secret(synced=None, ready="False", created=NOW - 400))
        assert world.problems() == {"not_ready", "never_synced"}

    def test_a_sync_without_any_condition_is_not_believed(self, world: World) -> None:
        healthy(world, ready="", created=NOW - 400)
        assert world.problems() == {"never_synced"}

    def test_stays_away_once_it_was_synced(self, world: World) -> None:
        healthy(world, ready="False", created=NOW - 400)
        assert world.problems() == {"not_ready"}

    def test_stays_away_for_a_store_of_another_controller(self, world: World) -> None:
        world.add("clustersecretstores", store(controller="elsewhere", ready=""))
        world.add("externalsecrets", external_secret(synced=None, ready="", created=NOW - 4000))
        assert world.problems() == set()


class TestOverdue:
    def test_appears_when_its_deadline_passes(self, world: World) -> None:
        healthy(world)
        assert world.problems() == set()
        world.wait(7139)
        assert world.problems() == set()
        world.wait(3)
        assert world.problems() == {"overdue"}
        assert 'problem="overdue",basis="object"} 1780007140' in world.samples("eso_problem_since_timestamp_seconds")[0]

    @pytest.mark.parametrize(
        "given", [{"refresh_policy": "CreatedOnce"}, {"refresh_policy": "OnChange"}, {"interval": "0"}]
    )
    def test_stays_away_where_nothing_is_due(self, world: World, given: dict[str, str]) -> None:
        healthy(world, **given)
        world.wait(1_000_000)
        assert "overdue" not in world.problems()
        assert not world.samples(
            "eso_externalsecret_sync_deadline_timestamp_seconds", "eso_externalsecret_next_sync_timestamp_seconds"
        )
        assert world.samples("eso_externalsecret_refresh_interval_seconds")[0].endswith(" 0")

    def test_stays_away_while_not_ready(self, world: World) -> None:
        healthy(world, ready="False")
        world.wait(100_000)
        assert world.problems() == {"not_ready"}

    def test_a_sync_takes_it_back(self, world: World) -> None:
        healthy(world)
        world.wait(8000)
        assert world.problems() == {"overdue"}
        healthy(world, synced=world.now)
        assert world.problems() == set()


class TestSpecNotApplied:
    def test_appears_after_the_slack(self, world: World) -> None:
        healthy(world, version="1-" + "0" * 56)
        assert world.problems() == set()
        world.wait(901)
        assert world.problems() == {"spec_not_applied"}

    def test_stays_away_when_applied_in_the_old_hash_form(self, world: World) -> None:
        healthy(world, version="1-2f2c636d06132f67992c15a1daeb0a5f")
        assert world.problems() == set()
        world.wait(901)
        assert world.problems() == set()

    def test_stays_away_for_created_once(self, world: World) -> None:
        healthy(world, version="1-" + "0" * 56, refresh_policy="CreatedOnce")
        assert world.problems() == set()
        world.wait(901)
        assert world.problems() == set()

    def test_stays_away_while_not_ready(self, world: World) -> None:
        healthy(world, version="1-" + "0" * 56, ready="False")
        assert world.problems() == {"not_ready"}
        world.wait(901)
        assert world.problems() == {"not_ready"}


class TestTargetMissing:
    def test_appears_ten_seconds_after_it_was_missed(self, world: World) -> None:
        world.add("externalsecrets", external_secret())
        assert world.problems() == set()
        world.wait(12)
        assert world.problems() == {"target_missing"}
        world.add("secrets", owned())
        assert world.problems() == set()

    def test_appears_when_the_secret_is_deleted(self, world: World) -> None:
        healthy(world)
        assert world.problems() == set()
        world.remove("secrets", "db", "shop")
        assert world.problems() == set()
        world.wait(12)
        assert world.problems() == {"target_missing"}

    @pytest.mark.parametrize("policy", ["Merge", "None"])
    def test_stays_away_where_eso_does_not_create(self, world: World, policy: str) -> None:
        world.add("externalsecrets", external_secret(policy=policy))
        world.samples()
        world.wait(12)
        assert "target_missing" not in world.problems()

    def test_is_not_judged_while_secrets_are_unknown(self) -> None:
        world = World(known=("externalsecrets", "secretstores", "clustersecretstores", "namespaces"))
        world.add("clustersecretstores", store())
        world.add("externalsecrets", external_secret())
        world.samples()
        world.wait(12)
        assert world.problems() == set()

    def test_stays_away_for_a_target_that_is_no_secret(self, world: World) -> None:
        manifest = {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}
        world.add("externalsecrets", external_secret(spec_target=manifest))
        world.samples()
        world.wait(12)
        assert world.problems() == set()


class TestTargetKeysMissing:
    def test_appears_when_a_promised_key_is_not_among_the_names(self, world: World) -> None:
        world.add("externalsecrets", external_secret(keys=("password", "user")))
        world.add("secrets", owned(keys=("password",)))
        world.samples()
        world.wait(12)
        assert world.problems() == {"target_keys_missing"}

    def test_names_count_where_they_are_known_not_how_many(self, world: World) -> None:
        world.add("externalsecrets", external_secret(keys=("password", "user")))
        world.add("secrets", owned(keys=("password", "other")))
        world.samples()
        world.wait(12)
        assert world.problems() == {"target_keys_missing"}
        [problem] = world.groups.problems["externalsecret", "shop", "db"]
        assert problem.evidence == ("user",)

    def test_appears_when_there_are_fewer_keys_than_promised(self, world: World) -> None:
        world.add("externalsecrets", external_secret(keys=("password", "user")))
        world.add("secrets", owned(keys=()), keys=1)
        world.samples()
        world.wait(12)
        assert world.problems() == {"target_keys_missing"}

    def test_a_template_promises_its_own_keys_only(self, world: World) -> None:
        template = {"template": {"data": {"url": "…"}}}
        world.add("externalsecrets", external_secret(keys=("password", "user"), spec_target=template))
        world.add("secrets", owned(keys=("url",)))
        world.samples()
        world.wait(12)
        assert world.problems() == set()


@pytest.mark.parametrize(
    ("reason", "message", "problem"),
    [
        ("SecretDeleted", "secret deleted due to DeletionPolicy=Delete", "deleted_by_policy"),
        ("SecretMissing", "secret will not be created due to CreationPolicy=Merge", "merge_target_missing"),
        ("SecretSynced", "secret retained due to DeletionPolicy=Retain", "retained_empty"),
    ],
)
def test_silent_states_of_ready_true(world: World, reason: str, message: str, problem: str) -> None:
    world.add("externalsecrets", external_secret(reason=reason, message=message))
    world.samples()
    world.wait(12)
    assert world.problems() == {problem}


def test_an_immutable_target_can_never_change(world: World) -> None:
    healthy(world, spec_target={"immutable": True})
    assert world.problems() == {"immutable_target"}


def test_an_immutable_target_that_is_not_there_yet_is_no_problem(world: World) -> None:
    world.add("externalsecrets", external_secret(spec_target={"immutable": True}))
    assert world.problems() == set()


def test_creation_policy_none_writes_nothing(world: World) -> None:
    healthy(world, policy="None")
    assert world.problems() == {"nothing_written"}


class TestTargetShared:
    def test_two_owners_of_one_secret(self, world: World) -> None:
        healthy(world)
        world.add("externalsecrets", external_secret("second", target="db"))
        world.samples()
        world.wait(12)
        assert world.problems() == {"target_shared"}
        world.remove("externalsecrets", "second", "shop")
        assert world.problems() == set()

    def test_one_that_writes_nothing_shares_nothing(self, world: World) -> None:
        healthy(world)
        world.add("externalsecrets", external_secret("second", target="db", policy="None"))
        world.samples()
        world.wait(12)
        assert world.problems() == {"nothing_written"}

    def test_two_manifests_of_one_name_are_no_secret(self, world: World) -> None:
        manifest = {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}
        for name in ("one", "two"):
            world.add("externalsecrets", external_secret(name, target="db", spec_target=manifest))
        world.samples()
        world.wait(12)
        assert world.problems() == set()

    def test_secrets_of_one_name_in_two_namespaces_are_two(self, world: World) -> None:
        healthy(world)
        world.namespace("mail")
        world.add("externalsecrets", external_secret(namespace="mail"))
        world.add("secrets", owned(namespace="mail"))
        world.samples()
        world.wait(12)
        assert world.problems() == set()

    def test_two_that_merge_different_keys_get_along(self, world: World) -> None:
        world.add("secrets", secret())
        world.add("externalsecrets", external_secret("one", target="db", policy="Merge", keys=("a",)))
        world.add("externalsecrets", external_secret("two", target="db", policy="Merge", keys=("b",)))
        world.samples()
        world.wait(12)
        assert "target_shared" not in world.problems()
        world.add("externalsecrets", external_secret("two", target="db", policy="Merge", keys=("a",)))
        world.samples()
        world.wait(12)
        assert "target_shared" in world.problems()

    @pytest.mark.parametrize("policy", ["Orphan", "Owner", "CreateOrMerge"])
    def test_one_that_merges_and_one_that_writes_the_same_keys(self, world: World, policy: str) -> None:
        """ESO says Ready of both where neither is the Secret's owner, and each undoes what the other wrote."""
        world.add("secrets", secret())
        for keys, shared in ((("b",), False), (("a", "b"), True)):
            world.add("externalsecrets", external_secret("one", target="db", policy="Merge", keys=("a",)))
            world.add("externalsecrets", external_secret("two", target="db", policy=policy, keys=keys))
            world.samples()
            world.wait(12)
            assert ("target_shared" in world.problems()) is shared


class TestStores:
    def test_a_store_that_does_not_exist(self, world: World) -> None:
        world.remove("clustersecretstores", "vault-backend")
        healthy(world)
        assert world.problems() == set()
        world.wait(12)
        assert world.problems() == {"store_missing"}
        assert 'store="vault-backend",vault=""' in world.samples("eso_externalsecret_ready")[0]
        world.add("clustersecretstores", store())
        assert world.problems() == set()

    def test_a_store_that_is_not_ready(self, world: World) -> None:
        healthy(world)
        world.add("clustersecretstores", store(ready="False", transition=NOW - 7))
        assert world.problems() == {"store_not_ready"}
        assert f'problem="store_not_ready",basis="object"}} {int(NOW - 7)}' in "\n".join(
            world.samples("eso_problem_since_timestamp_seconds")
        )

    def test_is_not_judged_while_stores_are_unknown(self) -> None:
        world = World(known=("externalsecrets", "secrets", "secretstores", "namespaces"))
        healthy(world)
        world.samples()
        world.wait(12)
        assert world.problems() == set()

    def test_a_store_of_another_controller_is_not_ours_to_call_unready(self, world: World) -> None:
        world.add("clustersecretstores", store(ready="False", controller="elsewhere"))
        healthy(world)
        assert world.problems() == set()

    def test_each_store_it_reads_from_counts(self, world: World) -> None:
        spec = {"data": [{"secretKey": "a", "remoteRef": {"key": "x"}, "sourceRef": {"storeRef": {"name": "own"}}}]}
        world.add("externalsecrets", external_secret(spec=spec, keys=()))
        world.add("secrets", owned(keys=("a",)))
        world.samples()
        world.wait(12)
        assert world.problems() == {"store_missing"}
        got = world.samples("eso_externalsecret_store_info")
        assert got == [
            'eso_externalsecret_store_info{namespace="shop",name="db",store_kind="SecretStore",store_namespace="shop",store="own",vault=""} 1'
        ]


def test_a_deletion_that_hangs(world: World) -> None:
    healthy(world, deleting=NOW - 10)
    assert world.problems() == set()
    world.wait(592)
    assert world.problems() == {"deleting_stuck"}


def test_a_deleted_one_leaves_no_series(world: World) -> None:
    healthy(world, ready="False")
    assert [line for line in world.samples() if 'name="db"' in line]
    world.remove("externalsecrets", "db", "shop")
    world.remove("secrets", "db", "shop")
    assert [line for line in world.samples() if 'name="db"' in line or 'secret="db"' in line] == []


def test_nothing_is_told_before_the_first_complete_list() -> None:
    world = World(known=("namespaces",))
    world.add("externalsecrets", external_secret())
    assert [line for line in world.samples() if "externalsecret_" in line] == []
    world.known |= {"externalsecrets"}
    world.inventory.everything_changed()
    world.groups.enable(world.known)
    assert world.samples("eso_externalsecret_ready")
    world.known -= {"externalsecrets"}
    world.inventory.everything_changed()
    world.groups.enable(world.known)
    assert [line for line in world.samples() if "externalsecret_" in line] == []
