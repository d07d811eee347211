"""Every way to make the real operator fail that real servers allow: what must be set up, and one ExternalSecret for each."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import objects
from tests.lab.certificates import Authority
from tests.lab.cluster import ApiError, Cluster
from tests.lab.keybuzz import PLANTED
from tests.lab.loopback import LOOPBACK, TIMEOUT, free_port, new_session
from tests.lab.objects import Object
from tests.lab.openbao import OpenBao
from tests.lab.servers import Lab
from tests.lab.waiting import wait_until
from tests.vault.faults import FaultServer, answering, response, serving

TOKEN = {"name": "vault-token", "key": "token"}
PATH = "secret/errors"
"""One path that exists, with a value that must never be seen."""


@dataclass(frozen=True)
class Case:
    """One failing ExternalSecret and the class that the exporter must give it."""

    name: str
    error: str


# name, class, and what of the ExternalSecret differs from a healthy one: its store, and fields of its spec.
_ITEM = {"secretKey": "password", "remoteRef": {"key": "errors", "property": "password"}}


def _data(**remote: Any) -> Object:
    return {"data": [{"secretKey": "password", "remoteRef": {**_ITEM["remoteRef"], **remote}}]}


def _generator(name: str) -> Object:
    ref = {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "VaultDynamicSecret", "name": name}
    return {"data": [], "dataFrom": [{"sourceRef": {"generatorRef": ref}}]}


def _template(text: str) -> Object:
    return {"target": {"template": {"data": {"made": text}}}}


_REWRITE = [{"regexp": {"source": "(.*)", "target": "bad key $1"}}]
_CASES: tuple[tuple[str, str, str, Object], ...] = (
    ("path-missing", "path_missing", "good", _data(key="nowhere")),
    ("extract-missing", "path_missing", "good", {"data": [], "dataFrom": [{"extract": {"key": "nowhere"}}]}),
    ("metadata-missing", "path_missing", "good", _data(key="nowhere", metadataPolicy="Fetch")),
    ("property-missing", "property_missing", "good", _data(property="nothing")),
    ("decode", "decode_error", "good", _data(decodingStrategy="Base64")),
    ("conversion", "decode_error", "good", {"data": [], "dataFrom": [{"extract": {"key": "alike"}}]}),
    (
        "rewrite",
        "decode_error",
        "good",
        {
            "data": [],
            "dataFrom": [{"extract": {"key": "errors"}, "rewrite": [{"regexp": {"source": "(", "target": ""}}]}],
        },
    ),
    (
        "invalid-keys",
        "invalid_keys",
        "good",
        {"data": [], "dataFrom": [{"extract": {"key": "errors"}, "rewrite": _REWRITE}]},
    ),
    ("invalid-template-key", "invalid_keys", "good", {"target": {"template": {"data": {"bad key": "x"}}}}),
    ("template-parse", "template_error", "good", _template("{{ nonsense .password }}")),
    ("template-value", "template_error", "good", _template("{{ fail .password }}")),
    (
        "template-from",
        "template_error",
        "good",
        {"target": {"template": {"templateFrom": [{"configMap": {"name": "nowhere", "items": [{"key": "x"}]}}]}}},
    ),
    (
        "api-refuses",
        "api_error",
        "good",
        {"target": {"template": {"metadata": {"labels": {"label": "not valid!"}}}}},
    ),
    (
        "api-refuses-update",
        "api_error",
        "good",
        {"target": {"name": "there", "template": {"metadata": {"labels": {"label": "not valid!"}}}}},
    ),
    ("api-forbids", "api_error", "good", {"target": {"name": "forbidden"}}),
    ("permission", "permission_denied", "narrow", {}),
    ("kubernetes-permission", "permission_denied", "*kubernetes", _data(key="vault-token", property="token")),
    ("token-revoked", "auth_failed", "revoked", {}),
    ("approle-revoked", "auth_failed", "approle", {}),
    ("rate-limited", "rate_limited", "limited", {}),
    ("store-missing", "store_missing", "nowhere", {}),
    ("cluster-store-missing", "store_missing", "*nowhere", {}),
    ("store-not-ready", "store_not_ready", "wrong", {}),
    ("store-denied", "store_denied", "*denied", {}),
    ("sealed", "vault_sealed", "*sealed", {}),
    ("uninitialized", "vault_sealed", "*uninitialized", {}),
    ("refused", "connection_refused", "*refused", {}),
    ("dns", "dns", "*dns", {}),
    ("tls-unknown-authority", "tls", "*tls", {}),
    ("tls-to-plain", "tls", "*plain", {}),
    ("plain-to-tls", "tls", "*secure", {}),
    ("bad-gateway", "vault_unavailable", "*gateway", {}),
    ("reset", "connection_refused", "*reset", {}),
    ("hangs-up", "connection_refused", "*hangsup", {}),
    ("silent", "timeout", "*silent", {}),
    ("silent-handshake", "timeout", "*handshake", {}),
    ("login-secret-missing", "auth_failed", "*secretless", {}),
    ("login-account-missing", "auth_failed", "*accountless", {}),
    ("generator-missing", "generator_error", "good", _generator("nowhere")),
    ("generator-fails", "generator_error", "good", _generator("failing")),
    ("owned", "owned_by_other", "good", {"target": {"name": "first"}}),
    ("taken", "ownership_conflict", "good", {"target": {"name": "taken"}}),
    ("immutable", "immutable_target", "good", {"target": {"name": "immutable"}}),
    (
        "delete-conflict",
        "delete_conflict",
        "good",
        {
            **_data(key="nowhere"),
            "target": {"name": "kept", "creationPolicy": "Merge", "deletionPolicy": "Delete"},
        },
    ),
)
"""A store's name with * is that of a ClusterSecretStore."""

