"""Each class and each problem of a Secret, and the counts of its namespace."""

from __future__ import annotations

import json

import pytest

from exporter.config.settings import OwnershipException
from exporter.eso.identity import created_by, object_hash_md5
from exporter.judge.secret import Exceptions
from tests.world import NOW, World, at, external_secret, lines, owned, secret, store

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.fixture
def world() -> World:
    world = World()
    world.namespace("shop")
    world.add("clustersecretstores", store())
    return world


def class_of(world: World, name: str = "db") -> str:
    world.samples()
    record = world.inventory.secrets.get("shop", name)
    assert record is not None
    return record.ownership


def test_a_manual_secret_tells_who_made_it_and_when(world: World) -> None:
    world.add("secrets", secret(created=NOW - 1000))
    assert [line for line in world.samples() if line.startswith(("eso_manual", "eso_secret"))] == [
        line for line in world.samples() if line.startswith("eso_secretstore")
    ] + lines("""
        eso_secrets{namespace="shop",class="manual"} 1
        eso_manual_secrets{namespace="shop"} 1
        eso_manual_secret_info{namespace="shop",secret="db",type="Opaque",creator="kubectl-create",rule="human-manager",exception="",owner=""} 1
        eso_manual_secret_created_timestamp_seconds{namespace="shop",secret="db"} 1779999000
        eso_secret_problem{namespace="shop",secret="db",problem="manual"} 1
    """)


def test_a_namespace_without_secrets_is_a_zero_not_a_gap(world: World) -> None:
    assert world.samples("eso_manual_secrets") == ['eso_manual_secrets{namespace="shop"} 0']
    world.add("secrets", secret())
    world.remove("secrets", "db", "shop")
    assert world.samples("eso_manual_secrets", "eso_secrets") == lines("""
        eso_secrets{namespace="shop",class="manual"} 0
        eso_manual_secrets{namespace="shop"} 0
    """)


def test_a_namespace_that_goes_takes_its_series_with_it(world: World) -> None:
    world.add("secrets", secret())
    world.samples()
    world.remove("secrets", "db", "shop")
    world.remove("namespaces", "shop")
    assert world.samples("eso_manual_secrets", "eso_secrets", "eso_manual_secret_info") == []


def test_excluded_namespaces_are_not_judged() -> None:
    world = World(excluded=("kube-system",))
    world.namespace("kube-system", "shop")
    world.add("secrets", secret("x", "kube-system"))
    assert world.samples("eso_manual_secrets", "eso_secrets", "eso_manual_secret_info") == lines("""
        eso_secrets{namespace="shop",class="manual"} 0
        eso_manual_secrets{namespace="shop"} 0
    """)


@pytest.mark.parametrize("missing", ["externalsecrets", "secretstores", "clustersecretstores", "secrets"])
def test_nothing_is_counted_while_what_decides_is_unknown(missing: str) -> None:
    world = World()
    world.known.discard(missing)
    world.groups.enable(world.known)
    world.namespace("shop")
    world.add("secrets", secret())
    assert world.samples("eso_manual_secrets", "eso_secrets", "eso_manual_secret_info", "eso_secret_problem") == []


class TestEsoOwned:
    def test_by_owner_reference(self, world: World) -> None:
        world.add("externalsecrets", external_secret())
        world.add("secrets", owned())
        assert class_of(world) == "eso_owned"
        assert world.samples("eso_manual_secrets") == ['eso_manual_secrets{namespace="shop"} 0']

    @pytest.mark.parametrize("label", [created_by("shop", "db"), object_hash_md5("shop/db")])
    def test_by_the_created_by_label_in_both_hash_forms(self, world: World, label: str) -> None:
        world.add("externalsecrets", external_secret())
        world.add("secrets", secret(labels={"reconcile.external-secrets.io/created-by": label}))
        assert class_of(world) == "eso_owned"

    def test_not_by_a_created_by_label_of_another(self, world: World) -> None:
        world.add("externalsecrets", external_secret())
        world.add("secrets", secret(labels={"reconcile.external-secrets.io/created-by": created_by("shop", "other")}))
        assert class_of(world) == "manual"

    def test_marks_of_helm_argo_and_flux_copied_from_the_externalsecret_do_not_matter(self, world: World) -> None:
        world.add("externalsecrets", external_secret())
        world.add(
            "secrets",
            owned(
                labels={"app.kubernetes.io/managed-by": "Helm", "kustomize.toolkit.fluxcd.io/name": "x"},
                annotations={
                    "meta.helm.sh/release-name": "x",
                    "argocd.argoproj.io/tracking-id": "app:external-secrets.io/ExternalSecret:shop/db",
                },
            ),
        )
        assert class_of(world) == "eso_owned"


