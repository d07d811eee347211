"""Objects that exist only as a template and a number: hundreds of thousands of them in a few megabytes.

A template is an encoded object with holes; an entry fills them when a list, a watch or a selector asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from exporter.demo.entries import Entry, Object, age_text, encode, head
from exporter.demo.kinds import Kind

Holes = Mapping[str, bytes]

_HOLE = re.compile(rb"@@([a-z_]+)@@")


class Template:
    """Encoded JSON in which `@@name@@` stands for what an object fills in."""

    def __init__(self, value: Any) -> None:
        encoded = encode(value)
        self._names = [match.decode() for match in _HOLE.findall(encoded)]
        self._format = _HOLE.sub(b"%b", encoded.replace(b"%", b"%%"))

    def render(self, holes: Holes) -> bytes:
        return self._format % tuple([holes[name] for name in self._names])


class Family:
    """Objects of one kind with one template: `holes(index, turn, version)` says what differs between them.

    `turn` grows with every change of an object; it is 0 before the first. The sample object is complete, with holes; of its
    `data` a value is `fill`, a filling of the asked size without any meaning.
    """

    def __init__(
        self,
        kind: Kind,
        api_version: str,
        sample: Object,
        holes: Callable[[int, int, int], Holes],
        key: Callable[[int], str],
        created: str,
        extra_keys: int = 0,
    ) -> None:
        self.kind = kind
        self.holes = holes
        self.key = key
        self.created = created
        body = {name: value for name, value in sample.items() if name not in ("kind", "apiVersion")}
        self.whole = Template({**head(kind, api_version), **body})
        self.item = self.whole if kind.custom else Template(body)
        self.partial = Template(
            {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": sample["metadata"]}
        )
        self.type = str(sample.get("type", ""))
        self.keys = len(sample.get("data", {}))
        self.extra_keys = extra_keys
        """A changed object shows this many keys more in every second turn: so that a change is one."""


class Rendered:
    """One object of a family."""

    __slots__ = ("family", "index", "turn", "version")

    def __init__(self, family: Family, index: int, version: int, turn: int = 0) -> None:
        self.family = family
        self.index = index
        self.version = version
        self.turn = turn

    @property
    def key(self) -> str:
        return self.family.key(self.index)

    @property
    def obj(self) -> Object:
        decoded: Object = msgspec.json.decode(self.family.whole.render(self._holes()))
        return decoded

    def whole(self, api_version: str, item: bool) -> bytes:
        del api_version  # one served version: that of the template
        return (self.family.item if item else self.family.whole).render(self._holes())

    def partial(self) -> bytes:
        return self.family.partial.render(self._holes())

    def cells(self, now: float) -> bytes:
        family = self.family
        name, age = self.key.rpartition("/")[2], age_text(family.created, now)
        if family.kind.plural == "secrets":
            keys = family.keys + (family.extra_keys if self.turn % 2 else 0)
            return b'["%b","%b",%d,"%b"]' % (name.encode(), family.type.encode(), keys, age.encode())
        return b'["%b",null,null,null,null,null]' % name.encode()

    def gone(self, version: int) -> Entry:
        return Rendered(self.family, self.index, version, self.turn)

    def changed(self, version: int, turn: int = 0) -> Rendered:
        """The same object after one more change: its turn is the next, or `turn` when that is later."""
        return Rendered(self.family, self.index, version, max(self.turn + 1, turn))

    def _holes(self) -> Holes:
        return self.family.holes(self.index, self.turn, self.version)
