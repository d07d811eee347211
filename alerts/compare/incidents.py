"""The thirteen incidents: what happens, and what a person on call wants to hear of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alerts.compare.world import Secret, World


@dataclass(frozen=True)
class Incident:
    """One row: it begins at minute `begin`; `wanted` is whether an alert (one) is wanted, or none."""

    title: str
    story: str
    begin: int
    wanted: bool
    world: Callable[[], World]


def _secrets(number: int = 12, **of_the_first: object) -> list[Secret]:
    """That many ExternalSecrets, each refreshed at its own minute of the hour."""
    found = [Secret(f"app-{n}", (n * 60) // number + 2) for n in range(number)]
    if of_the_first:
        found[0] = Secret(found[0].name, found[0].minute, **of_the_first)  # type: ignore[arg-type]
    return found


def _with_vault_away(begin: int, end: int, error: str) -> list[Secret]:
    """Each notices at its own refresh, and syncs again within fourteen minutes of the end."""
    found = []
    for n, one in enumerate(_secrets()):
        noticed = next(at for at in range(one.minute, 10_000, 60) if at >= begin)
        failing = ((float(noticed), end + 7.0 + n / 2),) if noticed < end else ()
        found.append(Secret(one.name, one.minute, failing, error))
    return found


def _all_of_one_store() -> World:
    failing = [
        (Secret(one.name, one.minute, ((60.0 + one.minute, 200.0 + n / 2),), "permission_denied"))
        for n, one in enumerate(_secrets())
    ]
    return World(260, failing)


def _vault(states: dict[str, str], error: str) -> World:
    begin, end = 60, 150
    return World(
        240,
        _with_vault_away(begin, end, error),
        vault=[((begin, end), states)],
        store_failing=[(begin + 5, end + 6)],
    )


SEALED = dict.fromkeys(("vault-0", "vault-1", "vault-2"), "sealed")
STANDBY = {"vault-0": "standby"}
DOWN = dict.fromkeys(("vault-0", "vault-1", "vault-2"), "down")
FLAPS = tuple((60.0 + 10 * n, 65.0 + 10 * n) for n in range(12))
WEEK = 7 * 24 * 60

INCIDENTS = (
    Incident(
        "one ExternalSecret not ready",
        "its path was deleted in Vault; ESO tries again at most every seven minutes",
        62,
        True,
        lambda: World(180, _secrets(failing=((62.0, 150.0),))),
    ),
    Incident(
        "all of one store fail",
        "a policy lost its path: twelve ExternalSecrets fail, each at its own refresh; the store stays ready",
        62,
        True,
        _all_of_one_store,
    ),
    Incident(
        "flapping",
        "ready for five minutes, not ready for five, for two hours",
        60,
        True,
        lambda: World(240, _secrets(failing=FLAPS, error="rate_limited")),
    ),
    Incident(
        "a failure that ESO never retries",
        "hourly refresh; its Secret belongs to another ExternalSecret, so ESO tries once and then waits",
        62,
        True,
        lambda: World(180, _secrets(failing=((62.0, 170.0),), error="owned_by_other", retried=False)),
    ),
    Incident(
        "the operator is gone",
        "ESO's Deployment has no pod any more; everything goes on saying Ready=True",
        60,
        True,
        lambda: World(200, _secrets(), operator_until=60),
    ),
    Incident(
        "the exporters are gone",
        "ours, and that of Vault in the usual set-up; nothing else happens",
        60,
        True,
        lambda: World(180, _secrets(), exporters_until=60),
    ),
    Incident(
        "one not ready, scraped twice",
        "as the first, but two replicas, or a ServiceMonitor and a PodMonitor, give each series twice",
        62,
        True,
        lambda: World(180, _secrets(failing=((62.0, 150.0),)), copies=2),
    ),
    Incident(
        "one node of Vault sealed",
        "one of three; another one serves",
        60,
        True,
        lambda: World(180, _secrets(), vault=[((60, 150), {"vault-2": "sealed"})]),
    ),
    Incident(
        "Vault sealed",
        "all three nodes for an hour and a half, then unsealed; ESO comes back within fourteen minutes",
        60,
        True,
        lambda: _vault(SEALED, "vault_sealed"),
    ),
    Incident(
        "no active node",
        "all three answer, unsealed, and none leads",
        60,
        True,
        lambda: _vault(STANDBY, "vault_unavailable"),
    ),
    Incident(
        "Vault unreachable",
        "no node answers for an hour and a half",
        60,
        True,
        lambda: _vault(DOWN, "connection_refused"),
    ),
    Incident(
        "a failing ExternalSecret is deleted",
        "after it failed for ten minutes: it is nobody's trouble any more",
        62,
        False,
        lambda: World(180, _secrets(failing=((62.0, 181.0),), gone=72.0)),
    ),
    Incident(
        "overdue while Ready",
        "ESO stops syncing one ExternalSecret; it says Ready=True",
        62,
        True,
        lambda: World(300, _secrets(stuck=62.0)),
    ),
    Incident(
        "a healthy week",
        "six ExternalSecrets, hourly; nothing happens",
        0,
        False,
        lambda: World(WEEK, _secrets(6), step=5),
    ),
)
