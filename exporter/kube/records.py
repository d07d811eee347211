"""Compact records: what is kept of an object, and nothing else.

Records are msgspec structs that Python's garbage collector need not track (`gc=False`): they hold strings, numbers and
tuples of these. Strings that repeat (namespaces, stores, policies, types) are interned while decoding. Times are Unix
seconds; None is "no such fact". No record holds a message, an annotation's text or a value.
"""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

import msgspec

from exporter.eso.schedule import SyncWindows


class StoreRef(NamedTuple):
    """Identity of a store: `kind` SecretStore or ClusterSecretStore; `namespace` is "" for the latter."""

    kind: str
    namespace: str
    name: str


class GeneratorRef(NamedTuple):
    """Identity of a generator: `kind` VaultDynamicSecret or ClusterGenerator; `namespace` is "" for the latter."""

    kind: str
    namespace: str
    name: str


Source = StoreRef | GeneratorRef
"""What an ExternalSecret reads from, and what may name the Secrets by which it is logged in."""


class SecretRef(NamedTuple):
    """A Secret or ServiceAccount that something names. `namespace` "" means the one of whoever uses the store."""

    namespace: str
    name: str


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What an ExternalSecret's spec asks for, apart from the target's name. Many ExternalSecrets share one of these.

    `store` is that of spec.secretStoreRef, else the only one its items name; `stores` are all it reads from;
    `generators` those of its generators that have Secrets of their own (see `GeneratorRef`). `promised` are the keys the
    spec names; `promised_all` tells whether these are all it writes. `interval` is in seconds.
    """

    store: StoreRef | None
    stores: tuple[StoreRef, ...]
    generators: tuple[GeneratorRef, ...]
    refresh_policy: str
    interval: float
    windows: SyncWindows | None
    creation_policy: str
    deletion_policy: str
    immutable: bool
    promised: tuple[str, ...]
    promised_all: bool
    template_secrets: tuple[str, ...]


class ExternalSecret(msgspec.Struct, frozen=True, gc=False):
    """An ExternalSecret.

    `target` is "" for a target that is no Secret. `applied` tells whether the current spec, labels and annotations are
    what ESO last applied (None: never synced). `detail` is the class of the Ready message (`eso.conditions`). `uid` is a
    64-bit hash.
    """

    namespace: str
    name: str
    uid: int
    created: float
    deleting: float | None
    plan: Plan
    target: str
    cluster_externalsecret: str
    owner: str
    status: str
    reason: str
    detail: str
    transition: float | None
    refreshed: float | None
    applied: bool | None


_BUT_REFRESHED = attrgetter(*(name for name in ExternalSecret.__struct_fields__ if name != "refreshed"))


def only_refreshed(old: ExternalSecret, new: ExternalSecret) -> bool:
    """Whether two records of one ExternalSecret differ in the time of the last sync at most."""
    return bool(_BUT_REFRESHED(old) == _BUT_REFRESHED(new))


class Store(msgspec.Struct, frozen=True, gc=False):
    """A SecretStore or ClusterSecretStore (`namespace` "" for the latter).

    `foreign` tells that `spec.controller` names another controller class than ESO's default; `referent` that its auth
    takes the namespace of whoever uses it, so that ESO says Ready without having checked anything. `mount`, `kv_version`,
    `auth`, `server`, `ca` (PEM) are set for the vault and openBao providers. `secrets` and `accounts` are the Secrets
    and ServiceAccounts its spec names, found generically.
    """

    namespace: str
    name: str
    kind: str
    created: float
    deleting: float | None
    foreign: bool
    referent: bool
    provider: str
    server: str
    mount: str
    kv_version: str
    auth: str
    ca: bytes
    secrets: tuple[SecretRef, ...]
    accounts: tuple[SecretRef, ...]
    owner: str
    status: str
    reason: str
    transition: float | None

    @property
    def ref(self) -> StoreRef:
        """The identity ExternalSecrets name it by."""
        return StoreRef(self.kind, self.namespace, self.name)

    @property
    def ready(self) -> bool | None:
        """Whether ESO says Ready=True: False without a condition (fail closed), None where another controller has yet to say."""
        return self.status == "True" if self.status or not self.foreign else None


class Generator(msgspec.Struct, frozen=True, gc=False):
    """A VaultDynamicSecret or ClusterGenerator (`namespace` "" for the latter): only the Secrets its spec names."""

    namespace: str
    name: str
    kind: str
    secrets: tuple[SecretRef, ...]

    @property
    def ref(self) -> GeneratorRef:
        """The identity ExternalSecrets name it by."""
        return GeneratorRef(self.kind, self.namespace, self.name)


class PushSecret(msgspec.Struct, frozen=True, gc=False):
    """A PushSecret. `stores` are those it names and those its status says it pushed to (a selector names none itself).

    `error` is the class of the Ready message while it says False ("" otherwise).
    """

    namespace: str
    name: str
    created: float
    deleting: float | None
    stores: tuple[StoreRef, ...]
    interval: float
    status: str
    reason: str
    error: str
    transition: float | None
    refreshed: float | None


class Spread(msgspec.Struct, frozen=True, gc=False):
    """A ClusterExternalSecret or ClusterPushSecret: one object that ESO spreads over namespaces (`namespace` is "").

    `provisioned` and `failed` are numbers of namespaces; `failed_in` the first of the failed ones by name. Its status has
    no times.
    """

    namespace: str
    name: str
    created: float
    deleting: float | None
    status: str
    provisioned: int
    failed: int
    failed_in: tuple[str, ...]


class Failure(msgspec.Struct, frozen=True, gc=False):
    """The newest Warning Event of an ExternalSecret: `name` and `uid` (hashed) are the ExternalSecret's, not the Event's.

    `error` is the class of its message (`eso.errors`), `time` when it was last seen.
    """

    namespace: str
    name: str
    uid: int
    error: str
    time: float


class ServiceAccount(msgspec.Struct, frozen=True, gc=False):
    """A ServiceAccount: that it exists."""

    namespace: str
    name: str


class OperatorDeployment(msgspec.Struct, frozen=True, gc=False):
    """A Deployment of ESO itself. `component` is controller, webhook or cert-controller.

    `unavailable_since` is the transition time of its condition Available=False. `version` is "" when neither the image's
    tag nor the label tells one.
    """

    namespace: str
    name: str
    component: str
    desired: int
    ready: int
    unavailable_since: float | None
    version: str


class Namespace(msgspec.Struct, frozen=True, gc=False):
    """A Namespace: its name stands in both fields, `owner` comes from the configured label or annotation keys."""

    namespace: str
    name: str
    created: float
    deleting: float | None
    owner: str


class Acceptance(NamedTuple):
    """Somebody accepted this manual Secret, by annotations on it: `until` in Unix seconds, None for ever."""

    reason: str
    owner: str
    until: float | None


class Edit(NamedTuple):
    """Data keys of a Secret that a manager other than ESO owns, with a later entry (`at`, Unix seconds) than ESO's own."""

    manager: str
    keys: tuple[str, ...]
    at: float


