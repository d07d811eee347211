"""ESO itself: replicas, version, and each problem; one test that makes it appear and one that keeps it away."""

from __future__ import annotations

import pytest

from exporter.config.settings import KubernetesSettings, OperatorSettings, Settings
from exporter.errors import ConfigError
from exporter.kube.resources import DEPLOYMENTS, resources
from exporter.kube.wire_deployment import label_selector
from tests.kinds import deployment
from tests.world import NOW, World, lines


@pytest.fixture
def world() -> World:
    return World()


def installed(world: World) -> None:
    for component in ("", "-webhook", "-cert-controller"):
        world.add("deployments", deployment(f"external-secrets{component}"))


def test_a_healthy_one_tells_everything_and_has_no_problem(world: World) -> None:
    installed(world)
    assert [line for line in world.samples() if line.startswith("eso_operator")] == lines("""
        eso_operator_info{namespace="external-secrets",version="v2.9.0"} 1
        eso_operator_replicas{namespace="external-secrets",component="cert-controller",state="desired"} 1
        eso_operator_replicas{namespace="external-secrets",component="cert-controller",state="ready"} 1
        eso_operator_replicas{namespace="external-secrets",component="controller",state="desired"} 1
        eso_operator_replicas{namespace="external-secrets",component="controller",state="ready"} 1
        eso_operator_replicas{namespace="external-secrets",component="webhook",state="desired"} 1
        eso_operator_replicas{namespace="external-secrets",component="webhook",state="ready"} 1
    """)
    assert world.problems("operator") == set()


class TestDown:
    def test_appears_when_the_controller_has_no_ready_replica(self, world: World) -> None:
        installed(world)
        world.add("deployments", deployment(ready=0, transition=NOW - 30))
        assert world.samples("eso_operator_problem") == lines("""
            eso_operator_problem{namespace="external-secrets",component="controller",problem="down"} 1
        """)
        assert world.samples("eso_problem_since_timestamp_seconds") == lines("""
            eso_problem_since_timestamp_seconds{kind="operator",namespace="external-secrets",name="controller",node="",problem="down",basis="object"} 1779999970
        """)

    def test_appears_when_it_is_scaled_to_nothing(self, world: World) -> None:
        world.add("deployments", deployment(replicas=0, ready=0, available="True"))
        assert world.problems("operator") == {"down"}
        assert 'basis="observed"' in world.samples("eso_problem_since_timestamp_seconds")[0]

    def test_stays_away_while_one_of_several_is_ready(self, world: World) -> None:
        world.add("deployments", deployment(replicas=3, ready=1))
        assert world.problems("operator") == set()

    def test_stays_away_where_nothing_matches(self, world: World) -> None:
        world.add("deployments", deployment(ready=0))
        assert world.problems("operator") == {"down"}
        world.remove("deployments", "external-secrets", "external-secrets")
        assert world.problems("operator") == set()
        assert world.samples("eso_operator_replicas", "eso_operator_info") == []


class TestDegraded:
    @pytest.mark.parametrize("component", ["webhook", "cert-controller"])
    def test_appears_when_a_part_beside_the_controller_is_not_ready(self, world: World, component: str) -> None:
        installed(world)
        world.add("deployments", deployment(f"external-secrets-{component}", ready=0))
        assert world.samples("eso_operator_problem") == lines(f"""
            eso_operator_problem{{namespace="external-secrets",component="{component}",problem="degraded"}} 1
        """)

    def test_stays_away_where_the_part_is_not_installed(self, world: World) -> None:
        world.add("deployments", deployment())
        assert world.problems("operator") == set()


def test_two_in_one_namespace_are_told_together(world: World) -> None:
    world.add("deployments", deployment("one", label="external-secrets"))
    world.add("deployments", deployment("two", label="external-secrets", ready=0, image="example.com/eso:v2.8.1"))
    assert world.samples("eso_operator_info", "eso_operator_replicas") == lines("""
        eso_operator_info{namespace="external-secrets",version="v2.8.1"} 1
        eso_operator_info{namespace="external-secrets",version="v2.9.0"} 1
        eso_operator_replicas{namespace="external-secrets",component="controller",state="desired"} 2
        eso_operator_replicas{namespace="external-secrets",component="controller",state="ready"} 1
    """)


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("ghcr.io/external-secrets/external-secrets:v2.9.0", "v2.9.0"),
        ("registry.example.com:5000/eso:v2.9.0-ubi@sha256:0123", "v2.9.0-ubi"),
        ("registry.example.com:5000/eso", "v0.20.4"),
        ("registry.example.com:5000/eso:latest", "v0.20.4"),
        ("eso@sha256:0123", "v0.20.4"),
    ],
)
def test_the_version_is_the_tag_else_the_label(world: World, image: str, version: str) -> None:
    world.add("deployments", deployment(image=image))
    assert world.samples("eso_operator_info") == [
        f'eso_operator_info{{namespace="external-secrets",version="{version}"}} 1'
    ]


def test_an_unreadable_version_is_empty_rather_than_anything(world: World) -> None:
    labels = {"app.kubernetes.io/name": "external-secrets", "app.kubernetes.io/version": "what-ever"}
    world.add("deployments", deployment(image="eso:latest", labels=labels))
    assert world.samples("eso_operator_info") == ['eso_operator_info{namespace="external-secrets",version=""} 1']


class TestSelectors:
    def test_the_api_server_sorts_out_what_it_can(self) -> None:
        assert label_selector(OperatorSettings()) == (
            "app.kubernetes.io/name in (external-secrets,external-secrets-cert-controller,external-secrets-webhook)"
        )

    def test_what_the_components_do_not_share_is_sorted_out_here(self) -> None:
        settings = OperatorSettings(controller="app=eso,role=main", webhook="app=eso,part=hook", cert_controller="")
        assert label_selector(settings) == "app in (eso)"
        world = World(settings=Settings(operator=settings))
        world.add("deployments", deployment("a", labels={"app": "eso", "role": "main"}))
        world.add("deployments", deployment("b", labels={"app": "eso", "part": "hook"}))
        components = {line.split('component="')[1].split('"')[0] for line in world.samples("eso_operator_replicas")}
        assert components == {"controller", "webhook"}

    def test_without_any_common_label_all_are_looked_at(self) -> None:
        assert label_selector(OperatorSettings(controller="a=b", webhook="c=d", cert_controller="e=f")) == ""

    def test_what_is_no_equality_is_refused_with_a_sentence(self) -> None:
        with pytest.raises(ConfigError, match=r"operator\.webhook: 'app in \(x\)' is not of the form label=value"):
            resources(Settings(operator=OperatorSettings(webhook="app in (x)")))


def test_they_are_watched_in_their_own_namespace_when_it_is_known() -> None:
    def watched(settings: Settings) -> list[tuple[str, ...]]:
        return [each.only_in for each in resources(settings) if each.name == DEPLOYMENTS]

    narrowed = KubernetesSettings(namespaces=("shop",))
    assert watched(Settings()) == [()]
    assert watched(Settings(operator=OperatorSettings(namespace="eso"))) == [("eso",)]
    assert watched(Settings(kubernetes=narrowed, operator=OperatorSettings(namespace="eso"))) == [("eso",)]
    assert watched(Settings(kubernetes=narrowed)) == []
