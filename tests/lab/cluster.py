"""The lab's administrator: creates, changes, reads and deletes objects on the API server, and waits for what they become."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.lab.build import ensure
from tests.lab.certificates import Certificate
from tests.lab.control_plane import ApiServer
from tests.lab.kubeconfig import certificate_user
from tests.lab.loopback import TIMEOUT, new_session
from tests.lab.waiting import wait_until

Object = dict[str, Any]
Reference = Mapping[str, Any]
"""Anything with apiVersion, kind and metadata (name, namespace): a manifest, or what `objects.reference` makes."""


class ApiError(RuntimeError):
    """The API server refused; `code` is the status code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Cluster:
    """A client with all rights. Objects are plain dictionaries, as in a manifest."""

    def __init__(self, apiserver: ApiServer, folder: Path, user: str = "lab-admin") -> None:
        self._apiserver = apiserver
        self._session = new_session()
        self._session.verify = str(apiserver.authority.certificate)
        certificate: Certificate = apiserver.user(user)
        self._session.cert = (str(certificate.certificate), str(certificate.key))
        self.kubeconfig = apiserver.kubeconfig(folder / f"{user}.kubeconfig", certificate_user(certificate))
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    def apply(self, *objects: Object) -> Object:
        """Server-side apply, as manager `lab`; returns the last object as it now stands. Raises ApiError."""
        result: Object = {}
        for one in objects:
            result = self._call(
                "PATCH",
                self._path(one),
                json.dumps(one),
                {"Content-Type": "application/apply-patch+yaml"},
                {"fieldManager": "lab", "force": "true"},
            )
        return result

    def create(self, one: Object, manager: str = "lab") -> Object:
        """Creates an object. Raises ApiError, with code 409 when it is there already."""
        return self._call("POST", self._path(one, named=False), json.dumps(one), _JSON, {"fieldManager": manager})

    def get(self, reference: Reference) -> Object | None:
        """The object, or None when there is none."""
        try:
            return self._call("GET", self._path(reference))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, api_version: str, kind: str, namespace: str = "") -> list[Object]:
        """All objects of a kind, in one namespace or everywhere."""
        reference = {"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace}}
        return list(self._call("GET", self._path(reference, named=False))["items"])

    def patch(self, reference: Reference, change: Object, subresource: str = "", manager: str = "lab") -> Object:
        """A merge patch, of the object or of one subresource such as `status`."""
        path = self._path(reference) + (f"/{subresource}" if subresource else "")
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._call("PATCH", path, json.dumps(change), headers, {"fieldManager": manager})

    def delete(self, reference: Reference, wait: bool = True) -> None:
        """Deletes an object; with `wait` returns when it is gone. One that is not there is no error."""
        try:
            self._call("DELETE", self._path(reference), json.dumps({"propagationPolicy": "Background"}), _JSON)
        except ApiError as error:
            if error.code != 404:
                raise
        if wait:
            self.wait_gone(reference)

    def wait_for(
        self, reference: Reference, predicate: Callable[[Object], Any] = bool, timeout: float = 30.0, what: str = ""
    ) -> Object:
        """Waits until the object is there and satisfies `predicate`; returns it. Raises NotYetError."""

        def look() -> Object | None:
            found = self.get(reference)
            if found is None:
                return None
            assert predicate(found), f"it stands at {json.dumps(found.get('status'))[:600]}"
            return found

        return wait_until(f"{_told(reference)} {what or 'as wanted'}", look, timeout)

    def wait_ready(self, reference: Reference, status: str = "True", timeout: float = 60.0) -> Object:
        """Waits until the object's Ready condition has this status; returns the object."""
        return self.wait_for(
            reference, lambda found: condition(found).get("status") == status, timeout, what=f"is Ready={status}"
        )

    def wait_gone(self, reference: Reference, timeout: float = 60.0) -> None:
        """Waits until the object is not there any more."""
        wait_until(f"{_told(reference)} is gone", lambda: self.get(reference) is None, timeout)

    def service_account_token(self, namespace: str, name: str, seconds: int = 7200) -> str:
        """A new token of a ServiceAccount, as a Pod would have it."""
        reference = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        answer = self._call("POST", self._path(reference) + "/token", json.dumps(body), _JSON)
        return str(answer["status"]["token"])

    def service_account_kubeconfig(self, path: Path, namespace: str, name: str, address: str = "") -> Path:
        """Writes a kubeconfig by which a program runs as this ServiceAccount; `address` as that of a proxy."""
        token = self.service_account_token(namespace, name)
        return self._apiserver.kubeconfig(path, {"token": token}, address)

    def openapi(self, path: str) -> Object:
        """A document of the API server's OpenAPI, such as `/openapi/v3/apis/apps/v1`."""
        return self._call("GET", path)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Runs the real kubectl; returns its standard output. For what must carry kubectl's own marks."""
        command = [str(ensure("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(arguments[:3])} failed: {done.stderr.strip()}")
        return done.stdout

    def _path(self, reference: Reference, named: bool = True) -> str:
        version, metadata = reference["apiVersion"], reference.get("metadata", {})
        plural, namespaced = self._plural(version, reference["kind"])
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        namespace = metadata.get("namespace") or ""
        if namespaced and named and not namespace:
            raise ValueError(f"{_told(reference)} needs a namespace")
        scope = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{root}{scope}/{plural}" + (f"/{metadata['name']}" if named else "")

    def _plural(self, version: str, kind: str) -> tuple[str, bool]:
        if (version, kind) not in self._plurals:
            root = f"/apis/{version}" if "/" in version else f"/api/{version}"
            for one in self._call("GET", root)["resources"]:
                if "/" not in one["name"]:
                    self._plurals[version, one["kind"]] = (one["name"], one["namespaced"])
        return self._plurals[version, kind]

    def _call(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Object:
        url = self._apiserver.address + path
        for _ in range(100):
            answer = self._session.request(method, url, data=body, headers=headers, params=parameters, timeout=TIMEOUT)
            if answer.status_code != 429:  # "storage is (re)initializing": a CRD was just changed
                break
            time.sleep(0.1)
        if not answer.ok:
            raise ApiError(answer.status_code, f"{method} {path}: {answer.text[:500]}")
        answered: Object = answer.json()
        return answered


def condition(one: Mapping[str, Any], kind: str = "Ready") -> dict[str, Any]:
    """The object's condition of this type, or an empty dictionary."""
    conditions = one.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found.get("type") == kind), {})


_JSON = {"Content-Type": "application/json"}


def _told(reference: Reference) -> str:
    metadata = reference.get("metadata", {})
    return f"{reference['kind']} {metadata.get('namespace', '')}/{metadata.get('name', '')}"