class SecretFacts(msgspec.Struct, frozen=True, gc=False):
    """What is known of a Secret apart from its name and age. Many Secrets share one of these (they are interned).

    `keys` is the number of data keys (None: the API server did not say). `key_names` are names from managedFields.
    `marks` are ESO's marks on it, and whether it is being deleted (see `eso.ownership`). `rule` is the first rule of the table of other creators that
    fits, `rule_class` its class. `creator` is the class of the field manager that wrote its data, "" when none did.
    `created_by` is the label of that name where no owner reference tells the same: of few, for it differs from Secret to
    Secret. `edit` and `value_in_annotation` are decided while decoding; no text is kept.
    """

    type: str
    keys: int | None
    key_names: tuple[str, ...]
    marks: int
    rule: str
    rule_class: str
    creator: str
    created_by: str
    edit: Edit | None
    value_in_annotation: bool
    acceptance: Acceptance | None
    owner: str


class Owned(msgspec.Struct, frozen=True, gc=False):
    """What a controller owner reference to an ExternalSecret says: its name and its hashed uid."""

    name: str
    uid: int


class Secret(msgspec.Struct, gc=False):
    """A Secret's metadata. `owned` is the reference to the ExternalSecret that owns it. `created` (Unix seconds) is kept
    only where it may be told: for a Secret that neither ESO nor the table of creators explains; else 0.

    `ownership` is the one mutable slot: the class that the judge gave last ("" before), kept here because half a million
    of these must stay small. It takes no part in comparisons (see `same_secret`).
    """

    namespace: str
    name: str
    created: int
    facts: SecretFacts
    owned: Owned | None
    ownership: str = ""


def same_secret(old: Secret, new: Secret) -> bool:
    """Whether two records of one Secret tell the same, whatever the judge noted on them."""
    return (old.facts is new.facts or old.facts == new.facts) and old.created == new.created and old.owned == new.owned


def same_but_key_count(old: Secret, new: Secret) -> bool:
    """Whether two records of one Secret differ in the number of data keys at most.

    That number is looked at for ExternalSecrets that target the Secret, and only where its keys' names are unknown.
    """
    facts = old.facts
    return same_secret(old if facts.keys == new.facts.keys else _with_keys(old, new.facts.keys), new)


def _with_keys(secret: Secret, keys: int | None) -> Secret:
    return msgspec.structs.replace(secret, facts=msgspec.structs.replace(secret.facts, keys=keys))


def uid_hash(uid: str) -> int:
    """A uid as a 60-bit number: small, and stable within a process."""
    return hash(uid) >> 4
