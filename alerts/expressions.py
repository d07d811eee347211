"""Changes to the text of PromQL expressions, and of the queries in annotations, that keep their layout.

They know the conventions of alerts/rules.yaml: every number from 60 up is seconds, and queries in annotations stand in
back quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_STRING = re.compile(r'("[^"]*")')
_DURATION = re.compile(r"\b(\d+)(ms|[smhdwy])\b")
_NUMBER = re.compile(r"(?<![\w.])(\d+)(?![\w.])")
_QUERY = re.compile(r"`[^`]*`")
_SELECTOR = re.compile(r"(?<![\w:])(eso_[a-z_]+)(\{)?|\{__name__=~\"([^\"]+)\"")
_MILLISECONDS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_536_000_000,
}


def scaled_duration(text: str, factor: float) -> str:
    """A duration of one unit (`5m`) times a factor, to the millisecond and never below one."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a duration of one unit such as 5m")
    count = max(1, round(int(match[1]) * _MILLISECONDS[match[2]] * factor))
    return f"{count // 1000}s" if count % 1000 == 0 else f"{count}ms"


def scaled(expression: str, factor: float) -> str:
    """An expression with its windows and its seconds (numbers from 60 up) times a factor."""

    def change(code: str) -> str:
        code = _DURATION.sub(lambda match: scaled_duration(match[0], factor), code)
        return _NUMBER.sub(lambda match: f"{int(match[0]) * factor:g}" if int(match[0]) >= 60 else match[0], code)

    return _outside_strings(expression, change)


def with_matcher(expression: str, matcher: str, families: frozenset[str]) -> str:
    """An expression whose selectors of these families, by name or by a list of names, carry one more matcher."""

    def change(match: re.Match[str]) -> str:
        if match[3]:
            return f"{match[0]},{matcher}" if families & set(match[3].split("|")) else match[0]
        if match[1] not in families:
            return match[0]
        return f"{match[1]}{{{matcher}," if match[2] else f"{match[1]}{{{matcher}}}"

    return _SELECTOR.sub(change, expression)


def renamed_label(text: str, old: str, new: str) -> str:
    """A text in which the label is called otherwise, wherever it stands as a word of its own."""
    return re.sub(rf"\b{re.escape(old)}\b", new, text)


def in_queries(template: str, change: Callable[[str], str]) -> str:
    """An annotation whose queries were changed."""
    return _QUERY.sub(lambda match: change(match[0]), template)


def _outside_strings(text: str, change: Callable[[str], str]) -> str:
    return "".join(part if part.startswith('"') else change(part) for part in _STRING.split(text))