def eso_written(**given: object) -> dict[str, object]:
    """A Secret ESO wrote without owning it (Merge, Orphan)."""
    return secret(
        labels={"reconcile.external-secrets.io/managed": "true"},
        entries=(
            ("kubectl-create", NOW - 1000, ("own",)),
            ("externalsecrets.external-secrets.io/db", NOW - 900, ("password",)),
        ),
        **given,
    )


@pytest.mark.parametrize(
    ("policy", "expected"), [("Merge", "eso_merged"), ("CreateOrMerge", "eso_merged"), ("Orphan", "eso_orphan")]
)
def test_policies_that_write_without_owning(world: World, policy: str, expected: str) -> None:
    world.add("externalsecrets", external_secret(policy=policy))
    world.add("secrets", eso_written())
    assert class_of(world) == expected
    world.remove("externalsecrets", "db", "shop")
    assert class_of(world) == "eso_leftover"
    world.wait(12)
    assert world.problems("secret") == {"leftover"}


def test_policy_none_says_nothing_about_who_made_it(world: World) -> None:
    world.add("externalsecrets", external_secret(policy="None"))
    world.add("secrets", secret(labels={"reconcile.external-secrets.io/managed": "true"}))
    assert class_of(world) == "manual"


def test_a_secret_that_eso_has_not_taken_over_is_still_manual(world: World) -> None:
    world.add("secrets", secret())
    assert class_of(world) == "manual"
    world.add("externalsecrets", external_secret(ready="False"))
    assert class_of(world) == "manual"


def test_marks_copied_by_hand_do_not_hide_a_manual_secret(world: World) -> None:
    world.add("secrets", secret(labels={"reconcile.external-secrets.io/managed": "true"}))
    assert class_of(world) == "manual"
    world.wait(12)
    assert world.problems("secret") == {"manual", "copied_marks"}


class TestOwnerDangling:
    def test_owner_gone(self, world: World) -> None:
        world.add("secrets", owned())
        assert world.problems("secret") == set()
        world.wait(12)
        assert world.problems("secret") == {"owner_dangling"}
        world.add("externalsecrets", external_secret())
        assert world.problems("secret") == set()

    def test_another_object_of_the_same_name(self, world: World) -> None:
        world.add("externalsecrets", external_secret(uid="new"))
        world.add("secrets", owned(owner_uid="old"))
        world.samples()
        world.wait(12)
        assert world.problems("secret") == {"owner_dangling"}


class TestBootstrap:
    def test_a_credential_that_a_cluster_store_names(self, world: World) -> None:
        world.namespace("external-secrets")
        world.add("secrets", secret("vault-token", "external-secrets"))
        assert 'eso_secrets{namespace="external-secrets",class="bootstrap"} 1' in world.samples("eso_secrets")
        world.remove("clustersecretstores", "vault-backend")
        assert 'eso_secrets{namespace="external-secrets",class="manual"} 1' in world.samples("eso_secrets")

    def test_a_credential_that_a_namespaced_store_names(self, world: World) -> None:
        auth = {"appRole": {"path": "a", "roleId": "r", "secretRef": {"name": "db", "key": "id"}}}
        world.add("secrets", secret())
        assert class_of(world) == "manual"
        world.add("secretstores", store("own", "shop", provider={"vault": {"server": "https://v", "auth": auth}}))
        assert class_of(world) == "bootstrap"

    def test_a_reference_without_namespace_means_that_of_the_users(self, world: World) -> None:
        auth = {"tokenSecretRef": {"name": "db", "key": "token"}}
        world.add("secrets", secret())
        world.add("clustersecretstores", store("referent", provider={"vault": {"server": "https://v", "auth": auth}}))
        assert class_of(world) == "manual"
        use = {"secretStoreRef": {"name": "referent", "kind": "ClusterSecretStore"}}
        world.add("externalsecrets", external_secret("es", spec=use))
        assert class_of(world) == "bootstrap"

    def test_a_secret_that_a_template_reads(self, world: World) -> None:
        world.add("secrets", secret("tpl"))
        assert class_of(world, "tpl") == "manual"
        template = {"template": {"templateFrom": [{"secret": {"name": "tpl", "items": []}}]}}
        world.add("externalsecrets", external_secret(spec_target=template))
        assert class_of(world, "tpl") == "bootstrap"
        world.remove("externalsecrets", "db", "shop")
        assert class_of(world, "tpl") == "manual"


