from __future__ import annotations

from typing import Any

from exporter.judge.findings import Problem
from exporter.judge.problems import entry
from exporter.judge.vault import MIXED_FOR, NODE_PROBLEMS, UNKNOWN_FOR, Memory, VaultJudgement, judge
from exporter.vault.observation import Observation

ACTIVE: dict[str, Any] = {"initialized": True, "sealed": False, "standby": False}
STANDBY: dict[str, Any] = {"initialized": True, "sealed": False, "standby": True}
SEALED: dict[str, Any] = {"initialized": True, "sealed": True, "standby": True}
UNINITIALIZED: dict[str, Any] = {"initialized": False, "sealed": True, "standby": True}
GONE: dict[str, Any] = {"up": False, "error": "connect"}
LIMITED: dict[str, Any] = {"up": False, "error": "rate_limited", "retry_after": 9.0}


def node(name: str, state: dict[str, Any], at: float = 1000.0, **more: Any) -> Observation:
    return Observation("main", name, at, 0.01, **{"up": True, "configured_node": True, **state, **more})


def address(state: dict[str, Any], at: float = 1000.0, **more: Any) -> Observation:
    return node("entry", state, at, configured_node=False, **more)


class Judge:
    """Judges one Vault again and again, as the refresher does."""

    def __init__(self, *nodes: str) -> None:
        self.nodes = nodes
        self.memory = Memory()

    def __call__(self, *seen: Observation, now: float = 0.0) -> VaultJudgement:
        newest = max((each.at for each in seen), default=0.0)
        judgement, self.memory = judge(
            "main", self.nodes, {each.node: each for each in seen}, now or newest, self.memory
        )
        return judgement


def verdict(*seen: Observation) -> tuple[bool | None, str]:
    judgement = Judge(*(each.node for each in seen))(*seen)
    return judgement.available, judgement.error


def node_problems(judgement: VaultJudgement) -> dict[str, tuple[Problem, ...]]:
    return {each.seen.node: each.problems for each in judgement.nodes if each.problems}


def test_one_active_node_is_enough() -> None:
    assert verdict(node("a", ACTIVE), node("b", STANDBY), node("c", GONE)) == (True, "")


def test_why_no_node_serves_is_told_by_those_that_answered() -> None:
    assert verdict(node("a", SEALED), node("b", GONE)) == (False, "sealed")
    assert verdict(node("a", SEALED), node("b", STANDBY)) == (False, "no_active")
    assert verdict(node("a", UNINITIALIZED), node("b", GONE)) == (False, "uninitialized")
    assert verdict(node("a", GONE), node("b", GONE)) == (False, "unreachable")
    assert verdict(node("a", {**ACTIVE, "dr_secondary": True})) == (False, "no_active")


def test_a_standby_behind_an_address_serves_when_it_knows_a_leader() -> None:
    assert verdict(address(STANDBY, leader_known=True)) == (True, "")
    assert verdict(address(STANDBY, leader_known=False)) == (False, "no_active")
    assert verdict(address(STANDBY)) == (False, "no_active")
    assert verdict(node("a", STANDBY, leader_known=True)) == (False, "no_active")


def test_nothing_is_said_before_every_node_was_asked_or_one_serves() -> None:
    both = Judge("a", "b")
    assert both().available is None
    assert both(node("a", SEALED)).available is None
    assert both(node("a", SEALED)).problems == ()
    assert both(node("a", SEALED), node("b", GONE)).available is False
    assert Judge("a", "b")(node("a", ACTIVE)).available is True


def test_a_node_added_later_does_not_undo_the_verdict() -> None:
    judge_main = Judge("a")
    assert judge_main(node("a", SEALED, 1000.0)).available is False
    judge_main.nodes = ("a", "b")
    judgement = judge_main(node("a", SEALED, 1010.0))
    assert (judgement.available, judgement.error) == (False, "sealed")
    assert judgement.problems == (Problem("unavailable", 1000.0, "observed", "sealed"),)


