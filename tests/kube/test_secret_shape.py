"""Facts of a Secret that are taken from its shape are those that its own metadata gives."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.config.settings import OwnerSettings, OwnershipRule, OwnershipSettings, Settings
from exporter.eso.identity import field_manager
from exporter.eso.ownership import Creators
from exporter.kube import wire_secret
from exporter.kube.resource import Cells
from exporter.kube.wire import OwnerKeys
from exporter.kube.wire_secret import wire_type
from tests.judge.test_corpus import ENTRIES, make

RULES = (
    OwnershipRule("mine", "controller", label="tier=gold", manager="robot-*"),
    OwnershipRule("there", "gitops", namespace="team-*", secret="db-*"),
    OwnershipRule("named", "helm", secret="exactly", namespace="shop"),
    OwnershipRule("globbed", "controller", label="*.example.com/made"),
    OwnershipRule("noted", "gitops", annotation="example.com/noted"),
    OwnershipRule("owned", "controller", owner_kind="Robot.example.com"),
)
SETTINGS = {
    "shipped": Settings(),
    "extended": Settings(
        ownership=OwnershipSettings(rules=RULES), owner=OwnerSettings(keys=("team", "example.com/owner"))
    ),
    "eso's managers told apart": Settings(
        ownership=OwnershipSettings(rules=(OwnershipRule("some", "gitops", manager="*/db"),))
    ),
}
NAMES = st.sampled_from(
    ["db", "db-1", "exactly", "sh.helm.release.v1.db.v1", "sh.helm.release.v1.db-admission", "db-admission"]
)
LABELS = st.dictionaries(
    st.sampled_from(
        [
            "tier",
            "team",
            "owner",
            "app.kubernetes.io/managed-by",
            "x.example.com/made",
            "reconcile.external-secrets.io/managed",
            "reconcile.external-secrets.io/created-by",
        ]
    ),
    st.sampled_from(["", "true", "gold", "helm", "Helm", "kyverno"]),
    max_size=3,
)
ANNOTATIONS = st.dictionaries(
    st.sampled_from(
        [
            "reconcile.external-secrets.io/data-hash",
            "meta.helm.sh/release-name",
            "cert-manager.io/certificate-name",
            "example.com/noted",
            "example.com/owner",
            "vault-eso-exporter/accepted-because",
            "kubectl.kubernetes.io/last-applied-configuration",
        ]
    ),
    st.sampled_from(["a", "b", json.dumps({"kind": "Secret", "data": {"password": "x"}})]),
    max_size=2,
)
FIELDS = st.sampled_from(
    [
        {},
        {"f:data": {}},
        {"f:data": {".": {}, "f:password": {}}},
        {"f:data": {".": {}, "f:password": {}, "f:user": {}}, "f:metadata": {"f:labels": {"f:tier": {}}}},
        {"f:data": {".": {}, "f:user": {}}, "f:metadata": {"f:ownerReferences": {'k:{"uid":"1"}': {}}}},
        {"f:data": {"f:password": {"f:deeper": {}}, "f:user": {}}},
        {"f:metadata": {"f:annotations": {}}, "f:data": {"f:last": {}}},
        {"f:data": {"f:a}}": {}, "f:b": {}}},
    ]
)
MANAGERS = st.sampled_from(
    [
        "kubectl-create",
        "helm",
        "robot-1",
        "argocd-controller",
        "controller",
        field_manager("db"),
        field_manager("other"),
    ]
)
ENTRY = st.fixed_dictionaries(
    {"manager": MANAGERS, "time": st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"]), "fieldsV1": FIELDS}
)
OWNERS = st.lists(
    st.sampled_from(
        [
            {"kind": "ExternalSecret", "apiVersion": "external-secrets.io/v1", "name": "db", "uid": "1"},
            {"kind": "ExternalSecret", "apiVersion": "external-secrets.io/v1beta1", "name": "other", "uid": "2"},
            {"kind": "ExternalSecret", "apiVersion": "example.com/v1", "name": "db", "uid": "3"},
            {"kind": "Robot", "apiVersion": "example.com/v1", "name": "r", "uid": "4"},
            {"kind": "Deployment", "apiVersion": "apps/v1", "name": "d", "uid": "5"},
        ]
    ),
    max_size=2,
)
METADATA = st.fixed_dictionaries(
    {
        "name": NAMES,
        "namespace": st.sampled_from(["shop", "team-1", "kube-system"]),
        "creationTimestamp": st.just("2026-01-01T00:00:00Z"),
        "labels": st.none() | LABELS,
        "annotations": st.none() | ANNOTATIONS,
        "ownerReferences": st.none() | OWNERS,
        "managedFields": st.none() | st.lists(ENTRY, max_size=2),
    },
    optional={"deletionTimestamp": st.just("2026-03-03T00:00:00Z")},
)
SECRET = st.tuples(
    METADATA,
    st.builds(Cells, st.sampled_from([None, "Opaque", "helm.sh/release.v1"]), st.sampled_from([None, 0, 1, 2])),
)


def converter(chosen: Settings):
    creators = Creators(chosen.ownership.rules)
    owners = OwnerKeys(chosen.owner.keys, chosen.owner.max_length)
    wire, convert = wire_type(creators, owners), wire_secret.converter(creators, owners)
    return lambda metadata, cells: convert(
        msgspec.json.decode(json.dumps({"metadata": metadata}, separators=(",", ":")), type=wire), cells
    )


def both(name: str, secrets: list) -> None:
    """One converter for all of them gives what a new one for each gives, which has seen no other."""
    together = converter(SETTINGS[name])
    for metadata, cells in secrets:
        assert together(metadata, cells) == converter(SETTINGS[name])(metadata, cells)


@given(st.sampled_from(sorted(SETTINGS)), st.lists(SECRET, min_size=2, max_size=8))
@settings(deadline=None, max_examples=150)
def test_secrets_seen_together(name, secrets):
    both(name, secrets)


def _entry(manager: str, fields: dict, time: str = "2026-01-01T00:00:00Z") -> dict:
    return {"manager": manager, "time": time, "fieldsV1": fields}


KEYS = {"f:data": {".": {}, "f:password": {}}}
MORE_KEYS = {"f:data": {".": {}, "f:password": {}, "f:user": {}}}
DEEP = {"f:data": {"f:password": {"f:deeper": {}}, "f:user": {}}}
DEEPER = {"f:data": {"f:password": {"f:deeper": {}}, "f:other": {}}}
LATE = {"f:a": {}, "f:data": {"f:late": {}}}
MANAGED = {"reconcile.external-secrets.io/managed": "true"}
MADE = {**MANAGED, "reconcile.external-secrets.io/created-by": "someone"}
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OF_ESO = [{"kind": "ExternalSecret", "apiVersion": "external-secrets.io/v1", "name": "db", "uid": "1"}]
OF_ROBOT = [{"kind": "Robot", "apiVersion": "example.com/v1", "name": "r", "uid": "4"}]
MANIFEST = json.dumps({"kind": "Secret", "data": {"password": "x"}}, separators=(",", ":"))
ALTERNATIVES: dict[str, list] = {
    "name": ["db", "db-1", "exactly", "sh.helm.release.v1.db.v1", "sh.helm.release.v1.db-admission", "db-admission"],
    "namespace": ["shop", "team-1", "kube-system"],
    "labels": [
        None,
        MANAGED,
        {"reconcile.external-secrets.io/managed": "false"},
        MADE,
        {**MANAGED, "reconcile.external-secrets.io/created-by": ""},
        {"tier": "gold"},
        {"tier": "tin"},
        {"team": "a"},
        {"team": "b"},
        {"owner": "helm"},
        {"owner": "me"},
        {"x.example.com/made": ""},
        {"app.kubernetes.io/managed-by": "kyverno"},
        {"app.kubernetes.io/managed-by": "me"},
    ],
    "annotations": [
        None,
        {"reconcile.external-secrets.io/data-hash": "1"},
        {"meta.helm.sh/release-name": "a"},
        {"cert-manager.io/certificate-name": "a"},
        {"example.com/noted": "a"},
        {"example.com/owner": "a"},
        {"example.com/owner": "b"},
        {"vault-eso-exporter/accepted-because": "a"},
        {"vault-eso-exporter/accepted-because": "b"},
        {"vault-eso-exporter/accepted-because": "a", "vault-eso-exporter/accepted-by": "me"},
        {APPLIED: "{}"},
        {APPLIED: MANIFEST},
    ],
    "ownerReferences": [None, OF_ESO, OF_ROBOT, [*OF_ROBOT, *OF_ESO], [{**OF_ESO[0], "apiVersion": "example.com/v1"}]],
    "managedFields": [
        None,
        *(
            [_entry(manager, fields)]
            for manager in ("kubectl-create", "helm", "robot-1", "argocd-controller", "controller")
            for fields in (KEYS, MORE_KEYS, {})
        ),
        *(
            [_entry(field_manager(name), fields)]
            for name in ("db", "other")
            for fields in (KEYS, MORE_KEYS, {}, {"f:data": {}}, DEEP, DEEPER, LATE)
        ),
        [_entry(field_manager("db"), KEYS), _entry("kubectl-edit", KEYS, "2026-02-02T00:00:00Z")],
        [_entry(field_manager("db"), KEYS), _entry("kubectl-edit", MORE_KEYS, "2026-02-02T00:00:00Z")],
    ],
    "deletionTimestamp": [None, "2026-03-03T00:00:00Z"],
    "cells": [Cells(None, None), Cells("Opaque", 0), Cells("Opaque", 1), Cells("helm.sh/release.v1", 1)],
}
BASES: list[dict] = [
    {"managedFields": [_entry("kubectl-create", KEYS)]},
    {"managedFields": [_entry("helm", {})], "name": "sh.helm.release.v1.db.v1", "labels": {"owner": "helm"}},
    {"managedFields": [_entry("robot-1", KEYS)], "labels": {"tier": "gold"}},
    {"managedFields": [_entry(field_manager("db"), KEYS)], "labels": MADE, "ownerReferences": OF_ESO},
    {"managedFields": [_entry(field_manager("db"), KEYS)], "labels": MANAGED},
    {"managedFields": [_entry(field_manager("db"), DEEP)], "labels": MANAGED},
    {"managedFields": [_entry(field_manager("db"), LATE)], "labels": MANAGED},
    {"ownerReferences": OF_ROBOT},
    {"namespace": "team-1"},
    {"name": "exactly", "annotations": {"meta.helm.sh/release-name": "a"}},
]


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("field", ALTERNATIVES)
def test_secrets_that_differ_in_one_thing(name, field):
    """Where one shape would stand for two, were something left out of it."""
    for base in BASES:
        together = converter(SETTINGS[name])  # of two with one shape, the second gets the facts of the first
        for value in ALTERNATIVES[field]:
            metadata = {"name": "db", "namespace": "shop", "cells": Cells("Opaque", 1), **base, field: value}
            cells = metadata.pop("cells")
            assert together(metadata, cells) == converter(SETTINGS[name])(metadata, cells)


def test_the_corpus_seen_together():
    secrets = [(make(entry[2])["metadata"], Cells(entry[2].get("type", "Opaque"), 1)) for entry in ENTRIES]
    for name in SETTINGS:
        both(name, [*secrets, *reversed(secrets)])


@example(count=300)
@given(st.integers(2, 50))
@settings(deadline=None, max_examples=5)
def test_secrets_of_one_maker_share_their_facts(count):
    convert = converter(Settings())
    found = set()
    for number in range(count):
        labels = {
            "reconcile.external-secrets.io/managed": "true",
            "reconcile.external-secrets.io/created-by": f"{number}",
        }
        fields = {
            "f:data": {".": {}, "f:password": {}},
            "f:metadata": {"f:ownerReferences": {f'k:{{"uid":"{number}"}}': {}}},
        }
        owner = {
            "kind": "ExternalSecret",
            "apiVersion": "external-secrets.io/v1",
            "name": f"e{number}",
            "uid": str(number),
        }
        metadata = {
            "name": f"s{number}",
            "namespace": "shop",
            "labels": labels,
            "annotations": {"reconcile.external-secrets.io/data-hash": str(number)},
            "ownerReferences": [owner],
            "managedFields": [
                {"manager": field_manager(f"e{number}"), "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}
            ],
        }
        found.add(id(convert(metadata, Cells("Opaque", 1)).facts))
    assert len(found) == 1
