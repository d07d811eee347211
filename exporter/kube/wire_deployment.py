"""Deployments of ESO itself, found by label: wire shape to record."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping

import msgspec

from exporter.config.settings import OperatorSettings
from exporter.errors import ConfigError
from exporter.eso.times import parse_time
from exporter.kube.records import OperatorDeployment
from exporter.kube.wire import ConditionWire

LABEL_VERSION = "app.kubernetes.io/version"
_VERSION = re.compile(r"v?[0-9][0-9A-Za-z._+-]{0,61}")
_EQUALITY = re.compile(r"([A-Za-z0-9./_-]+)={1,2}([A-Za-z0-9._-]*)")


class _Meta(msgspec.Struct, gc=False):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Container(msgspec.Struct, gc=False):
    image: str = ""


class _PodSpec(msgspec.Struct, gc=False):
    containers: list[_Container] | None = None


class _Template(msgspec.Struct, gc=False):
    spec: _PodSpec | None = None


class _Spec(msgspec.Struct, gc=False):
    replicas: int | None = None
    template: _Template | None = None


class _Status(msgspec.Struct, gc=False):
    readyReplicas: int | None = None
    conditions: list[ConditionWire] | None = None


class DeploymentWire(msgspec.Struct, gc=False):
    """A Deployment as listed or watched."""

    metadata: _Meta
    spec: _Spec | None = None
    status: _Status | None = None


class Selector:
    """A label selector of equalities (`key=value,key=value`), as the setting `where` gives it.

    Raises ConfigError for anything else. An empty one selects nothing: that component is not looked for.
    """

    def __init__(self, where: str, text: str) -> None:
        self.pairs: dict[str, str] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            found = _EQUALITY.fullmatch(part)
            if found is None:
                raise ConfigError(f"{where}: {part!r} is not of the form label=value; write label=value,label=value")
            self.pairs[found[1]] = found[2]

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return bool(self.pairs) and all(labels.get(key) == value for key, value in self.pairs.items())


def selectors(settings: OperatorSettings) -> dict[str, Selector]:
    """The selector of each component. Raises ConfigError."""
    return {
        "controller": Selector("operator.controller", settings.controller),
        "webhook": Selector("operator.webhook", settings.webhook),
        "cert-controller": Selector("operator.cert_controller", settings.cert_controller),
    }


def label_selector(settings: OperatorSettings) -> str:
    """What the API server itself can sort out: one selector for all components, if they differ in one label's value only.

    Otherwise only the keys that all of them have: the converter decides.
    """
    wanted = [one.pairs for one in selectors(settings).values() if one.pairs]
    keys = set.intersection(*map(set, wanted)) if wanted else set()
    return ",".join(f"{key} in ({','.join(sorted({pairs[key] for pairs in wanted}))})" for key in sorted(keys))


def converter(settings: OperatorSettings) -> Callable[[DeploymentWire, object], OperatorDeployment | None]:
    """Makes the function from wire to record; None for a Deployment that is no part of ESO. Raises ConfigError."""
    components = selectors(settings)

    def convert(wire: DeploymentWire, _cells: object) -> OperatorDeployment | None:
        meta, spec, status = wire.metadata, wire.spec or _Spec(), wire.status or _Status()
        labels = meta.labels or {}
        component = next((name for name, selector in components.items() if selector.fits(labels)), "")
        if not component:
            return None
        available = next((one for one in status.conditions or () if one.type == "Available"), None)
        return OperatorDeployment(
            namespace=sys.intern(meta.namespace),
            name=meta.name,
            component=component,
            desired=1 if spec.replicas is None else spec.replicas,
            ready=status.readyReplicas or 0,
            unavailable_since=parse_time(available.lastTransitionTime)
            if available is not None and available.status == "False"
            else None,
            version=_version(spec, labels),
        )

    return convert


def _version(spec: _Spec, labels: Mapping[str, str]) -> str:
    """The image's tag if it reads as a version, else the label: a chart sets the label even where the image differs."""
    pod = spec.template.spec if spec.template is not None else None
    images = [container.image for container in (pod.containers if pod is not None else None) or ()]
    tags = [image.partition("@")[0].rpartition("/")[2].partition(":")[2] for image in images[:1]]
    return next((text for text in (*tags, labels.get(LABEL_VERSION, "")) if _VERSION.fullmatch(text)), "")