def test_unavailable_keeps_its_beginning_while_the_reason_changes() -> None:
    main = Judge("a")
    assert main(node("a", ACTIVE, 1000.0)).problems == ()
    assert main(node("a", SEALED, 1010.0)).problems == (Problem("unavailable", 1010.0, "observed", "sealed"),)
    assert main(node("a", GONE, 1020.0)).problems == (Problem("unavailable", 1010.0, "observed", "unreachable"),)
    assert main(node("a", ACTIVE, 1030.0)).problems == ()
    assert main(node("a", SEALED, 1040.0)).problems == (Problem("unavailable", 1040.0, "observed", "sealed"),)


def test_single_nodes_are_problems_only_while_another_serves() -> None:
    main = Judge("a", "b", "c", "d")
    judgement = main(node("a", ACTIVE), node("b", SEALED), node("c", GONE), node("d", STANDBY))
    assert node_problems(judgement) == {
        "b": (Problem("node_sealed", 1000.0, "observed", "sealed"),),
        "c": (Problem("node_unreachable", 1000.0, "observed", "connect"),),
    }
    assert judgement.problems == ()
    assert node_problems(main(node("a", UNINITIALIZED), node("b", SEALED), node("c", GONE), node("d", SEALED))) == {}


def test_an_uninitialized_node_counts_as_sealed() -> None:
    judgement = Judge("a", "b")(node("a", ACTIVE), node("b", UNINITIALIZED))
    assert node_problems(judgement) == {"b": (Problem("node_sealed", 1000.0, "observed", "uninitialized"),)}


def test_a_bad_node_behind_an_address_is_remembered_until_it_was_not_met_for_a_while() -> None:
    main = Judge("entry")
    judgement = main(address(ACTIVE, 1000.0, attempts=2, bad_attempts=("sealed", "unreachable")))
    assert judgement.available is True
    both = (Problem("node_sealed", 1000.0, "observed", "sealed"), Problem("node_unreachable", 1000.0, "observed", ""))
    assert node_problems(judgement) == {"entry": both}
    assert node_problems(main(address(ACTIVE, 1010.0))) == {"entry": both}
    again = main(address(ACTIVE, 1100.0, attempts=2, bad_attempts=("sealed",)))
    assert node_problems(again) == {"entry": both}
    later = main(address(ACTIVE, 1000.0 + MIXED_FOR))
    assert node_problems(later) == {"entry": both[:1]}
    assert node_problems(main(address(ACTIVE, 1100.0 + MIXED_FOR))) == {}


def test_an_election_behind_an_address_is_no_bad_node() -> None:
    assert node_problems(Judge("entry")(address(ACTIVE, attempts=2, bad_attempts=("no_active",)))) == {}


def test_a_quota_says_nothing_of_the_vault_so_the_last_verdict_stands_for_a_while() -> None:
    main = Judge("entry")
    main(address(ACTIVE, 1000.0))
    assert main(address(LIMITED, 1010.0)).available is True
    assert main(address(LIMITED, 1000.0 + UNKNOWN_FOR - 1)).available is True
    judgement = main(address(LIMITED, 1000.0 + UNKNOWN_FOR))
    assert (judgement.available, judgement.error) == (False, "unreachable")


def test_a_quota_from_the_beginning_fails_closed() -> None:
    assert verdict(address(LIMITED)) == (False, "unreachable")
    assert verdict(node("a", LIMITED), node("b", SEALED)) == (False, "sealed")
    assert verdict(node("a", LIMITED), node("b", ACTIVE)) == (True, "")


def test_a_quota_is_no_problem_of_the_node() -> None:
    assert node_problems(Judge("a", "b")(node("a", ACTIVE), node("b", LIMITED))) == {}


def test_every_problem_is_in_the_catalogue() -> None:
    assert {entry("vault", name).id for name in ("unavailable", *NODE_PROBLEMS.values())} == {
        "unavailable",
        "node_sealed",
        "node_unreachable",
    }
