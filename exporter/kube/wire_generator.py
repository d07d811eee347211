"""VaultDynamicSecret and ClusterGenerator: only the Secrets that their specs name. GeneratorStates are never asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from exporter.kube.records import Generator, SecretRef
from exporter.kube.references import references

VAULT_DYNAMIC_SECRET, CLUSTER_GENERATOR = "VaultDynamicSecret", "ClusterGenerator"

_KINDS_WITH_VALUES = frozenset({"Fake"})
"""Kinds of ClusterGenerators whose spec itself holds values: never looked into."""


class _Meta(msgspec.Struct, gc=False):
    name: str
    namespace: str = ""


_ABSENT = msgspec.Raw(b"null")


class _Spec(msgspec.Struct, gc=False):
    kind: str = ""
    provider: msgspec.Raw = _ABSENT
    generator: msgspec.Raw = _ABSENT


class GeneratorWire(msgspec.Struct, gc=False):
    """A generator as listed or watched: `spec.provider` of a VaultDynamicSecret, `spec.generator` of a ClusterGenerator."""

    metadata: _Meta
    spec: _Spec | None = None


def converter(kind: str) -> Callable[[GeneratorWire, object], Generator]:
    """Makes the function from wire to record for `kind`.

    A generator reads Secrets only in the namespace of the ExternalSecret that uses it, whatever namespace a reference
    names (seen in external-secrets v0.20.4, `resolvers.EmptyStoreKind`).
    """

    def convert(wire: GeneratorWire, _cells: object) -> Generator:
        meta, spec = wire.metadata, wire.spec or _Spec()
        own = sys.intern(meta.namespace)
        names = {ref.name for kind_, ref in references(_settings(spec)) if kind_ == "Secret"}
        return Generator(
            namespace=own,
            name=sys.intern(meta.name),
            kind=kind,
            secrets=tuple(SecretRef(own, name) for name in sorted(names)),
        )

    return convert


def _settings(spec: _Spec) -> Any:
    if spec.kind in _KINDS_WITH_VALUES:
        return None
    return [msgspec.json.decode(spec.provider), msgspec.json.decode(spec.generator)]