class TestExceptions:
    def test_a_valid_one_is_not_counted_as_surviving(self) -> None:
        world = World(exceptions=(OwnershipException("legacy", "shop", "d*", "until the vendor moves"),))
        world.namespace("shop")
        world.add("secrets", secret())
        assert world.samples("eso_secrets", "eso_manual_secrets") == lines("""
            eso_secrets{namespace="shop",class="manual"} 1
            eso_manual_secrets{namespace="shop"} 0
        """)
        assert 'exception="legacy"' in world.samples("eso_manual_secret_info")[0]
        assert world.problems("secret") == set()

    @pytest.mark.parametrize(("namespace", "name"), [("sh*", "dx"), ("mail", "d*"), ("*", "*x"), ("s", "db")])
    def test_namespace_and_name_must_both_fit(self, namespace: str, name: str) -> None:
        exceptions = Exceptions((OwnershipException("legacy", namespace, name, "why"),))
        world = World(exceptions=(OwnershipException("legacy", namespace, name, "why"),))
        world.namespace("shop")
        world.add("secrets", secret())
        assert world.problems("secret") == {"manual"}
        assert exceptions.unmatched([("shop", "db")]) == ["legacy"]
        assert exceptions.unmatched([("shop", "db"), ("shop", "dx"), ("mail", "db"), ("s", "db"), ("a", "x")]) == []

    def test_a_valid_one_stands_over_an_expired_one(self) -> None:
        old = OwnershipException("old", "shop", "*", "why", until=at(NOW - 864_000)[:10])
        new = OwnershipException("new", "shop", "db", "why", until=at(NOW + 864_000)[:10])
        world = World(exceptions=(old, new))
        world.namespace("shop")
        world.add("secrets", secret(), secret("other"))
        assert world.problems("secret") == {"manual", "exception_expired"}
        told = {line.split('secret="')[1].split('"')[0]: line for line in world.samples("eso_manual_secret_info")}
        assert 'exception="new"' in told["db"]
        assert 'exception=""' in told["other"]
        [problem] = [one for one in world.groups.problems["secret", "shop", "other"] if one.id == "exception_expired"]
        assert problem.evidence == ("old",)

    def test_it_says_nothing_of_secrets_that_are_not_manual(self) -> None:
        world = World(exceptions=(OwnershipException("all", "*", "*", "why", until=at(NOW - 864_000)[:10]),))
        world.namespace("shop")
        world.add("externalsecrets", external_secret())
        world.add("secrets", owned())
        assert world.problems("secret") == set()

    def test_past_its_date_it_counts_again_without_any_event(self) -> None:
        until = at(NOW)[:10]
        world = World(exceptions=(OwnershipException("legacy", "shop", "db", "why", until=until),))
        world.namespace("shop")
        world.add("secrets", secret())
        assert world.samples("eso_manual_secrets") == ['eso_manual_secrets{namespace="shop"} 0']
        world.wait(86_400)
        assert world.samples("eso_manual_secrets") == ['eso_manual_secrets{namespace="shop"} 1']
        assert world.problems("secret") == {"manual", "exception_expired"}

    def test_by_annotation_on_the_secret(self, world: World) -> None:
        until = at(NOW + 7200)
        marks = {"vault-eso-exporter/accepted-because": "vendor", "vault-eso-exporter/accepted-until": until}
        world.add("secrets", secret(annotations=marks))
        assert 'exception="annotation"' in world.samples("eso_manual_secret_info")[0]
        world.wait(7202)
        assert world.problems("secret") == {"manual", "exception_expired"}

    def test_an_unreadable_date_accepts_nothing(self, world: World) -> None:
        marks = {"vault-eso-exporter/accepted-because": "x", "vault-eso-exporter/accepted-until": "soon"}
        world.add("secrets", secret(annotations=marks))
        assert world.problems("secret") == {"manual", "exception_expired"}


