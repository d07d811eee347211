"""What is asked of the API server: paths, query parameters and headers of one resource in one scope."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from exporter.kube.decode import accept
from exporter.kube.resource import Form, Resource


class Request(NamedTuple):
    """One resource in one scope, as served in `version` ("v1") and read in `form`."""

    resource: Resource
    version: str
    form: Form
    scope: str
    label_selector: str = ""

    @property
    def api_version(self) -> str:
        """As objects tell it: `external-secrets.io/v1`, `v1`."""
        return f"{self.resource.group}/{self.version}" if self.resource.group else self.version

    @property
    def path(self) -> str:
        """`/api/v1/secrets`, `/apis/external-secrets.io/v1/namespaces/shop/externalsecrets`."""
        root = "/apis" if self.resource.group else "/api"
        scope = f"/namespaces/{quote(self.scope, safe='')}" if self.scope else ""
        return f"{root}/{self.api_version}{scope}/{self.resource.name}"

    def accept(self, *, watch: bool) -> str:
        """The Accept header."""
        return accept(self.form, watch=watch)

    def list_query(self, limit: int, token: str) -> dict[str, str]:
        """No resourceVersion: the newest state, in pages. (With "0" some servers ignore the limit.)"""
        query = {**self._selection(), "limit": str(limit)}
        if token:
            query["continue"] = token
        return query

    def watch_query(self, version: str, seconds: int) -> dict[str, str]:
        """A watch of everything after `version`, which the server ends after `seconds`."""
        return {
            **self._selection(),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }

    def _selection(self) -> dict[str, str]:
        query = {}
        if self.form == "table":
            query["includeObject"] = "Metadata"  # never "Object", which would send the values
        if self.resource.field_selector:
            query["fieldSelector"] = self.resource.field_selector
        labels = ",".join(filter(None, (self.resource.label_selector, self.label_selector)))
        if labels:
            query["labelSelector"] = labels
        return query
