"""The simulated API server of `exporter/demo` beside the real one: the same questions, the same answers.

Both hold the same objects. What must differ (resource versions, continue tokens, ages, values of Secrets, the prose of
column descriptions) is blanked; everything else is compared as it stands.
"""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from exporter.demo.cluster import SimulatedCluster
from tests.lab.build import ensure
from tests.lab.cluster import Cluster
from tests.lab.loopback import new_session
from tests.lab.servers import BareCluster, install_crds

Object = dict[str, Any]

TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PLAIN = "application/json"

SECRETS = "/api/v1/namespaces/shop/secrets"
ES = "/apis/external-secrets.io/v1/namespaces/shop/externalsecrets"
STREAMED = "watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=2"


@dataclass
class Both:
    """The real API server and the double, asked alike."""

    real: Cluster
    bare: BareCluster
    double: SimulatedCluster
    session: requests.Session

    def mirror(self, reference: Object) -> None:
        """Bring one object of the double to what the real server has (or has not)."""
        stands = self.real.get(reference)
        if stands is None:
            metadata = reference["metadata"]
            self.double.delete(reference["kind"], metadata.get("namespace", ""), metadata["name"])
            return
        if stands["kind"] == "Secret":
            stands["data"] = dict.fromkeys(stands.get("data", {}), "")
        self.double.apply(stands)

    def ask(self, path: str, accept: str, stream: bool = False, packed: bool = False) -> list[requests.Response]:
        """The real answer and the double's."""
        headers = {"Accept": accept, "Accept-Encoding": "gzip" if packed else "identity"}
        return [
            self.session.get(address + path, headers=headers, stream=stream, timeout=30) for address in self._addresses
        ]

    def one(self, which: int, path: str, accept: str) -> requests.Response:
        """The begun answer of the real server (0) or of the double (1)."""
        headers = {"Accept": accept, "Accept-Encoding": "gzip"}
        return self.session.get(self._addresses[which] + path, headers=headers, stream=True, timeout=30)

    @property
    def _addresses(self) -> list[str]:
        return [self.bare.apiserver.address, self.double.url]

    def versions(self, path: str) -> list[str]:
        answers = self.ask(f"{path}?limit=1", METADATA_LIST)
        return [str(answer.json()["metadata"]["resourceVersion"]) for answer in answers]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    bare = BareCluster(tmp_path_factory.mktemp("conformance"))
    try:
        bare.start()
        install_crds(bare.cluster)
        session = new_session()
        user = bare.apiserver.user("conformance")
        session.verify = str(bare.apiserver.authority.certificate)
        session.cert = (str(user.certificate), str(user.key))
        with SimulatedCluster() as double:
            made = Both(bare.cluster, bare, double, session)
            for kind in ("ExternalSecret", "SecretStore", "ClusterSecretStore"):
                # Just installed, a kind is answered with 429 "storage is (re)initializing"; the administrator waits for it.
                bare.cluster.list("external-secrets.io/v1", kind)
            for one in _objects():
                bare.cluster.create(one)
                made.mirror(one)
            yield made
    finally:
        bare.stop()


def _objects() -> list[Object]:
    made: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("shop", "shop-b")
    ]
    made += [_secret("shop", f"s{index}", labels={"app": "web" if index % 2 else "api"}) for index in range(5)]
    made.append({**_secret("shop", "token"), "type": "example.com/token"})
    made.append(_secret("shop-b", "other"))
    made += [_external_secret("shop", name) for name in ("db", "mail")]
    return made


def _secret(namespace: str, name: str, **metadata: Any) -> Object:
    metadata = {"namespace": namespace, "name": name, **metadata}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"user": "x", "password": "y"}}


def _external_secret(namespace: str, name: str) -> Object:
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault-backend"},
            "data": [{"secretKey": "a", "remoteRef": {"key": "k", "property": "p"}}],
        },
    }


# -- what must differ -------------------------------------------------------------------------------------------------


def blank(value: Any, inside: str = "") -> Any:
    """The answer without what must differ between two clusters."""
    if isinstance(value, dict):
        return {key: _blanked(key, one, inside) for key, one in value.items()}
    if isinstance(value, list):
        return [blank(one, inside) for one in value]
    return value


def _blanked(key: str, value: Any, inside: str) -> Any:
    if key in ("resourceVersion", "description"):
        return f"<{key}>"
    if key == "continue" and value:
        return "<token>"
    if key == "data" and isinstance(value, dict):
        return dict.fromkeys(value, "<value>")
    if key == "cells" and len(value) == 4 and value[0]:
        return [*value[:3], "<age>"]
    return blank(value, key)


