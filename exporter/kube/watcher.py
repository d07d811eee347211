"""All reflectors of a process: which resources, in which scopes, and their lives."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from exporter.config.settings import KubernetesSettings
from exporter.errors import ConfigError
from exporter.kube.backoff import Pace
from exporter.kube.client import KubeClient
from exporter.kube.reflector import Reflector, Surroundings
from exporter.kube.residue import overwrite_freed_memory
from exporter.kube.resource import Observer, Record, ReflectorStatus, Resource, Sink
from exporter.kube.selection import FollowedNamespaces, NamedNamespaces

STACK_SIZE = 512 * 1024  # of a reflector's thread; there may be hundreds
CLUSTER = ""
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Watcher:
    """Starts a reflector for every resource, per namespace where the settings choose namespaces, and keeps them.

    `sinks` holds one sink per `Resource.name`. `on_status_change` is called, from any thread, when a status changed in
    `synced`, `denied`, `absent` or `version`, or a scope came or went.
    `namespace_record` makes the record of a namespace that is only known by name: with a fixed list of namespaces and no
    right to list them, those named count as existing.

    One (resource, namespace) is one thread and one connection: right for up to some hundreds of them.
    Raises ConfigError for a name that cannot be a namespace, or both a list and a selector.
    """

    def __init__(
        self,
        client: KubeClient,
        resources: Sequence[Resource],
        sinks: Mapping[str, Sink],
        settings: KubernetesSettings,
        observer: Observer,
        on_status_change: Callable[[], None],
        namespace_record: Callable[[str], Record] | None = None,
        *,
        pace: Pace | None = None,
    ) -> None:
        _check(settings, resources)
        self._client = client
        self._resources = resources
        self._sinks = sinks
        self._settings = settings
        self._namespace_record = namespace_record
        self._on_status_change = on_status_change
        self._around = Surroundings(client, settings, observer, on_status_change, pace or Pace())
        self._lock = threading.Lock()
        self._reflectors: dict[tuple[str, str], Reflector] = {}
        self._retired: dict[tuple[str, str], Reflector] = {}
        self._scopes: set[str] = set()
        self._state = "new"

    def start(self) -> None:
        """Start what can be started now; with a selector, namespaces follow as they are found.

        From now on the process overwrites the memory it frees: see `residue`.
        """
        overwrite_freed_memory()
        with self._lock:
            self._state = "running"
            narrowed = bool(self._settings.namespaces or self._settings.namespace_selector)
            for resource in self._resources:
                if resource.name == "namespaces" and narrowed:
                    self._start_namespaces(resource)
                elif resource.only_in:
                    for namespace in resource.only_in:
                        self._start(resource, namespace)
                elif not (resource.namespaced and narrowed):
                    self._start(resource, CLUSTER)
            for namespace in self._settings.namespaces:
                self._start_scope(namespace)

    def stop(self, timeout: float) -> None:
        """Cut all connections at once and wait up to `timeout` seconds for the threads. Sinks keep what they hold."""
        with self._lock:
            self._state = "stopped"
            ending = [*self._reflectors.values(), *self._retired.values()]
            for reflector in ending:
                reflector.stop()
        self._client.close()
        until = time.monotonic() + timeout
        for reflector in ending:
            reflector.join(max(0.0, until - time.monotonic()))

    def statuses(self) -> list[ReflectorStatus]:
        """One per reflector; they change under the reader's eyes."""
        with self._lock:
            return [reflector.status for reflector in self._reflectors.values()]

    def alive(self) -> bool:
        """Every thread that must live lives."""
        with self._lock:
            return self._state == "running" and all(reflector.alive for reflector in self._reflectors.values())

    def _follow(self, namespaces: Iterable[str]) -> None:
        """The namespaces now selected: start the new ones, end the others. Called by the namespaces' reflector."""
        wanted = set(namespaces)
        with self._lock:
            if self._state != "running":
                return
            self._retired = {key: old for key, old in self._retired.items() if old.alive}
            came, went = wanted - self._scopes, self._scopes - wanted
            for namespace in sorted(came):
                self._start_scope(namespace)
            elsewhere = {(resource.name, namespace) for resource in self._resources for namespace in resource.only_in}
            for key in [key for key in self._reflectors if key[1] in went and key not in elsewhere]:
                reflector = self._reflectors.pop(key)
                reflector.stop(forget=True)
                self._retired[key] = reflector
            self._scopes -= went
        if came or went:
            self._on_status_change()

    def _start_scope(self, namespace: str) -> None:
        self._scopes.add(namespace)
        for resource in self._resources:
            if resource.namespaced and not resource.only_in:
                self._start(resource, namespace)

    def _start_namespaces(self, resource: Resource) -> None:
        sink = self._sinks[resource.name]
        if self._settings.namespaces:
            named = self._settings.namespaces
            make = self._namespace_record
            stand_in = None if make is None else lambda: [make(namespace) for namespace in named]
            reflector = Reflector(
                resource, CLUSTER, NamedNamespaces(sink, frozenset(named)), self._around, stand_in=stand_in
            )
        else:
            reflector = Reflector(
                resource,
                CLUSTER,
                FollowedNamespaces(sink, self._follow),
                self._around,
                label_selector=self._settings.namespace_selector,
            )
        self._launch(reflector)

    def _start(self, resource: Resource, scope: str) -> None:
        after = self._retired.pop((resource.name, scope), None)
        self._launch(Reflector(resource, scope, self._sinks[resource.name], self._around, after=after))

    def _launch(self, reflector: Reflector) -> None:
        self._reflectors[reflector.resource.name, reflector.scope] = reflector
        before = threading.stack_size(STACK_SIZE)
        try:
            reflector.start()
        finally:
            threading.stack_size(before)


def _check(settings: KubernetesSettings, resources: Sequence[Resource]) -> None:
    if settings.namespaces and settings.namespace_selector:
        raise ConfigError("--namespaces and --namespace-selector exclude each other; give one of them")
    for namespace in settings.namespaces:
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigError(f"--namespaces: {namespace!r} cannot be the name of a namespace")
    if settings.namespace_selector and not any(resource.name == "namespaces" for resource in resources):
        raise ConfigError("--namespace-selector needs the namespaces to be watched")
