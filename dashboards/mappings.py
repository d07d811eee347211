"""Words for codes. Those of problems, their causes and what to do are made from the exporter's own catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from dashboards.colours import CRITICAL, INFO, OK, UNKNOWN, WARNING
from dashboards.model import Json
from dashboards.variables import EXTERNALSECRET, MIGRATION, OVERVIEW, VAULT
from exporter.judge.problems import CATALOGUE, ERRORS


def values(words: Mapping[str, str | tuple[str, str]]) -> Json:
    """Single values to words, or to (word, colour). A state in capitals is never broken in two lines."""
    options: Json = {}
    for index, (value, word) in enumerate(words.items()):
        text, colour = (word, None) if isinstance(word, str) else word
        text = text.replace(" ", "\N{NO-BREAK SPACE}") if text.isupper() else text
        options[value] = {"index": index, "text": text} | ({"color": colour} if colour else {})
    return {"options": options, "type": "value"}


def pattern(regex: str, text: str, colour: str | None = None) -> Json:
    """What fits a regular expression as a whole; `$1` stands for its first group."""
    result: Json = {"index": 0, "text": text} | ({"color": colour} if colour else {})
    return {"options": {"pattern": f"^(?:{regex})$", "result": result}, "type": "regex"}


def empty(text: str) -> Json:
    """The empty string, and a missing value."""
    return {"options": {"match": "empty", "result": {"index": 0, "text": text}}, "type": "special"}


VAULT_STATES = values(
    {
        "0": ("UNAVAILABLE", CRITICAL),
        "1": ("SERVING", OK),
        "2": ("NODE DOWN", WARNING),
        "3": ("SEALED", CRITICAL),
        "4": ("NOT INITIALIZED", CRITICAL),
        "5": ("UNREACHABLE", CRITICAL),
        "6": ("NO ACTIVE NODE", CRITICAL),
        "9": ("NO VAULT KNOWN", UNKNOWN),
    }
)
NODE_STATES = values(
    {
        "0": ("UNREACHABLE", CRITICAL),
        "1": ("ACTIVE", OK),
        "2": ("STANDBY", INFO),
        "3": ("SEALED", CRITICAL),
        "4": ("NOT INITIALIZED", CRITICAL),
    }
)
READY_STATES = values(
    {
        "0": ("NOT READY", CRITICAL),
        "1": ("READY", OK),
        "0.5": ("READY, BUT LATE OR BROKEN", WARNING),
        "3": ("DOES NOT EXIST", CRITICAL),
    }
)
STORE_STATES = values({"0": ("NOT READY", CRITICAL), "1": ("READY", OK)})
TIMELINE_STATES = values(
    {
        "0": ("not ready", CRITICAL),
        "1": ("ready", OK),
        "0.5": ("ready, but late or broken", WARNING),
        "11": ("serving", OK),
        "10": ("unavailable", CRITICAL),
        "12": ("a node is down", WARNING),
        "13": ("SEALED", CRITICAL),
        "14": ("not initialized", CRITICAL),
        "15": ("unreachable", CRITICAL),
        "16": ("no active node", CRITICAL),
    }
)
EXPORTER_STATES = values(
    {
        "1": ("WATCHING", OK),
        "2": ("STILL LISTING", WARNING),
        "3": ("MAY NOT READ ALL", WARNING),
        "4": ("BLIND", CRITICAL),
    }
)
WATCH_STATES = values(
    {
        "0": ("not installed", UNKNOWN),
        "1": ("watching", OK),
        "2": ("still listing", WARNING),
        "3": ("may not be read", WARNING),
        "4": ("no sign of life", CRITICAL),
    }
)
SEVERITIES = values(
    {
        "1 critical": ("critical", CRITICAL),
        "2 warning": ("warning", WARNING),
        "3 info": ("info", INFO),
        "4 none": ("all well", OK),
    }
)
KINDS = values(
    {
        "externalsecret": "ExternalSecret",
        "store": "Store",
        "vault": "Vault",
        "secret": "Secret",
        "pushsecret": "PushSecret",
        "operator": "Operator",
        "clusterexternalsecret": "ClusterExternalSecret",
        "clusterpushsecret": "ClusterPushSecret",
    }
)
SIDES = values({"application": "application team", "platform": "platform team", "operator": "who runs ESO"})
HEALS = values({"yes": "by itself, once the cause is gone", "no": "only when somebody acts on the object"})
NOBODY = empty("nobody named")

_VAULT_CAUSES = {
    "sealed": "it is sealed",
    "uninitialized": "it was never initialized",
    "unreachable": "no node answers",
    "no_active": "no node leads: quorum or storage is lost",
}


def problems() -> list[Json]:
    """`kind/problem` to its meaning."""
    return [values({f"{entry.kind}/{entry.id}": entry.meaning for entry in CATALOGUE})]


def causes() -> list[Json]:
    """An error class to its meaning; of a Vault the reason why it cannot serve."""
    return [values({error.id: error.meaning for error in ERRORS} | _VAULT_CAUSES)]


def runbooks() -> list[Json]:
    """`kind/problem` to the alert whose runbook explains it."""
    return [values({f"{entry.kind}/{entry.id}": entry.runbook for entry in CATALOGUE} | {"none": "–"})]


PLACES = {
    "externalsecret": f"{EXTERNALSECRET}?var-namespace=$1&var-name=$2",
    "store": f"{OVERVIEW}?var-store=$2",
    "vault": f"{VAULT}?var-vault=$2",
    "secret": f"{MIGRATION}?var-namespace=$1",
    "pushsecret": f"{OVERVIEW}?var-namespace=$1",
    "operator": f"{OVERVIEW}?",
    "clusterexternalsecret": f"{OVERVIEW}?",
    "clusterpushsecret": f"{OVERVIEW}?",
}
"""Where a problem of each kind is looked at closer; $1 is the namespace and $2 the name of its object."""


def places() -> list[Json]:
    """`kind namespace name` to the dashboard (and its variables) that tells more."""
    found = [pattern(f"{kind} (\\S*) (\\S*)", place) for kind, place in PLACES.items()]
    return [*found, values({"none": f"{OVERVIEW}?"})]


def advice() -> list[Json]:
    """`kind/problem error namespace name store` to the first command to run, names filled in.

    The class of an error knows better than the problem, so it comes first.
    """
    by_error: dict[str, list[str]] = defaultdict(list)
    for error in ERRORS:
        by_error[error.advice].append(error.id)
    by_problem: dict[str, list[str]] = defaultdict(list)
    for entry in CATALOGUE:
        by_problem[entry.advice].append(f"{entry.kind}/{entry.id}")
    found = []
    for text, ids in list(by_problem.items()):
        wide, either, namespaced = text.partition(" (or: ")
        if either:  # a row tells which of the two it is: that of the whole cluster has no namespace
            found.append(pattern(f"(?:{'|'.join(ids)}) \\S* () (\\S*) (\\S*)", _filled(wide, "$2")))
            by_problem[namespaced.removesuffix(")")] += by_problem.pop(text)
    found += [
        pattern(f"externalsecret/\\S+ (?:{'|'.join(ids)}) {_REST}", _of_error(text)) for text, ids in by_error.items()
    ]
    found += [pattern(f"(?:{'|'.join(ids)}) \\S* {_REST}", _filled(text, "$2")) for text, ids in by_problem.items()]
    return found


_REST = "(\\S*) (\\S*) (\\S*)"


def _of_error(text: str) -> str:
    """What to do about an ExternalSecret's error may be to look at its store: then the name is the store's."""
    return _filled(text, "$3" if "secretstore" in text else "$2")


def _filled(text: str, name: str) -> str:
    """The catalogue's advice as the replacement of a regular expression in JavaScript, where `$$` is a dollar sign."""
    return text.replace("$", "$$").format(namespace="$1", name=name)