# -- lists --------------------------------------------------------------------------------------------------------------

LISTS = [
    (f"{SECRETS}?includeObject=Metadata", TABLE),
    (f"{SECRETS}?limit=2&includeObject=Metadata", TABLE),
    (f"{SECRETS}?limit=2", METADATA_LIST),
    (f"{SECRETS}?limit=2", PLAIN),
    (f"{SECRETS}?includeObject=None", TABLE),
    (f"{SECRETS}?includeObject=Object&limit=1", TABLE),
    (f"{SECRETS}?labelSelector=app%3Dweb&limit=1", METADATA_LIST),
    (f"{SECRETS}?labelSelector=app+in+(web,api),app!%3Dweb", METADATA_LIST),
    (f"{SECRETS}?labelSelector=!app", METADATA_LIST),
    (f"{SECRETS}?fieldSelector=type!%3DOpaque&includeObject=Metadata", TABLE),
    (f"{SECRETS}?fieldSelector=metadata.name%3Ds3", METADATA_LIST),
    (f"{SECRETS}?fieldSelector=metadata.name%3Dnone&includeObject=Metadata", TABLE),
    ("/api/v1/secrets?limit=2&includeObject=Metadata", TABLE),
    ("/api/v1/namespaces?fieldSelector=metadata.name%3Dshop", METADATA_LIST),
    ("/api/v1/namespaces/nowhere/secrets", METADATA_LIST),
    (ES, PLAIN),
    (f"{ES}?limit=1", PLAIN),
    (f"{ES}?limit=1", METADATA_LIST),
    (f"{ES}?includeObject=Metadata", TABLE),
    (f"{ES}?fieldSelector=spec.secretStoreRef.name%3Dvault-backend", PLAIN),
    ("/apis/external-secrets.io/v1/clustersecretstores", PLAIN),
    (f"{SECRETS}/s1", METADATA),
    ("/apis/external-secrets.io", PLAIN),
]


@pytest.mark.parametrize(("path", "accept"), LISTS)
def test_the_same_list(both: Both, path: str, accept: str) -> None:
    real, double = both.ask(path, accept)
    assert (real.status_code, real.headers["Content-Type"]) == (double.status_code, double.headers["Content-Type"])
    assert blank(double.json()) == blank(real.json())


def test_pages_end_alike(both: Both) -> None:
    tokens = ["", ""]
    for _ in range(10):
        answers = [
            both.one(index, f"/api/v1/secrets?limit=3&includeObject=Metadata&continue={token}", TABLE).json()
            for index, token in enumerate(tokens)
        ]
        assert blank(answers[0]) == blank(answers[1])
        tokens = [answer["metadata"].get("continue", "") for answer in answers]
        if not any(tokens):
            return
    raise AssertionError("the list does not end")


def test_metadata_of_a_custom_list_comes_last(both: Both) -> None:
    for answer in both.ask(ES, PLAIN):
        assert list(answer.json()) == ["apiVersion", "items", "kind", "metadata"]


# -- refusals -----------------------------------------------------------------------------------------------------------

REFUSED = [
    (SECRETS, METADATA),
    (SECRETS, "application/json;as=Unknown;g=meta.k8s.io;v=v1"),
    (SECRETS, "application/json;as=Table;g=meta.k8s.io;v=v7"),
    (f"{SECRETS}?includeObject=Everything", TABLE),
    (f"{SECRETS}?fieldSelector=data%3Dx", TABLE),
    (f"{ES}?fieldSelector=spec.data%3Dx", PLAIN),
    (f"{SECRETS}/nowhere", METADATA),
    (f"{SECRETS}/s1", METADATA_LIST),
    ("/apis/external-secrets.io/v9/externalsecrets", PLAIN),
    ("/apis/nobody.example/v1/things", PLAIN),
    ("/apis/nobody.example", PLAIN),
    (f"{SECRETS}?watch=1&sendInitialEvents=true", METADATA),
    (f"{SECRETS}?watch=1&resourceVersion=abc", METADATA),
]


@pytest.mark.parametrize(("path", "accept"), REFUSED)
def test_the_same_refusal(both: Both, path: str, accept: str) -> None:
    real, double = both.ask(path, accept)
    assert (double.status_code, double.headers["Content-Type"]) == (real.status_code, real.headers["Content-Type"])
    if real.headers["Content-Type"] == PLAIN:
        told, other = real.json(), double.json()
        # Which Go type it was is the real server's inside.
        told["message"] = told["message"].replace("*core.", "*v1.")
        assert other == told
    else:
        assert double.text == real.text


