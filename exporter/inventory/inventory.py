"""The inventory: records of every kind, the indexes between them, and which objects a change concerns.

An index answers "who else must be judged when this changes", so that the judged set of a change is small: a Secret's
change concerns the ExternalSecrets that write it, a store's the ExternalSecrets that use it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from exporter.inventory.changes import Changes
from exporter.inventory.store import RecordStore
from exporter.kube.records import ExternalSecret, Namespace, Secret, SecretRef, Store, StoreRef, same_secret
from exporter.kube.resource import Sink
from exporter.kube.resources import CLUSTERSECRETSTORES, EXTERNALSECRETS, NAMESPACES, SECRETS, SECRETSTORES

_STATE_OF = {"True": "ready", "False": "not_ready"}
_NO_USERS: Mapping[str, int] = {"ready": 0, "not_ready": 0, "unknown": 0}


def _written(record: ExternalSecret) -> tuple[object, ...]:
    """What of an ExternalSecret bears on the Secrets around it and on others that write the same one."""
    return record.target, record.creation_policy, record.uid, record.promised, record.template_secrets


class Inventory:
    """All records. Reflectors write through `sinks`; everyone else reads while holding `lock`, briefly."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.externalsecrets = RecordStore[ExternalSecret](self.lock, self._externalsecret_changed)
        self.secretstores = RecordStore[Store](self.lock, self._store_changed)
        self.clustersecretstores = RecordStore[Store](self.lock, self._store_changed)
        self.namespaces = RecordStore[Namespace](self.lock, self._namespace_changed)
        self.secrets = RecordStore[Secret](self.lock, self._secret_changed, same_secret)
        self.stores_generation = 0
        """Grows whenever a store changes: whoever derives something from all stores need only look then."""
        self._changes = Changes(everything=True)
        self._tracking = False
        # Secret → the ExternalSecrets whose target it is: nearly always one, so a bare name, else a tuple of names.
        self._targets: dict[str, dict[str, str | tuple[str, ...]]] = {}
        self._users: dict[StoreRef, dict[str, set[str]]] = {}
        self._user_states: dict[StoreRef, dict[str, int]] = {}
        self._named_by: dict[SecretRef, set[StoreRef]] = {}
        self._templates: dict[SecretRef, int] = {}
        self._ownership: dict[str, dict[str, int]] = {}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """Where each resource's reflector puts its records."""
        return {
            EXTERNALSECRETS: self.externalsecrets,
            SECRETSTORES: self.secretstores,
            CLUSTERSECRETSTORES: self.clustersecretstores,
            NAMESPACES: self.namespaces,
            SECRETS: self.secrets,
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
        if ref.kind == "ClusterSecretStore":
            return self.clustersecretstores.get("", ref.name)
        return self.secretstores.get(ref.namespace, ref.name)

    def stores(self) -> Iterable[Store]:
        """Every store of both kinds."""
        yield from self.clustersecretstores.all()
        yield from self.secretstores.all()

    def targeting(self, namespace: str, secret: str) -> Sequence[ExternalSecret]:
        """The living ExternalSecrets whose target is this Secret."""
        names = self._targets.get(namespace, {}).get(secret, ())
        found = (self.externalsecrets.get(namespace, name) for name in ((names,) if isinstance(names, str) else names))
        return [record for record in found if record is not None]

    def users(self, ref: StoreRef) -> Mapping[str, Iterable[str]]:
        """Names of the ExternalSecrets that read from this store, by namespace."""
        return self._users.get(ref, {})

    def user_states(self, ref: StoreRef) -> Mapping[str, int]:
        """How many ExternalSecrets read from this store, by state: ready, not_ready, unknown (no status yet)."""
        return self._user_states.get(ref, _NO_USERS)

    def used_stores(self) -> list[StoreRef]:
        """Stores that some ExternalSecret reads from, whether they exist or not."""
        return list(self._users)

    def named_by_store(self, namespace: str, secret: str) -> bool:
        """Whether a store's spec or an ExternalSecret's template names this Secret.

        A ClusterSecretStore's reference without a namespace means that of whichever ExternalSecret uses the store.
        """
        if SecretRef(namespace, secret) in self._named_by or SecretRef(namespace, secret) in self._templates:
            return True
        return any(namespace in self._users.get(ref, ()) for ref in self._named_by.get(SecretRef("", secret), ()))

    # How many Secrets of each class: kept here, because a deleted Secret must leave its count at once.

    def set_ownership(self, secret: Secret, ownership: str) -> bool:
        """Notes the class that the judge gave ("" takes it back); tells whether it differs from the one before."""
        before = secret.ownership
        if before == ownership:
            return False
        self._count_ownership(secret.namespace, before, -1)
        self._count_ownership(secret.namespace, ownership, 1)
        secret.ownership = ownership
        return True

    def ownership(self, namespace: str) -> Mapping[str, int]:
        """How many judged Secrets of a namespace have each class; classes without any are left out."""
        return self._ownership.get(namespace, {})

    def judged_secrets(self) -> list[int]:
        """How many Secrets have a class, by namespace."""
        with self.lock:
            return [sum(counts.values()) for counts in self._ownership.values()]

    def _count_ownership(self, namespace: str, ownership: str, step: int) -> None:
        if not ownership:
            return
        counts = self._ownership.setdefault(namespace, {})
        counts[ownership] = counts.get(ownership, 0) + step
        if not counts[ownership]:
            del counts[ownership]
        if not counts:
            del self._ownership[namespace]

    # Changes come in, under the lock.

    def _externalsecret_changed(self, old: ExternalSecret | None, new: ExternalSecret | None) -> None:
        self._index_externalsecret(old, new)
        if not self._tracking:
            return
        changes = self._changes
        record = new or old
        if record is not None:
            changes.externalsecrets.add(record.namespace, record.name)
        if old is None or new is None or _written(old) != _written(new):
            for record in (old, new):
                if record is not None:
                    self._targets_changed(record)
        if old is None or new is None or (old.stores, old.status) != (new.stores, new.status):
            for record in (old, new):
                for ref in record.stores if record is not None else ():
                    changes.stores.add(ref)
                    self._referents_changed(ref, record.namespace if record is not None else "")

    def _index_externalsecret(self, old: ExternalSecret | None, new: ExternalSecret | None) -> None:
        if old is not None and (new is None or old.target != new.target) and old.target:
            self._unlink_target(old.namespace, old.target, old.name)
        if new is not None and new.target and (old is None or old.target != new.target):
            self._link_target(new.namespace, new.target, new.name)
        before, after = old.stores if old else (), new.stores if new else ()
        if before != after:
            if old is not None:
                for ref in before:
                    self._unlink_user(ref, old.namespace, old.name)
            if new is not None:
                for ref in after:
                    self._users.setdefault(ref, {}).setdefault(new.namespace, set()).add(new.name)
        for record, step in ((old, -1), (new, 1)):
            if record is not None:
                for ref in record.stores:
                    self._count_user(ref, record.status, step)
                for name in record.template_secrets:
                    self._count_template(SecretRef(record.namespace, name), step)

    def _count_user(self, ref: StoreRef, status: str, step: int) -> None:
        states = self._user_states.setdefault(ref, {"ready": 0, "not_ready": 0, "unknown": 0})
        states[_STATE_OF.get(status, "unknown")] += step
        if not any(states.values()):
            del self._user_states[ref]

    def _count_template(self, ref: SecretRef, step: int) -> None:
        count = self._templates.get(ref, 0) + step
        if count:
            self._templates[ref] = count
        else:
            del self._templates[ref]

    def _targets_changed(self, record: ExternalSecret) -> None:
        changes = self._changes
        if record.target:
            changes.secrets.add(record.namespace, record.target)
            for other in self.targeting(record.namespace, record.target):
                changes.externalsecrets.add(other.namespace, other.name)
        for name in record.template_secrets:
            changes.secrets.add(record.namespace, name)

    def _link_target(self, namespace: str, secret: str, name: str) -> None:
        targets = self._targets.setdefault(namespace, {})
        names = targets.get(secret, ())
        targets[secret] = name if not names else (*((names,) if isinstance(names, str) else names), name)

    def _unlink_target(self, namespace: str, secret: str, name: str) -> None:
        targets = self._targets.get(namespace, {})
        names = targets.get(secret, ())
        left = tuple(other for other in ((names,) if isinstance(names, str) else names) if other != name)
        if left:
            targets[secret] = left[0] if len(left) == 1 else left
        elif targets.pop(secret, None) is not None and not targets:
            del self._targets[namespace]

    def _unlink_user(self, ref: StoreRef, namespace: str, name: str) -> None:
        by_namespace = self._users.get(ref)
        if by_namespace is None or namespace not in by_namespace:
            return
        by_namespace[namespace].discard(name)
        if not by_namespace[namespace]:
            del by_namespace[namespace]
        if not by_namespace:
            del self._users[ref]

    def _referents_changed(self, ref: StoreRef, namespace: str) -> None:
        store = self.store(ref)
        for secret in store.secrets if store is not None else ():
            if not secret.namespace:
                self._changes.secrets.add(namespace, secret.name)

    def _secret_changed(self, old: Secret | None, new: Secret | None) -> None:
        if old is not None:
            if new is not None:
                new.ownership = old.ownership
            else:
                self._count_ownership(old.namespace, old.ownership, -1)
        if not self._tracking:
            return
        record = new or old
        if record is None:
            return
        changes = self._changes
        changes.secrets.add(record.namespace, record.name)
        for user in self.targeting(record.namespace, record.name):
            changes.externalsecrets.add(user.namespace, user.name)
        if old is None or new is None:
            for ref in (SecretRef(record.namespace, record.name), SecretRef("", record.name)):
                changes.stores.update(self._named_by.get(ref, ()))
            changes.namespaces.add(record.namespace)

    def _store_changed(self, old: Store | None, new: Store | None) -> None:
        self.stores_generation += 1
        if old is not None:
            for secret in old.secrets:
                refs = self._named_by.get(secret)
                if refs is not None:
                    refs.discard(old.ref)
                    if not refs:
                        del self._named_by[secret]
        if new is not None:
            for secret in new.secrets:
                self._named_by.setdefault(secret, set()).add(new.ref)
        if not self._tracking:
            return
        for record in (old, new):
            if record is None:
                continue
            self._changes.stores.add(record.ref)
            for namespace, names in self.users(record.ref).items():
                for name in names:
                    self._changes.externalsecrets.add(namespace, name)
                for secret in record.secrets:
                    if not secret.namespace:
                        self._changes.secrets.add(namespace, secret.name)
            for secret in record.secrets:
                if secret.namespace:
                    self._changes.secrets.add(secret.namespace, secret.name)

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        record = new or old
        if not self._tracking or record is None:
            return
        self._changes.namespaces.add(record.name)
        if old is None or new is None or old.owner != new.owner:
            for name in self.externalsecrets.names(record.name):
                self._changes.externalsecrets.add(record.name, name)
            for name in self.secrets.names(record.name):
                self._changes.secrets.add(record.name, name)
            for name in self.secretstores.names(record.name):
                self._changes.stores.add(StoreRef("SecretStore", record.name, name))
