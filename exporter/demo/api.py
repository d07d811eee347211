"""The HTTP face of the simulated API server: routes, authentication, discovery, lists, watches and their refusals."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.demo import forms, kinds
from exporter.demo.entries import Entry, encode, key_for
from exporter.demo.faults import CloseMidChunk, Drop, ExpiredContinue, Faults, NoTable, Silence, Slow, Status
from exporter.demo.forms import StatusError
from exporter.demo.kinds import Kind
from exporter.demo.selectors import BadSelectorError, field_selector, label_selector
from exporter.demo.store import ExpiredError, ResourceStore
from exporter.demo.watching import Scope, Watch
from exporter.demo.wire import Exchange

if TYPE_CHECKING:
    from exporter.demo.cluster import SimulatedCluster

_ROUTE = re.compile(r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))/(?P<rest>.+)$")
_GROUP = re.compile(r"^/apis/(?P<group>[^/]+)(?:/(?P<version>[^/]+))?$")

_INCONSISTENT = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)

_REASONS = {
    400: ("BadRequest", "the server rejected our request for an unknown reason"),
    401: ("Unauthorized", "Unauthorized"),
    404: ("NotFound", "the server could not find the requested resource"),
    405: ("MethodNotAllowed", "the server does not allow this method on the requested resource"),
    406: ("NotAcceptable", f"only the following media types are accepted: {forms.ACCEPTED}"),
    410: ("Expired", "The resourceVersion for the provided list is too old."),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: simulated"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
}


@dataclass(frozen=True, slots=True)
class Route:
    """A path of a resource: its kind, the served version, the namespace (empty: cluster-wide) and a name (or empty)."""

    kind: Kind
    version: str
    namespace: str
    name: str


class Api:
    """Answers the exchanges of a cluster's listener."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.cluster = cluster

    def __call__(self, exchange: Exchange) -> None:
        try:
            self._answer(exchange)
        except StatusError as error:
            self._refuse(exchange, error)

    def _answer(self, exchange: Exchange) -> None:
        request, cluster = exchange.request, self.cluster
        extra = cluster.extra_paths.get(request.path)
        if extra is not None:
            extra(exchange)
            return
        route = self._route(request.path)
        resource = route.kind.plural if route else "discovery"
        verb = "get" if route is None or route.name else ("watch" if request.watch else "list")
        scope = route.namespace if route else ""
        faults = cluster.faults.take(resource, verb, scope, request.query)
        slow = faults.get(Slow)
        if slow:
            exchange.pause(slow.seconds)
        if faults.get(Drop):
            exchange.drop()
            return
        silence = faults.get(Silence)
        if silence and not (silence.headers and verb == "watch"):
            if silence.headers:
                exchange.begin_stream()
            exchange.hold(until=lambda: not faults.holding(Silence))
            return
        self._authenticate(request.headers)
        status = faults.get(Status)
        if status:
            self._fail(exchange, status, route, verb)
        elif request.method not in ("GET", "HEAD"):
            raise _status(405)
        elif route is None:
            self._discovery(exchange, request.path)
        elif verb == "watch":
            self._watch(exchange, route, faults)
        elif verb == "list":
            self._list(exchange, route, faults)
        else:
            self._get(exchange, route)

    def _refuse(self, exchange: Exchange, error: StatusError) -> None:
        headers = [] if error.retry_after is None else [("Retry-After", str(error.retry_after))]
        exchange.reply(error.code, encode(error.status) + b"\n", headers=headers)

    def _fail(self, exchange: Exchange, fault: Status, route: Route | None, verb: str) -> None:
        if fault.html:
            page = b"<html><head><title>Error</title></head><body>simulated proxy</body></html>\n"
            headers = [] if fault.retry_after is None else [("Retry-After", str(fault.retry_after))]
            exchange.reply(fault.code, page, "text/html", headers)
            return
        if fault.code == 403:
            raise self.forbidden(exchange, route, verb)
        raise _status(fault.code, fault.retry_after)

    def forbidden(self, exchange: Exchange, route: Route | None, verb: str) -> StatusError:
        user = self.cluster.user
        if route is None:
            message = f'forbidden: User "{user}" cannot get path "{exchange.request.path}"'
            return StatusError(403, "Forbidden", message, {})
        where = f'in the namespace "{route.namespace}"' if route.namespace else "at the cluster scope"
        kind = route.kind
        message = (
            f'{kind.gvr} is forbidden: User "{user}" cannot {verb} resource "{kind.plural}" '
            f'in API group "{kind.group}" {where}'
        )
        details = {"group": kind.group, "kind": kind.plural} if kind.group else {"kind": kind.plural}
        return StatusError(403, "Forbidden", message, details)

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        tokens = self.cluster.tokens
        if tokens is not None and headers.get("authorization", "").removeprefix("Bearer ") not in tokens:
            raise _status(401)

    # -- routes -------------------------------------------------------------------------------------------------

    def _route(self, path: str) -> Route | None:
        match = _ROUTE.match(path)
        if match is None:
            return None
        version = match["core"] or match["version"]
        group = match["group"] or ""
        steps = match["rest"].strip("/").split("/")
        namespace = ""
        if steps[0] == "namespaces" and len(steps) > 2:
            namespace, steps = steps[1], steps[2:]
        kind = kinds.BY_PLURAL.get(steps[0])
        if kind is None or kind.group != group or len(steps) > 2 or (namespace and not kind.namespaced):
            return None
        if version not in self.cluster.served.get(kind.plural, ()):
            return None
        return Route(kind, version, namespace, steps[1] if len(steps) == 2 else "")

    def _discovery(self, exchange: Exchange, path: str) -> None:
        served = [
            kinds.Served(kinds.BY_PLURAL[plural], version)
            for plural, versions in self.cluster.served.items()
            for version in versions
        ]
        path = path.rstrip("/") or "/"
        if path in ("/healthz", "/livez", "/readyz"):
            exchange.reply(200, b"ok", "text/plain; charset=utf-8")
            return
        document: Mapping[str, Any] | None = None
        if path == "/version":
            document = kinds.VERSION
        elif path == "/api":
            document = kinds.API_VERSIONS
        elif path == "/api/v1":
            document = kinds.api_resource_list(served, "", "v1")
        elif path == "/apis":
            document = kinds.api_group_list(served)
        elif match := _GROUP.match(path):
            if match["version"]:
                document = kinds.api_resource_list(served, match["group"], match["version"])
            elif group := kinds.api_group(served, match["group"]):
                document = {"kind": "APIGroup", "apiVersion": "v1", **group}
        if document is None:
            exchange.reply(404, b"404 page not found\n", "text/plain; charset=utf-8")
            return
        exchange.reply(200, encode(document) + b"\n")

    # -- objects ------------------------------------------------------------------------------------------------

    def _form(self, exchange: Exchange, tables: bool = True) -> forms.Form:
        request = exchange.request
        return forms.negotiate(request.headers.get("accept", ""), request.query.get("includeObject"), tables)

    def _get(self, exchange: Exchange, route: Route) -> None:
        form = self._form(exchange)
        entry = self.cluster.stores[route.kind.plural].get(key_for(route.kind, route.namespace, route.name))
        if entry is None:
            details = {"name": route.name, "kind": route.kind.plural}
            raise StatusError(404, "NotFound", f'{route.kind.gvr} "{route.name}" not found', details)
        api_version = route.kind.api_version(route.version)
        exchange.reply(200, forms.one_body(form, route.kind, api_version, entry, self.cluster.clock()))

    def _keep(self, kind: Kind, query: Mapping[str, str]) -> Callable[[Entry], bool] | None:
        try:
            labels = label_selector(query.get("labelSelector", ""))
            fields = field_selector(kind, query.get("fieldSelector", ""))
        except BadSelectorError as error:
            raise StatusError(400, "BadRequest", str(error)) from error
        if labels is None and fields is None:
            return None

        def keep(entry: Entry) -> bool:
            obj = entry.obj
            return (labels is None or labels(obj["metadata"].get("labels") or {})) and (fields is None or fields(obj))

        return keep

    def _list(self, exchange: Exchange, route: Route, faults: Faults) -> None:
        query, cluster = exchange.request.query, self.cluster
        store = cluster.stores[route.kind.plural]
        form = self._form(exchange, tables=faults.get(NoTable) is None)
        keep = self._keep(route.kind, query)
        limit = int(query.get("limit") or 0)
        current = cluster.versions.current
        after, token_version = _decode_continue(query)
        if faults.get(ExpiredContinue):
            raise _expired_continue(after)
        asked = int(query.get("resourceVersion") or 0)
        if max(asked, token_version) > current:
            raise _too_large(max(asked, token_version), current)
        exact = query.get("resourceVersionMatch") == "Exact"
        # A token of version -1 is the inconsistent one: it goes on from its key at the newest version.
        at = token_version if token_version > 0 else asked if exact else current
        try:
            page = store.page(route.namespace, after, limit, at, keep)
        except ExpiredError as error:
            raise (_expired_continue(after) if after else _status(410)) from error
        metadata: dict[str, Any] = {"resourceVersion": str(at)}
        if page.more:
            metadata["continue"] = encode_continue(at, page.last_key + "\x00")
            if keep is None:
                metadata["remainingItemCount"] = page.remaining
        api_version = route.kind.api_version(route.version)
        body = forms.list_body(form, route.kind, api_version, page.entries, metadata, cluster.clock())
        if faults.get(CloseMidChunk):
            exchange.begin_stream()
            exchange.cut_chunk(body)
            return
        exchange.reply(200, body)

    def _watch(self, exchange: Exchange, route: Route, faults: Faults) -> None:
        query, cluster = exchange.request.query, self.cluster
        store: ResourceStore = cluster.stores[route.kind.plural]
        form = self._form(exchange, tables=faults.get(NoTable) is None)
        keep = self._keep(route.kind, query)
        if query.get("sendInitialEvents") and query.get("resourceVersionMatch") != "NotOlderThan":
            why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            causes = [{"reason": "FieldValueForbidden", "message": why, "field": "resourceVersionMatch"}]
            details = {"group": "meta.k8s.io", "kind": "ListOptions", "causes": causes}
            message = f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {why}'
            raise StatusError(422, "Invalid", message, details)
        since = query.get("resourceVersion") or "0"
        if not since.isdigit():
            message = f'resourceVersion: Invalid value: "{since}": strconv.ParseUint: parsing "{since}": invalid syntax'
            raise StatusError(500, "", message)
        scope = Scope(route.kind, route.kind.api_version(route.version), route.namespace, keep)
        watch = Watch(exchange, store, scope, form, faults, query, cluster.clock, cluster.bookmark_every)
        with cluster.watching(watch):
            watch.run()


def _status(code: int, retry_after: int | None = None) -> StatusError:
    reason, message = _REASONS.get(code, ("Unknown", f"simulated answer {code}"))
    return StatusError(code, reason, message, retry_after=retry_after)


def _too_large(asked: int, current: int) -> StatusError:
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return StatusError(504, "Timeout", message, {"causes": causes}, retry_after=1)


def _expired_continue(after: str) -> StatusError:
    return StatusError(410, "Expired", _INCONSISTENT, metadata={"continue": encode_continue(-1, after)})


def encode_continue(version: int, start: str) -> str:
    token = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def _decode_continue(query: Mapping[str, str]) -> tuple[str, int]:
    """The start key and the version of a continue token; ("", 0) without one."""
    token = query.get("continue")
    if not token:
        return "", 0
    if query.get("resourceVersion"):
        raise StatusError(400, "BadRequest", "specifying resource version is not allowed when using continue")
    try:
        decoded = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return str(decoded["start"]), int(decoded["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise StatusError(400, "BadRequest", f"invalid continue token: continue key is not valid: {error}") from error
