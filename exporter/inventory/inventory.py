"""The inventory: records of every kind, the indexes between them, and which objects a change concerns.

An index answers "who else must be judged when this changes", so that the judged set of a change is small: a Secret's
change concerns the ExternalSecrets that write it, a store's the ExternalSecrets that use it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from exporter.inventory.changes import (
    CLUSTER_EXTERNALSECRET,
    CLUSTER_PUSHSECRET,
    EXTERNALSECRET,
    NAMESPACE,
    OPERATOR,
    PUSHSECRET,
    REFRESHED,
    SECRET,
    STORE,
    Changes,
)
from exporter.inventory.edits import EditTurns
from exporter.inventory.failures import Failures
from exporter.inventory.naming import Naming, Templates
from exporter.inventory.ownership import OwnershipCounts
from exporter.inventory.store import RecordStore
from exporter.inventory.targets import Targets
from exporter.inventory.users import Users, UserStates
from exporter.kube import resources
from exporter.kube.records import (
    ExternalSecret,
    Generator,
    Namespace,
    OperatorDeployment,
    Owned,
    PushSecret,
    Secret,
    SecretRef,
    ServiceAccount,
    Source,
    Spread,
    Store,
    StoreRef,
    only_refreshed,
    same_but_key_count,
    same_secret,
)
from exporter.kube.resource import Sink


class Inventory:
    """All records. Reflectors write through `sinks`; everyone else reads while holding `lock`, briefly."""

    def __init__(self) -> None:
        lock = self.lock = threading.RLock()
        self.externalsecrets = RecordStore[ExternalSecret](lock, self._externalsecret_changed)
        self.secretstores = RecordStore[Store](lock, self._store_changed)
        self.clustersecretstores = RecordStore[Store](lock, self._store_changed)
        self.pushsecrets = RecordStore[PushSecret](lock, self._pushsecret_changed)
        self.clusterexternalsecrets = RecordStore[Spread](lock, self._alone(CLUSTER_EXTERNALSECRET))
        self.clusterpushsecrets = RecordStore[Spread](lock, self._alone(CLUSTER_PUSHSECRET))
        self.vaultdynamicsecrets = RecordStore[Generator](lock, self._source_changed)
        self.clustergenerators = RecordStore[Generator](lock, self._source_changed)
        self.deployments = RecordStore[OperatorDeployment](lock, self._deployment_changed)
        self.serviceaccounts = RecordStore[ServiceAccount](lock, self._account_changed)
        self.namespaces = RecordStore[Namespace](lock, self._namespace_changed)
        self.secrets = RecordStore[Secret](lock, self._secret_changed, same_secret)
        self.failures = Failures(lock, self._fails, lambda namespace, name: self._note(EXTERNALSECRET, namespace, name))
        self.stores_generation = 0
        """Grows whenever a store changes: whoever derives something from all stores need only look then."""
        self._changes = Changes(everything=True)
        self._tracking = False
        self._targets = Targets()
        self._users = Users()
        self._user_states = UserStates()
        self._pushers = Users()
        self._secrets_named = Naming()
        self._accounts_named = Naming()
        self._templates = Templates()
        self._ownership = OwnershipCounts()
        self.edits = EditTurns()

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """Where each resource's reflector puts its records."""
        return {
            resources.EXTERNALSECRETS: self.externalsecrets,
            resources.SECRETSTORES: self.secretstores,
            resources.CLUSTERSECRETSTORES: self.clustersecretstores,
            resources.PUSHSECRETS: self.pushsecrets,
            resources.CLUSTEREXTERNALSECRETS: self.clusterexternalsecrets,
            resources.CLUSTERPUSHSECRETS: self.clusterpushsecrets,
            resources.VAULTDYNAMICSECRETS: self.vaultdynamicsecrets,
            resources.CLUSTERGENERATORS: self.clustergenerators,
            resources.DEPLOYMENTS: self.deployments,
            resources.SERVICEACCOUNTS: self.serviceaccounts,
            resources.NAMESPACES: self.namespaces,
            resources.SECRETS: self.secrets,
            resources.EVENTS: self.failures,
        }

    # What changed.

    def drain(self) -> Changes:
        """What changed since the last call. From the first call on, single changes are kept apart."""
        with self.lock:
            changes, self._changes = self._changes, Changes()
            self._tracking = True
            return changes

    def everything_changed(self) -> None:
        """Has everything judged anew: a resource became readable or unreadable, or the settings changed."""
        with self.lock:
            self._changes = Changes(everything=True)
            self._tracking = False

    # Who is concerned.

    def store(self, ref: StoreRef) -> Store | None:
        """The store of that identity."""
        return self.store_at(ref.namespace, ref.name)

    def store_at(self, namespace: str, name: str) -> Store | None:
        """The SecretStore, or with namespace "" the ClusterSecretStore."""
        return (self.secretstores if namespace else self.clustersecretstores).get(namespace, name)

    def stores(self) -> Iterable[Store]:
        """Every store of both kinds."""
        yield from self.clustersecretstores.all()
        yield from self.secretstores.all()

    def targeting(self, namespace: str, secret: str) -> Sequence[ExternalSecret]:
        """The living ExternalSecrets whose target is this Secret."""
        names = self._targets.of(namespace, secret)
        if not names:
            return ()
        found = (self.externalsecrets.get(namespace, name) for name in names)
        return [record for record in found if record is not None]

    def is_shared(self, namespace: str, secret: str) -> bool:
        """Whether more than one living ExternalSecret has this Secret as target."""
        return len(self._targets.of(namespace, secret)) > 1

    def user_states(self, ref: StoreRef) -> Mapping[str, int]:
        """How many ExternalSecrets read from this store, by state: ready, not_ready, unknown (no status yet)."""
        return self._user_states.of(ref)

    def pushed_to(self, ref: StoreRef) -> bool:
        """Whether some PushSecret writes to this store."""
        return bool(self._pushers.of(ref))

    def named_by_store(self, namespace: str, secret: str) -> bool:
        """Whether the spec of a store or generator, or an ExternalSecret's template, names this Secret.

        A reference without a namespace means that of whatever uses the store or generator.
        """
        if self._templates.read(namespace, secret) or self._secrets_named.there(namespace, secret):
            return True
        for source in self._secrets_named.anywhere(secret):
            if self._users.of(source).any_in(namespace) or self._pushers.of(source).any_in(namespace):
                return True
        return False

    def operator_deployments(self, namespace: str, component: str) -> list[OperatorDeployment]:
        """The Deployments of one component of ESO in a namespace: one, unless several ESOs share it."""
        found = (self.deployments.get(namespace, name) for name in self.deployments.names(namespace))
        return [record for record in found if record is not None and record.component == component]

    # How many Secrets of each class.

    def set_ownership(self, secret: Secret, ownership: str) -> bool:
        """Notes the class that the judge gave ("" takes it back); tells whether it differs from the one before."""
        before = secret.ownership
        if before == ownership:
            return False
        self._ownership.count(secret.namespace, before, -1)
        self._ownership.count(secret.namespace, ownership, 1)
        secret.ownership = ownership
        return True

    def ownership(self, namespace: str) -> Mapping[str, int]:
        """How many judged Secrets of a namespace have each class; classes without any are left out."""
        return self._ownership.of(namespace)

    def judged_secrets(self) -> list[int]:
        """How many Secrets have a class, by namespace."""
        with self.lock:
            return self._ownership.totals()

    # Changes come in, under the lock.

    def _note(self, kind: str, namespace: str, name: str) -> None:
        if self._tracking:
            self._changes.add(kind, namespace, name)

    def _alone(self, kind: str) -> Callable[[Any, Any], None]:
        """For a kind on which nothing else depends."""

        def changed(old: Any, new: Any) -> None:
            record = new or old
            self._note(kind, record.namespace, record.name)

        return changed

    def _externalsecret_changed(self, old: ExternalSecret | None, new: ExternalSecret | None) -> None:
        record = new or old
        assert record is not None
        namespace, name = record.namespace, record.name
        if old is not None and new is not None and only_refreshed(old, new):
            self._note(REFRESHED, namespace, name)
            return
        before, after = _sources(old), _sources(new)
        self._targets.change(namespace, name, old.target if old else "", new.target if new else "")
        self._users.change(namespace, name, before, after)
        for each, step in ((old, -1), (new, 1)):
            if each is not None:
                self._user_states.count(each.plan.stores, each.status, step)
                if each.plan.template_secrets:
                    self._templates.count(namespace, each.plan.template_secrets, step)
        if new is None or new.status == "True":
            self.failures.forget_one(namespace, name)
        if new is not None:
            _one_name(new, self.secrets.get(namespace, new.target))
        if not self._tracking:
            return
        changes = self._changes
        changes.add(EXTERNALSECRET, namespace, name)
        if old is None or new is None or _written(old) != _written(new):
            for each in (old, new):
                if each is not None:
                    self._targets_changed(each)
        if before != after:
            self._referents_changed({*before, *after}, namespace)
        if old is None or new is None or (old.plan.stores, old.status) != (new.plan.stores, new.status):
            for ref in {*(old.plan.stores if old else ()), *(new.plan.stores if new else ())}:
                changes.add(STORE, ref.namespace, ref.name)

    def _targets_changed(self, record: ExternalSecret) -> None:
        if record.target:
            self._changes.add(SECRET, record.namespace, record.target)
            for other in self._targets.of(record.namespace, record.target):
                self._changes.add(EXTERNALSECRET, record.namespace, other)
        for name in record.plan.template_secrets:
            self._changes.add(SECRET, record.namespace, name)

    def _pushsecret_changed(self, old: PushSecret | None, new: PushSecret | None) -> None:
        record = new or old
        assert record is not None
        before, after = old.stores if old else (), new.stores if new else ()
        self._pushers.change(record.namespace, record.name, before, after)
        self._note(PUSHSECRET, record.namespace, record.name)
        if before != after and self._tracking:
            self._referents_changed({*before, *after}, record.namespace)
            for ref in {*before, *after}:
                self._changes.add(STORE, ref.namespace, ref.name)

    def _referents_changed(self, sources: Iterable[Source], namespace: str) -> None:
        """These sources are now used, or no longer used, in a namespace: the Secrets that they name there are concerned."""
        for source in sources:
            for secret in self._secrets_of(source):
                if not secret.namespace:
                    self._changes.add(SECRET, namespace, secret.name)

    def _secrets_of(self, source: Source) -> Sequence[SecretRef]:
        record: Store | Generator | None
        if isinstance(source, StoreRef):
            record = self.store(source)
        else:
            generators = self.vaultdynamicsecrets if source.namespace else self.clustergenerators
            record = generators.get(source.namespace, source.name)
        return record.secrets if record is not None else ()

    def _store_changed(self, old: Store | None, new: Store | None) -> None:
        record = new or old
        assert record is not None
        self.stores_generation += 1
        self._accounts_named.change(record.ref, old.accounts if old else (), new.accounts if new else ())
        self._source_changed(old, new)
        if not self._tracking:
            return
        self._changes.add(STORE, record.namespace, record.name)
        for user in self._users.of(record.ref):
            self._changes.add(EXTERNALSECRET, *user)
        for pusher in self._pushers.of(record.ref):
            self._changes.add(PUSHSECRET, *pusher)

    def _source_changed(self, old: Store | Generator | None, new: Store | Generator | None) -> None:
        """A store or generator: the Secrets that it names or named are concerned."""
        record = new or old
        assert record is not None
        before, after = old.secrets if old else (), new.secrets if new else ()
        self._secrets_named.change(record.ref, before, after)
        if not self._tracking or before == after:
            return
        for secret in {*before, *after}:
            if secret.namespace:
                self._changes.add(SECRET, secret.namespace, secret.name)
                continue
            for users in (self._users.of(record.ref), self._pushers.of(record.ref)):
                for namespace in users.namespaces():
                    self._changes.add(SECRET, namespace, secret.name)

    def _secret_changed(self, old: Secret | None, new: Secret | None) -> None:
        self.edits.change(old, new)
        if new is not None and new.owned is not None:
            _one_name(self.externalsecrets.get(new.namespace, new.owned.name), new)
        if old is not None:
            if new is not None:
                new.ownership = old.ownership
            else:
                self._ownership.count(old.namespace, old.ownership, -1)
        record = new or old
        if not self._tracking or record is None:
            return
        changes = self._changes
        counted = old is not None and new is not None and same_but_key_count(old, new)
        if not counted:
            changes.add(SECRET, record.namespace, record.name)
        if not counted or not record.facts.key_names:
            for user in self._targets.of(record.namespace, record.name):
                changes.add(EXTERNALSECRET, record.namespace, user)
        if old is None or new is None:
            self._naming_stores_changed(self._secrets_named, record.namespace, record.name)
            changes.add(NAMESPACE, "", record.namespace)

    def _account_changed(self, old: ServiceAccount | None, new: ServiceAccount | None) -> None:
        record = new or old
        if self._tracking and record is not None:
            self._naming_stores_changed(self._accounts_named, record.namespace, record.name)

    def _naming_stores_changed(self, named: Naming, namespace: str, name: str) -> None:
        """Something that stores may name came or went."""
        for source in (*named.there(namespace, name), *named.anywhere(name)):
            if isinstance(source, StoreRef):
                self._changes.add(STORE, source.namespace, source.name)

    def _deployment_changed(self, old: OperatorDeployment | None, new: OperatorDeployment | None) -> None:
        for record in (old, new):
            if record is not None:
                self._note(OPERATOR, record.namespace, record.component)

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        record = new or old
        if not self._tracking or record is None:
            return
        where = record.name
        self._changes.add(NAMESPACE, "", where)
        if old is None or new is None or old.owner != new.owner:
            for kind, names in (
                (EXTERNALSECRET, self.externalsecrets.names(where)),
                (SECRET, self.secrets.names(where)),
                (STORE, self.secretstores.names(where)),
            ):
                for name in names:
                    self._changes.add(kind, where, name)

    def _fails(self, namespace: str, name: str) -> bool:
        record = self.externalsecrets.get(namespace, name)
        return record is not None and record.status != "True"


def _written(record: ExternalSecret) -> tuple[object, ...]:
    """What of an ExternalSecret bears on the Secrets around it and on others that write the same one."""
    plan = record.plan
    return record.target, plan.creation_policy, record.uid, plan.promised, plan.template_secrets


def _one_name(record: ExternalSecret | None, secret: Secret | None) -> None:
    """An ExternalSecret and the Secret that names it as owner keep one string for that name: there are many of them."""
    if record is not None and secret is not None and secret.owned is not None and secret.owned.name == record.name:
        secret.owned = Owned(record.name, secret.owned.uid)


def _sources(record: ExternalSecret | None) -> tuple[Source, ...]:
    """All that an ExternalSecret reads from; without a generator (as nearly all are) no tuple is made anew."""
    if record is None:
        return ()
    plan = record.plan
    return (*plan.stores, *plan.generators) if plan.generators else plan.stores