CASES = tuple(Case(name, error) for name, error, _, _ in _CASES)


def external_secret(namespace: str, name: str, store: str, spec: Mapping[str, Any]) -> Object:
    """One that would be healthy but for what `spec` replaces."""
    cluster_wide = store.startswith("*")
    ref = {
        "name": f"{namespace}-{store[1:]}" if cluster_wide else store,
        "kind": "ClusterSecretStore" if cluster_wide else "SecretStore",
    }
    return {
        **objects.reference(objects.ESO_GROUP, "ExternalSecret", name, namespace),
        "spec": {"refreshInterval": "1h", "secretStoreRef": ref, "data": [_ITEM], **spec},
    }


class Failing:
    """Sets everything up in one namespace, and leaves nothing that other tests could meet."""

    def __init__(self, lab: Lab, folder: Path, namespace: str) -> None:
        self.lab = lab
        self.namespace = namespace
        self._folder = folder
        self._cluster: Cluster = lab.cluster
        self._bao: OpenBao = lab.openbao

    @contextlib.contextmanager
    def provoked(self) -> Iterator[None]:
        """All cases of the table, failing."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._clean)
            addresses = self._servers(stack)
            self._vault()
            self._stores(addresses)
            self._break()
            self._cluster.apply(external_secret(self.namespace, "first", "good", {}))
            self._cluster.wait_ready(external_secret(self.namespace, "first", "good", {}))
            self._cluster.apply(
                *(external_secret(self.namespace, name, store, spec) for name, _, store, spec in _CASES)
            )
            yield

    def _servers(self, stack: contextlib.ExitStack) -> dict[str, str]:
        """Servers that answer as no good Vault does; their addresses by the name of the store."""
        sealed = OpenBao(self._folder, "sealed-openbao")
        sealed.start()
        stack.callback(sealed.stop)
        sealed.seal()
        certificate = Authority(self._folder / "unknown-authority", "unknown").server("stranger")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        uninitialized = OpenBao(self._folder, "uninitialized-openbao")
        uninitialized.start_sealed()
        stack.callback(uninitialized.stop)
        gateway = answering(lambda _: response(502, b"<html>bad gateway</html>", "text/html"))
        plain = stack.enter_context(serving(gateway))
        secure = stack.enter_context(serving(gateway, context))
        return {
            "sealed": sealed.address,
            "refused": f"http://{LOOPBACK}:{free_port()}",
            "dns": "http://no-such-vault.invalid:8200",
            "tls": secure.address,
            "plain": self._bao.address.replace("http:", "https:"),
            "handshake": plain.address.replace("http:", "https:"),
            "secure": self.lab.apiserver.address.replace("https:", "http:"),
            "gateway": plain.address,
            "reset": stack.enter_context(serving(_reset)).address,
            "hangsup": stack.enter_context(
                serving(lambda connection, server: server.head(connection) and None)
            ).address,
            "uninitialized": uninitialized.address,
            "kubernetes": self.lab.apiserver.address,
            "silent": stack.enter_context(serving(_silent)).address,
            "secretless": self._bao.address,
            "accountless": self._bao.address,
            "denied": self._bao.address,
        }

    def _vault(self) -> None:
        self._bao.put(PATH, {"password": PLANTED})
        self._bao.put("secret/alike", {"a b": PLANTED, "a?b": PLANTED})
        self._call("POST", "sys/mounts/limited", {"type": "kv", "options": {"version": "1"}})
        self._call("POST", "limited/errors", {"password": PLANTED})
        self._bao.policy("errors-narrow", 'path "secret/data/elsewhere" { capabilities = ["read"] }')
        self._call("POST", "sys/auth/approle", {"type": "approle"})
        self._call("POST", "auth/approle/role/errors", {"token_policies": "eso"})
        self.tokens = {
            TOKEN["name"]: self._bao.token("eso"),
            "narrow": self._bao.token("errors-narrow"),
            "revoked": self._bao.token("eso"),
            "wrong": "s.nonsense",
            "approle": self._call("POST", "auth/approle/role/errors/secret-id")["data"]["secret_id"],
        }
        account = objects.reference("v1", "ServiceAccount", "nobody", self.namespace)
        self._cluster.apply(account)
        self.tokens["nobody"] = self._cluster.service_account_token(self.namespace, "nobody")
        for name, token in self.tokens.items():
            self._cluster.apply(objects.secret(self.namespace, name, {"token": token}))

    def _stores(self, addresses: Mapping[str, str]) -> None:
        made = []
        for name, token, path in (
            ("good", TOKEN["name"], "secret"),
            ("narrow", "narrow", "secret"),
            ("revoked", "revoked", "secret"),
            ("limited", TOKEN["name"], "limited"),
        ):
            ref = {"name": token, "key": "token"}
            version = "v1" if name == "limited" else "v2"
            one = objects.vault_store(
                name, self._bao.address, path=path, version=version, token=ref, namespace=self.namespace
            )
            made.append(one)
        role = self._call("GET", "auth/approle/role/errors/role-id")["data"]["role_id"]
        approle = objects.vault_store("approle", self._bao.address, token=TOKEN, namespace=self.namespace)
        auth = {"path": "approle", "roleId": role, "secretRef": {"name": "approle", "key": "token"}}
        approle["spec"]["provider"]["vault"]["auth"] = {"appRole": auth}
        made.append(approle)
        self._cluster.apply(*made)
        wrong = objects.vault_store(
            "wrong", self._bao.address, token={"name": "wrong", "key": "token"}, namespace=self.namespace
        )
        self._cluster.apply(wrong)
        for one in made:
            self._cluster.wait_ready(one)
        self._cluster.wait_ready(wrong, "False")
        # A ClusterSecretStore whose reference names no namespace is Ready without having been tried: so its
        # ExternalSecrets get as far as the provider.
        for name, address in addresses.items():
            store = objects.vault_store(f"{self.namespace}-{name}", address, token=TOKEN)
            provider = store["spec"]["provider"]["vault"]
            if name == "secretless":
                provider["auth"] = {"tokenSecretRef": {"name": "nowhere", "key": "token"}}
            if name == "accountless":
                account = {"mountPath": "kubernetes", "role": "eso", "serviceAccountRef": {"name": "nowhere"}}
                provider["auth"] = {"kubernetes": account}
            if name == "kubernetes":
                authority = base64.b64encode(self.lab.apiserver.authority.certificate.read_bytes()).decode()
                store["spec"]["provider"] = {
                    "kubernetes": {
                        "server": {"url": address, "caBundle": authority},
                        "remoteNamespace": self.namespace,
                        "auth": {"token": {"bearerToken": {"name": "nobody", "key": "token"}}},
                    }
                }
            if name == "denied":
                store["spec"]["conditions"] = [{"namespaces": ["elsewhere"]}]
            self._cluster.apply(store)
            self._cluster.wait_ready(store)

    def _break(self) -> None:
        """What breaks only after its store was found good, and what stands in the way of the targets."""
        self._call("POST", "auth/token/revoke", {"token": self.tokens["revoked"]})
        self._call("DELETE", "auth/approle/role/errors")
        self._call("POST", "sys/quotas/rate-limit/errors", {"path": "limited/", "rate": 1, "interval": "1h"})
        with contextlib.suppress(RuntimeError):  # uses up the one request
            self._call("GET", "limited/errors")
        owner = objects.reference("v1", "ConfigMap", "owner", self.namespace)
        uid = self._cluster.create(owner)["metadata"]["uid"]
        taken = objects.secret(self.namespace, "taken", {"password": PLANTED})
        taken["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "controller": True}
        ]
        immutable = {**objects.secret(self.namespace, "immutable", {"password": "older"}), "immutable": True}
        kept = objects.secret(self.namespace, "kept", {"password": PLANTED})
        there = objects.secret(self.namespace, "there", {"password": PLANTED})
        failing = {
            **objects.reference(
                "generators.external-secrets.io/v1alpha1", "VaultDynamicSecret", "failing", self.namespace
            ),
            "spec": {
                "path": "database/nowhere",
                "provider": {"server": self._bao.address, "auth": {"tokenSecretRef": TOKEN}},
            },
        }
        self._cluster.apply(taken, immutable, kept, there, failing)
        self._forbid("forbidden")

    def _forbid(self, secret: str) -> None:
        """A policy of the cluster that admits no Secret of that name, as Kyverno or a quota would."""
        admission = "admissionregistration.k8s.io/v1"
        policy = objects.reference(admission, "ValidatingAdmissionPolicy", self.namespace)
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}
        policy["spec"] = {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": f"object.metadata.name != '{secret}'"}],
        }
        binding = objects.reference(admission, "ValidatingAdmissionPolicyBinding", self.namespace)
        here = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        binding["spec"] = {
            "policyName": self.namespace,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": here},
        }
        self._cluster.apply(policy, binding)

        def refused() -> bool:
            one = objects.secret(self.namespace, secret)
            try:
                self._cluster.create(one)
            except ApiError:
                return True
            self._cluster.delete(one)
            return False

        wait_until("the policy holds", refused, every=0.5)

    def _clean(self) -> None:
        for store in self._cluster.list(objects.ESO_GROUP, "ClusterSecretStore"):
            name = store["metadata"]["name"]
            if name.startswith(f"{self.namespace}-"):
                reference = objects.reference(objects.ESO_GROUP, "ClusterSecretStore", name)
                self._cluster.delete(reference, wait=False)
        for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
            reference = objects.reference("admissionregistration.k8s.io/v1", kind, self.namespace)
            self._cluster.delete(reference, wait=False)
        for path in ("sys/quotas/rate-limit/errors", "sys/mounts/limited", "sys/auth/approle"):
            self._call("DELETE", path)
        for path in (PATH, "secret/alike"):
            self._bao.delete(path)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = new_session().request(
            method,
            f"{self._bao.address}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": self._bao.root_token},
            timeout=TIMEOUT,
        )
        if not answer.ok:
            raise RuntimeError(f"OpenBao answered {method} {path} with {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else {}


def _silent(connection: socket.socket, server: FaultServer) -> None:
    """Reads the request and never answers."""
    server.head(connection)
    server.closing.wait()


def _reset(connection: socket.socket, server: FaultServer) -> None:
    """Reads the request and resets the connection."""
    server.head(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