def test_a_version_of_the_future(both: Both) -> None:
    real, double = both.ask(f"{SECRETS}?resourceVersion=99999999", METADATA_LIST)
    assert real.status_code == double.status_code == 504
    assert real.headers["Retry-After"] == double.headers["Retry-After"]
    told, other = real.json(), double.json()
    assert told["message"].split(", current")[0] == other["message"].split(", current")[0]
    assert {**told, "message": ""} == {**other, "message": ""}
    # A watch says nothing at all: neither events nor bookmarks before that version is reached.
    path = f"{SECRETS}?watch=1&allowWatchBookmarks=true&timeoutSeconds=4&resourceVersion=99999999"
    assert [(answer.status_code, answer.text) for answer in both.ask(path, METADATA)] == [(200, ""), (200, "")]


# -- watches ------------------------------------------------------------------------------------------------------------


def lines(answer: requests.Response) -> list[Any]:
    """All events up to the end of the stream."""
    return [json.loads(line) for line in answer.iter_lines()]


def first_lines(answer: requests.Response, count: int) -> list[Any]:
    """The first events of a stream, which is left then."""
    with answer:
        return [json.loads(line) for line in itertools.islice(answer.iter_lines(chunk_size=1), count)]


FORMS = [(SECRETS, TABLE), (SECRETS, METADATA), (SECRETS, PLAIN), (ES, TABLE), (ES, METADATA), (ES, PLAIN)]


@pytest.mark.parametrize(("path", "accept"), FORMS)
def test_the_same_streamed_list(both: Both, path: str, accept: str) -> None:
    answers = both.ask(f"{path}?{STREAMED}", accept, stream=True, packed=True)
    assert [answer.headers.get("Content-Encoding") for answer in answers] == ["gzip", "gzip"]
    count = len(both.ask(path, METADATA_LIST)[0].json()["items"]) + 1
    real, double = (first_lines(answer, count) for answer in answers)
    assert [event["type"] for event in real] == ["ADDED"] * (count - 1) + ["BOOKMARK"]
    assert blank(double) == blank(real)


@pytest.mark.parametrize("query", ["", "&resourceVersion=0"])
def test_a_watch_from_nothing_that_wants_bookmarks_is_a_streamed_list(both: Both, query: str) -> None:
    path = f"{ES}?watch=1&allowWatchBookmarks=1&timeoutSeconds=20{query}"
    real, double = (first_lines(answer, 3) for answer in both.ask(path, METADATA, stream=True))
    assert blank(double) == blank(real)
    assert real[2]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_watch_of_secrets_in_a_form_for_lists_is_empty(both: Both) -> None:
    """In 1.37 it ends at the first event, without sending it: no value escapes, and nothing comes."""
    answers = both.ask(f"{SECRETS}?watch=1&timeoutSeconds=20", METADATA_LIST)
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, ""), (200, "")]


def test_the_same_events(both: Both) -> None:
    """In every form: created, changed, deleted, and the bookmark that comes two seconds before the end."""
    query = "watch=1&allowWatchBookmarks=true&timeoutSeconds=6&includeObject=Metadata"
    streams = [
        (
            accept,
            [both.one(index, f"{path}?{query}&resourceVersion={version}", accept) for index, version in enumerate(at)],
        )
        for path, accept in FORMS
        if (at := both.versions(path))
    ]
    for path in (SECRETS, ES):
        change(both, path)
    for accept, answers in streams:
        real, double = (lines(answer) for answer in answers)
        assert all("Content-Encoding" not in answer.headers for answer in answers)
        assert [event["type"] for event in real[:4]] == ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"], accept
        # The real server may send its bookmark twice: it looks once a second whether one is due.
        assert blank(double[:4]) == blank(real[:4]), accept


def test_the_same_events_of_a_selection(both: Both) -> None:
    query = "watch=1&timeoutSeconds=3&labelSelector=seen"
    streams = [
        both.one(index, f"{SECRETS}?{query}&resourceVersion={version}", METADATA)
        for index, version in enumerate(both.versions(SECRETS))
    ]
    one = _secret("shop", "comes-and-goes")
    both.real.create(one)
    both.mirror(one)
    for labels in ({"seen": "1"}, {"seen": None}, {"seen": "2"}):
        both.real.patch(one, {"metadata": {"labels": labels}})
        both.mirror(one)
    both.real.delete(one)
    both.mirror(one)
    real, double = (lines(stream) for stream in streams)
    assert [event["type"] for event in real] == ["ADDED", "DELETED", "ADDED", "DELETED"]
    assert blank(double) == blank(real)


