"""What the landing page says of a Vault's node, in words."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.app.state import page_status
from exporter.vault.observation import Observation
from exporter.vault.servers import Selection, Target
from exporter.web.pages import VaultStatus


def shown(**seen: Any) -> VaultStatus:
    observation = Observation(vault="main", node="a", at=7.0, duration=0.1, **seen)
    selection = Selection(targets=(Target("main", "a", "https://vault:8200"),))
    status = page_status(
        ready=True, statuses=(), objects={}, selection=selection, observations={("main", "a"): observation}
    )
    [vault] = status.vaults
    return vault


UNSEALED = {"up": True, "initialized": True, "sealed": False}


@pytest.mark.parametrize(
    ("seen", "state", "bad"),
    [
        ({**UNSEALED, "standby": False}, "active", False),
        ({**UNSEALED, "standby": True, "configured_node": True}, "standby", False),
        ({**UNSEALED, "standby": True, "leader_known": True}, "serving", False),
        ({**UNSEALED, "standby": True, "leader_known": False}, "no active node known", True),
        ({**UNSEALED, "standby": True, "configured_node": True, "dr_secondary": True}, "no active node known", True),
        ({"up": True, "initialized": True, "sealed": True, "standby": True, "configured_node": True}, "sealed", True),
        ({"up": True, "initialized": False, "sealed": True}, "uninitialized", True),
        ({"up": False, "error": "connect", "detail": "connection refused"}, "connection refused", True),
        ({"up": False, "error": "timeout"}, "timeout", True),
    ],
)
def test_a_node_in_words(seen: dict[str, Any], state: str, bad: bool) -> None:
    one = shown(**seen)
    assert (one.state, one.bad, one.probed) == (state, bad, 7.0)


def test_a_node_that_was_not_asked_yet() -> None:
    selection = Selection(targets=(Target("main", "a", "https://vault:8200"),))
    [vault] = page_status(ready=False, statuses=(), objects={}, selection=selection, observations={}).vaults
    assert (vault.state, vault.bad, vault.probed) == ("not probed yet", False, None)
