"""The keybuzz story: its start state is stable and complete, and every step has the outcome it tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from exporter.demo import keybuzz
from exporter.demo.demo import Demo
from tests.demo.client import METADATA_LIST, get


@pytest.fixture
def demo() -> Iterator[Demo]:
    with Demo(scale=0.01) as started:
        yield started


def eventually(check: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def ready(demo: Demo, namespace: str, name: str) -> str:
    es = demo.cluster.get("externalsecrets", namespace, name)
    conditions = es["status"]["conditions"] if es and "status" in es else []
    return str(conditions[0]["status"]) if conditions else "none"


def by_hand(demo: Demo) -> list[str]:
    """Secrets whose data only kubectl ever wrote."""
    found = []
    for secret in demo.cluster.objects("secrets"):
        writers = {one["manager"] for one in secret["metadata"]["managedFields"] if "f:data" in one["fieldsV1"]}
        if writers == {"kubectl-create"}:
            found.append(secret["metadata"]["name"])
    return sorted(found)


def test_the_start_state_has_something_of_everything(demo: Demo) -> None:
    assert by_hand(demo) == ["keybuzz-auth", "keybuzz-ses", "keybuzz-stripe"]
    names = {
        (es["metadata"]["namespace"], es["metadata"]["name"]): es["status"]["conditions"][0]["status"]
        for es in demo.cluster.objects("externalsecrets")
    }
    assert names == {
        ("keybuzz-ai", "litellm-secrets"): "True",
        ("keybuzz-api-dev", "keybuzz-api-postgres"): "True",
        ("observability", "alerting-slack"): "True",
        ("observability", "alerting-pagerduty"): "False",
    }
    assert [node.sealed for node in demo.vault.nodes] == [False, False, True]
    assert get(demo.vault_urls[0], "/v1/sys/health").status == 200
    counts = {name: len(keybuzz.PATHS[path]) for _, name, path in keybuzz.MANUAL}
    assert counts == {"keybuzz-stripe": 12, "keybuzz-ses": 4, "keybuzz-auth": 7}
    operator = [one["metadata"]["name"] for one in demo.cluster.objects("deployments", "external-secrets")]
    assert operator == ["external-secrets", "external-secrets-cert-controller", "external-secrets-webhook"]


def test_the_start_state_is_stable() -> None:
    with Demo() as demo:
        before = demo.cluster.versions.current
        demo.operator.reconcile()
        demo.operator.reconcile()
        assert demo.cluster.versions.current == before


def test_a_kubeconfig_leads_to_the_cluster(demo: Demo) -> None:
    assert demo.cluster.url in demo.kubeconfig.read_text()
    assert get(demo.cluster.url, "/api/v1/secrets", METADATA_LIST).status == 200
    path = demo.kubeconfig
    demo.stop()
    assert not path.exists()
    with pytest.raises(RuntimeError):
        _ = demo.kubeconfig


def test_every_step_has_the_outcome_it_tells(demo: Demo) -> None:
    outcomes: dict[str, Callable[[], bool]] = {
        "migration 1 of 3": lambda: ready(demo, keybuzz.API, "keybuzz-stripe-secrets") == "True",
        "migration 2 of 3": lambda: ready(demo, keybuzz.API, "keybuzz-ses-secrets") == "True",
        "migration 3 of 3": lambda: ready(demo, keybuzz.CLIENT, "keybuzz-auth-secrets") == "True",
        "the missing path is written": lambda: ready(demo, keybuzz.OBSERVABILITY, "alerting-pagerduty") == "True",
        "Vault is sealed": lambda: get(demo.vault_urls[0], "/v1/sys/health").status == 503,
        "Vault is unsealed": lambda: get(demo.vault_urls[2], "/v1/sys/health").status == 429,
        "an ExternalSecret breaks": lambda: ready(demo, keybuzz.API, "keybuzz-ses-secrets") == "False",
        "it heals": lambda: ready(demo, keybuzz.API, "keybuzz-ses-secrets") == "True",
        "a Secret by hand": lambda: by_hand(demo) == ["stripe-hotfix"],
        "and is cleaned up": lambda: by_hand(demo) == [],
    }
    seen = []
    for step in demo.story():
        assert step.look
        assert eventually(outcomes[step.title]), step.title
        seen.append(step.title)
    assert seen == list(outcomes)
    assert len(demo.cluster.objects("secrets", keybuzz.CLIENT)) == 1


def test_the_story_can_be_stopped() -> None:
    demo = Demo(scale=1000)
    demo.start()
    demo.stop()
    assert list(demo.story()) == []


def test_the_story_is_told_in_advance(demo: Demo) -> None:
    first, *steps = demo.describe()
    assert "before its migration" in first
    assert len(steps) == len(keybuzz.STORY.steps)
    assert steps[4].strip().startswith("1 s  Vault is sealed")
    assert keybuzz.STORY.seconds == 215
