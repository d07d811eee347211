"""What the account of `deploy/rbac.yaml` may do on a real API server: everything it needs, and nothing else."""

from __future__ import annotations

import pytest
import requests

from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, granted, install_rbac
from tests.lab.loopback import new_session
from tests.lab.servers import Lab

NOT_OURS = (
    ("GET", "/api/v1/namespaces/{namespace}/secrets/by-hand"),
    ("GET", "/api/v1/namespaces/{namespace}"),
    ("GET", "/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets/any"),
    ("GET", "/apis/generators.external-secrets.io/v1alpha1/generatorstates"),
    ("GET", "/api/v1/configmaps"),
    ("GET", "/api/v1/pods"),
    ("POST", "/api/v1/namespaces/{namespace}/secrets"),
    ("POST", "/api/v1/namespaces/{namespace}/events"),
    ("POST", "/api/v1/namespaces/{namespace}/serviceaccounts/default/token"),
    ("PUT", "/api/v1/namespaces/{namespace}/secrets/by-hand"),
    ("PATCH", "/api/v1/namespaces/{namespace}/secrets/by-hand"),
    ("DELETE", "/api/v1/namespaces/{namespace}/secrets/by-hand"),
    ("DELETE", "/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets"),
)


@pytest.fixture
def account(lab: Lab, cluster: Cluster) -> requests.Session:
    """A session as the exporter's account."""
    install_rbac(cluster)
    session = new_session()
    session.verify = str(lab.apiserver.authority.certificate)
    session.headers["Authorization"] = f"Bearer {cluster.service_account_token(NAMESPACE, ACCOUNT)}"
    return session


@pytest.mark.parametrize(("group", "resource"), sorted(granted()))
def test_it_may_list_and_watch_what_is_granted(account: requests.Session, lab: Lab, group: str, resource: str) -> None:
    # A name that the group does not have would be answered with 404.
    version = "v1alpha1" if "push" in resource or group.startswith("generators.") else "v1"
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    url = f"{lab.apiserver.address}{root}/{resource}"

    assert account.get(url, params={"limit": 1}, timeout=10).status_code == 200
    with account.get(url, params={"watch": 1, "timeoutSeconds": 1}, stream=True, timeout=10) as watch:
        assert watch.status_code == 200


@pytest.mark.parametrize(("method", "path"), NOT_OURS)
def test_it_may_do_nothing_else(
    account: requests.Session, cluster: Cluster, lab: Lab, namespace: str, method: str, path: str
) -> None:
    cluster.apply(objects.secret(namespace, "by-hand", {"key": "value"}))

    answer = account.request(method, lab.apiserver.address + path.format(namespace=namespace), json={}, timeout=10)

    assert answer.status_code == 403