def change(both: Both, path: str) -> None:
    """Create, change and delete an object of that path's kind, on both."""
    one = _secret("shop", "passing") if path == SECRETS else _external_secret("shop", "passing")
    both.real.create(one)
    both.mirror(one)
    patch = {"stringData": {"third": "z"}} if path == SECRETS else {"spec": {"refreshInterval": "5m"}}
    both.real.patch(one, patch)
    both.mirror(one)
    both.real.delete(one)
    both.mirror(one)


def test_an_unchanged_object_makes_no_event(both: Both) -> None:
    one = _secret("shop", "s1")
    versions = both.versions(SECRETS)
    both.real.patch(one, {"metadata": {"labels": {"app": "web"}}})
    both.mirror(one)
    for index, version in enumerate(versions):
        path = f"{SECRETS}?watch=1&timeoutSeconds=1&resourceVersion={version}"
        assert both.one(index, path, METADATA).text == ""


# -- clients ------------------------------------------------------------------------------------------------------------


def test_kubectl_speaks_to_the_double(both: Both, tmp_path: Any) -> None:
    """The real kubectl, which is stricter than we are: discovery, Table lists and a watch."""
    kubeconfig = both.double.write_kubeconfig(tmp_path / "kubeconfig")
    out = kubectl(kubeconfig, "get", "externalsecrets", "-n", "shop")
    assert [line.split()[0] for line in out.splitlines()] == ["NAME", "db", "mail"]
    assert "vault-backend" in out
    out = kubectl(kubeconfig, "get", "secrets", "-A", "--chunk-size=2")
    assert "example.com/token" in out
    assert out.count("Opaque") >= 6
    assert "external-secrets.io" in kubectl(kubeconfig, "api-resources")


def kubectl(kubeconfig: Any, *arguments: str) -> str:
    command = [
        str(ensure("kubectl")),
        f"--kubeconfig={kubeconfig}",
        "--cache-dir",
        str(kubeconfig) + ".cache",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


# -- the end of history (last: the API server is started again for it) ------------------------------------------------


def test_the_same_end_of_history(both: Both) -> None:
    """A continue token, an exact version and a watch from before a compaction.

    The real API server answers from its own cache as long as it can, so that etcd's compaction alone shows nothing: it
    also has to be started again.
    """
    path = f"{SECRETS}?limit=2"
    tokens = [answer.json()["metadata"]["continue"] for answer in both.ask(path, METADATA_LIST)]
    old = both.versions(SECRETS)
    newer = _secret("shop", "newer")
    both.real.create(newer)
    both.mirror(newer)
    etcd = both.bare.etcd.address
    everything = {"key": base64.b64encode(b"\x00").decode(), "limit": 1}
    newest = requests.post(f"{etcd}/v3/kv/range", json=everything, timeout=10).json()["header"]["revision"]
    body = {"revision": newest, "physical": True}
    requests.post(f"{etcd}/v3/kv/compaction", json=body, timeout=10).raise_for_status()
    both.bare.apiserver.stop()
    both.bare.apiserver.start()
    both.double.compact()

    expired = [both.one(index, f"{path}&continue={token}", METADATA_LIST) for index, token in enumerate(tokens)]
    assert [answer.status_code for answer in expired] == [410, 410]
    real, double = (answer.json() for answer in expired)
    assert blank(double) == blank(real)

    offered = [answer["metadata"]["continue"] for answer in (real, double)]
    rest = [both.one(index, f"{path}&continue={token}", METADATA_LIST).json() for index, token in enumerate(offered)]
    assert [item["metadata"]["name"] for item in rest[0]["items"]] == ["s2", "s3"]
    assert blank(rest[1]) == blank(rest[0])

    exact = [
        both.one(index, f"{SECRETS}?resourceVersionMatch=Exact&resourceVersion={version}", METADATA_LIST)
        for index, version in enumerate(old)
    ]
    assert [answer.status_code for answer in exact] == [410, 410]
    assert exact[1].json() == exact[0].json()

    watches = [
        both.one(index, f"{SECRETS}?watch=1&timeoutSeconds=5&resourceVersion={version}", METADATA)
        for index, version in enumerate(old)
    ]
    assert [answer.status_code for answer in watches] == [200, 200]
    (told,), (other,) = (lines(answer) for answer in watches)
    assert (told["type"], told["object"]["code"], told["object"]["reason"]) == ("ERROR", 410, "Expired")
    for event in (told, other):
        event["object"]["message"] = event["object"]["message"].split(":")[0]
    assert other == told
