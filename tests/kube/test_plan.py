"""Plans of plain specs are worked out once: no spec gets the plan of another."""

from __future__ import annotations

import msgspec
import pytest

from exporter.kube.wire import OwnerKeys
from exporter.kube.wire_externalsecret import ExternalSecretWire, converter

OTHER = {"storeRef": {"name": "other", "kind": "ClusterSecretStore"}}
ALTERNATIVES: dict[str, list] = {
    "secretStoreRef": [
        {"name": "vault"},
        {"name": "vault", "kind": "SecretStore"},
        {"name": "vault", "kind": "ClusterSecretStore"},
        {"name": "other", "kind": "ClusterSecretStore"},
        {},
        None,
    ],
    "refreshInterval": [None, "1h", "60m", "1m", "0", "soon"],
    "refreshPolicy": ["", "Periodic", "CreatedOnce", "OnChange"],
    "target": [
        None,
        {},
        {"creationPolicy": "Merge"},
        {"creationPolicy": "None"},
        {"deletionPolicy": "Delete"},
        {"immutable": True},
        {"template": {"data": {"url": "x"}}},
        {"template": {"mergePolicy": "Merge", "data": {"url": "x"}}},
        {"template": {"templateFrom": [{"secret": {"name": "tpl"}}]}},
        {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}},
    ],
    "data": [
        None,
        [],
        [{"secretKey": "user"}],
        [{"secretKey": "password"}, {"secretKey": "user"}],
        [{"secretKey": "user", "sourceRef": OTHER}],
        [{"secretKey": "user", "sourceRef": {}}],
    ],
    "dataFrom": [
        None,
        [{}],
        [{"sourceRef": OTHER}],
        [{"sourceRef": {"generatorRef": {"kind": "VaultDynamicSecret", "name": "g"}}}],
    ],
    "syncWindows": [
        None,
        {"kind": "allow", "windows": [{"schedule": "0 1 * * *", "duration": "1h"}]},
        {"kind": "deny", "windows": [{"schedule": "0 1 * * *", "duration": "1h"}]},
    ],
}
PLAIN = {
    "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
    "refreshInterval": "1h",
    "target": {"name": "db"},
    "data": [{"secretKey": "password"}],
}


def wire(spec: dict, namespace: str) -> ExternalSecretWire:
    whole = {"metadata": {"name": "db", "namespace": namespace}, "spec": spec}
    return msgspec.json.decode(msgspec.json.encode(whole), type=ExternalSecretWire)


@pytest.mark.parametrize("field", ALTERNATIVES)
def test_specs_that_differ_in_one_thing(field):
    together = converter(OwnerKeys((), 63))
    for value in ALTERNATIVES[field]:
        for namespace in ("shop", "mail"):
            one = wire({**PLAIN, field: value}, namespace)
            assert together(one, None) == converter(OwnerKeys((), 63))(one, None)


def test_equal_plans_are_one():
    convert = converter(OwnerKeys((), 63))
    plans = [convert(wire(PLAIN, namespace), None).plan for namespace in ("shop", "mail")]
    assert plans[0] is plans[1]
    in_windows = {**PLAIN, "syncWindows": ALTERNATIVES["syncWindows"][1]}
    plans = [convert(wire(in_windows, namespace), None).plan for namespace in ("shop", "mail")]
    assert plans[0] is plans[1]
