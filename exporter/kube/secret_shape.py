"""What the facts of a Secret depend on, without what tells it from its neighbours.

A cluster has hundreds of thousands of Secrets and a few hundred shapes: made by the same tool, with the same labels and
keys. Facts are worked out once per shape (`wire_secret`). A shape must hold everything that facts are made of; what is
dear to tell or rare has no shape (None), and its facts are worked out each time.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from fnmatch import translate
from operator import itemgetter
from typing import Any

import msgspec

from exporter.config.settings import OwnershipRule
from exporter.eso.identity import ANNOTATION_DATA_HASH, LABEL_CREATED_BY, LABEL_MANAGED, MANAGER_PREFIX
from exporter.eso.ownership import is_glob, one_pattern
from exporter.kube.resource import Cells
from exporter.kube.wire import owning_externalsecret

_PICKED_LIMIT = 10_000
_HASH_ALONE = (True,)
_OWNED = "owned"
_DATA = b'{"f:data":{'


class Shapes:
    """Shapes of Secrets under one table of rules.

    `owner_keys` are the labels or annotations that name owners; `annotations` the wire type's fields in order, by the
    annotation's key; `opaque` those of them whose text matters, and not only whether they are there; `absent` what
    stands in a field whose annotation is not there.
    """

    def __init__(
        self,
        rules: Sequence[OwnershipRule],
        owner_keys: Collection[str],
        annotations: Sequence[str],
        opaque: Collection[str],
        absent: object,
    ) -> None:
        self._absent = absent
        self._none = (absent,) * len(annotations)
        self._hash_at = annotations.index(ANNOTATION_DATA_HASH)
        self._opaque = [index for index, key in enumerate(annotations) if key in opaque]
        pairs = [row.label.partition("=") for row in rules if row.label]
        self._telling = {LABEL_MANAGED, *owner_keys, *(key for key, _, value in pairs if value)}
        self._picked: dict[tuple[str, ...], tuple[int, Callable[[Mapping[str, str]], Hashable]]] = {}
        self._numbers = itertools.count()
        names = {row.secret for row in rules if row.secret}
        globs = sorted(filter(is_glob, names))
        self._names = names.difference(globs)
        self._globs = [re.compile(translate(glob)) for glob in globs]
        # An alternation finds in one look the many names that fit none of them.
        self._any_glob = one_pattern(globs)
        namespaces = {row.namespace for row in rules if row.namespace}
        self._namespaces = namespaces
        self._any_namespace = any(map(is_glob, namespaces))
        # Every Secret of ESO's has a manager of its own; unless a rule may mean some of them, one stands for all.
        self._managers_alike = not any(
            row.manager[:1] in ("", "*", "?", "[", MANAGER_PREFIX[0]) for row in rules if row.manager
        )

    def of(self, meta: Any, cells: Cells) -> Hashable | None:
        """The shape of one Secret (as on the wire), None where there is none."""
        entries = meta.managedFields
        if entries and len(entries) > 1:
            return None
        present: tuple[bool, ...] | None = None
        if meta.annotations is not None:
            texts = msgspec.structs.astuple(meta.annotations)
            if texts != self._none:
                absent = self._absent
                for index in self._opaque:
                    if texts[index] is not absent:
                        return None
                # Nearly all that have any have ESO's hash alone.
                alone = texts.count(absent) == len(texts) - 1
                present = (
                    _HASH_ALONE
                    if alone and texts[self._hash_at] is not absent
                    else tuple([text is absent for text in texts])
                )
        labels: Mapping[str, str] | None = meta.labels
        marked = present is not None
        told: Hashable = None
        if labels:
            names = tuple(labels)
            picked = self._picked.get(names)
            if picked is None:
                picked = self._pick(names)
            number, values = picked
            told = (number, values(labels))
            marked = marked or LABEL_MANAGED in labels or LABEL_CREATED_BY in labels
        manager = fields = None
        if entries:
            entry = entries[0]
            manager = entry.manager
            if manager.startswith(MANAGER_PREFIX):
                marked = True
                if self._managers_alike:
                    manager = MANAGER_PREFIX
            if marked:
                fields = _data_fields(bytes(entry.fieldsV1))
                if fields is None:
                    return None
        owners = meta.ownerReferences
        return (
            cells,
            told,
            bool(labels and labels.get(LABEL_CREATED_BY)),
            present,
            manager,
            fields,
            meta.deletionTimestamp is not None,
            _OWNED if owners and owning_externalsecret(owners) is not None else self._for_rules(meta),
        )

    def _for_rules(self, meta: Any) -> Hashable:
        """What rules look at beside labels, annotations and managers, and the label that names a maker: all that is asked
        of Secrets that no ExternalSecret owns."""
        name, namespace, owners = meta.name, meta.namespace, meta.ownerReferences
        return (
            meta.labels.get(LABEL_CREATED_BY) if meta.labels else None,
            tuple([(owner.kind, owner.apiVersion) for owner in owners]) if owners else None,
            tuple([glob.match(name) is not None for glob in self._globs]) if self._any_glob.search(name) else None,
            name if name in self._names else None,
            namespace if self._any_namespace or namespace in self._namespaces else None,
        )

    def _pick(self, names: tuple[str, ...]) -> tuple[int, Callable[[Mapping[str, str]], Hashable]]:
        """A number that stands for these names of labels, never for others, and what reads those values that matter."""
        if len(self._picked) >= _PICKED_LIMIT:
            self._picked.clear()
        telling = [name for name in names if name in self._telling]
        values = itemgetter(*telling) if telling else _no_values
        picked = self._picked[names] = (next(self._numbers), values)
        return picked


def _no_values(_labels: Mapping[str, str]) -> None:
    return None


def _data_fields(fields: bytes) -> bytes | None:
    """What an entry of managedFields says of data keys, as bytes to compare; None where that cannot be told at a glance."""
    if not fields.startswith(_DATA):
        return None if b'"f:data"' in fields else b""
    # Go sorts and packs: the object of the keys, whose values are all {}, ends at the first }}.
    end = fields.find(b"}}")
    within = fields[: end + 2]
    return within if end > 0 and within.count(b"{") == within.count(b"}") + 1 else None