class TestHandEdited:
    def test_a_key_that_somebody_else_wrote_after_eso(self, world: World) -> None:
        world.add("externalsecrets", external_secret())
        world.add("secrets", owned(entries=(("kubectl-patch", NOW - 10, ("password",)),), keys=()))
        assert world.problems("secret") == {"hand_edited"}
        [problem] = world.groups.problems["secret", "shop", "db"]
        assert (problem.since, problem.basis) == (NOW - 10, "object")
        assert problem.evidence == ("kubectl-patch", "password")
        world.add("secrets", owned())
        assert world.problems("secret") == set()

    def test_the_hand_over_of_a_manual_secret_is_no_edit(self, world: World) -> None:
        world.add("externalsecrets", external_secret())
        world.add("secrets", owned(entries=(("kubectl-create", NOW - 5000, ("password",)),), keys=()))
        assert world.problems("secret") == set()

    def test_foreign_keys_in_a_merged_secret_are_legitimate(self, world: World) -> None:
        world.add("externalsecrets", external_secret(policy="Merge"))
        entries = (
            ("externalsecrets.external-secrets.io/db", NOW - 900, ("password",)),
            ("kubectl-edit", NOW - 10, ("own",)),
        )
        labels = {"reconcile.external-secrets.io/managed": "true"}
        world.add("secrets", secret(labels=labels, entries=entries))
        assert world.problems("secret") == set()
        entries = (("externalsecrets.external-secrets.io/db", NOW - 900, ()), ("kubectl-edit", NOW - 10, ("password",)))
        world.add("secrets", secret(labels=labels, entries=entries))
        assert world.problems("secret") == {"hand_edited"}


class TestEditWar:
    def edited(self, world: World) -> None:
        world.add(
            "secrets", owned(entries=(("kubectl-edit", world.now, ("password",)),), keys=(), written=world.now - 5)
        )
        world.wait(20)
        world.add("secrets", owned(written=world.now))
        world.wait(20)

    def test_three_edits_that_eso_healed(self, world: World) -> None:
        world.add("externalsecrets", external_secret())
        self.edited(world)
        self.edited(world)
        assert world.problems("secret") == set()
        self.edited(world)
        assert world.problems("secret") == {"edit_war"}
        world.wait(600)
        assert world.problems("secret") == set()

    def test_one_edit_that_stays_is_no_war(self, world: World) -> None:
        world.add("externalsecrets", external_secret())
        for name in ("a", "b", "c", "d"):
            marks = {"note": name}
            entries = (("kubectl-edit", NOW - 10, ("password",)),)
            world.add("secrets", owned(labels=marks, entries=entries, keys=()))
        assert world.problems("secret") == {"hand_edited"}


class TestValueInAnnotation:
    def test_a_secret_manifest_with_data(self, world: World) -> None:
        manifest = json.dumps(
            {"apiVersion": "v1", "data": {"k": "cGxhbnRlZA=="}, "kind": "Secret"}, separators=(",", ":")
        )
        world.add("secrets", secret(annotations={LAST_APPLIED: manifest}))
        assert world.problems("secret") == {"manual", "value_in_annotation"}
        assert "cGxhbnRlZA" not in repr(world.inventory.secrets.get("shop", "db"))

    def test_the_manifest_of_an_externalsecret_is_harmless(self, world: World) -> None:
        manifest = json.dumps(
            {"kind": "ExternalSecret", "spec": {"data": [{"secretKey": "Secret"}]}}, separators=(",", ":")
        )
        world.add("externalsecrets", external_secret())
        world.add("secrets", owned(annotations={LAST_APPLIED: manifest}))
        assert world.problems("secret") == set()

    def test_a_secret_manifest_without_data_is_harmless(self, world: World) -> None:
        manifest = json.dumps({"kind": "Secret", "metadata": {}}, separators=(",", ":"))
        world.add("secrets", secret(annotations={LAST_APPLIED: manifest}))
        assert world.problems("secret") == {"manual"}


def test_unrecognised_managers_are_never_called_manual(world: World) -> None:
    world.add("secrets", secret(entries=(("my-operator", NOW - 10, ("k",)),)))
    assert class_of(world) == "unknown"
    assert world.samples("eso_manual_secrets") == ['eso_manual_secrets{namespace="shop"} 0']


def test_a_person_among_controllers_makes_it_manual(world: World) -> None:
    world.add("secrets", secret(entries=(("my-operator", NOW - 20, ("a",)), ("kubectl-edit", NOW - 10, ("b",)))))
    assert class_of(world) == "manual"
    assert 'creator="kubectl-edit"' in world.samples("eso_manual_secret_info")[0]


def test_a_type_of_somebodys_own_becomes_other(world: World) -> None:
    world.add("secrets", secret(), type_="vendor.example/odd")
    assert 'type="other"' in world.samples("eso_manual_secret_info")[0]
