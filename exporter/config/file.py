"""The configuration file: YAML, read node by node so that every complaint can tell its line.

Plain words mean what they say (YAML 1.2): `discover: off` is the word "off", a date is a text, only true and false are
true and false. Tags (`!!python/…`) are refused. An empty value (`vault:`) is as if the key were not there.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect as inspect
import yaml

from exporter.config.schema import (
    ROOT,
    SECTIONS,
    SETTINGS,
    SettingPath,
    describe,
    dotted,
    nearest,
    parse,
    plain,
    quote,
    types_of,
)

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}"
    for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "value", "merge")
)


class FileContent(msgspec.Struct, frozen=True):
    """What a file says: the value and the line of each setting in it, and every complaint about the rest."""

    values: dict[SettingPath, Any]
    lines: dict[SettingPath, int]
    complaints: tuple[str, ...]


def decode(text: str, name: str) -> FileContent:
    """Read the text of the configuration file called `name`; never raises, complaints are sentences that name the file and line."""
    reader = _Reader(name)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        reader.complaints.append(f"{name}, line {line}: this is not YAML: {error.problem or 'unreadable'}")
        node = None
    except yaml.YAMLError as error:
        reader.complaints.append(f"{name}: this is not YAML: {str(error).splitlines()[0]}")
        node = None
    values: dict[SettingPath, Any] = {}
    lines: dict[SettingPath, int] = {}
    for section, (block, _) in reader.members(ROOT, node, ()).items():
        types = types_of(SECTIONS[section])
        for key, (child, line) in reader.members(SECTIONS[section], block, (section,)).items():
            value = reader.value(types[key], child, (section, key))
            if value is not None:
                values[section, key], lines[section, key] = value, line
    return FileContent(values, lines, tuple(reader.complaints))


class _Reader:
    """Walks nodes beside types and collects complaints; a part that is wrong reads as None."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.base = Path(name).parent
        self.complaints: list[str] = []

    def complain(self, node: yaml.Node, sentence: str) -> None:
        self.complaints.append(f"{self.name}, line {node.start_mark.line + 1}: {sentence}")

    def members(
        self, struct: inspect.StructType, node: yaml.Node | None, path: SettingPath
    ) -> dict[str, tuple[yaml.Node, int]]:
        """The known keys of a mapping, each with its node and line."""
        known = types_of(struct)
        found: dict[str, tuple[yaml.Node, int]] = {}
        for key, child in self.pairs(node, path):
            word = str(key.value)
            if word not in known:
                where = f" in {dotted(path)}" if path else ""
                self.complain(key, f"unknown key {quote(word)}{where}{nearest(word, known) or _elsewhere(word)}")
            elif word in found:
                self.complain(key, f"{dotted((*path, word))} is given twice (first on line {found[word][1]})")
            else:
                found[word] = (child, key.start_mark.line + 1)
        return found

    def pairs(self, node: yaml.Node | None, path: SettingPath) -> list[tuple[yaml.Node, yaml.Node]]:
        if node is None or _is_null(node) or not self.plain_tag(node, path):
            return []
        if not isinstance(node, yaml.MappingNode):
            self.complain(node, f"{dotted(path) or 'the file'} must be a mapping, not {_shown(node)}")
            return []
        return list(node.value)

    def plain_tag(self, node: yaml.Node, path: SettingPath) -> bool:
        if node.tag in _TAGS:
            return True
        self.complain(node, f"{dotted(path) or 'the file'} has the tag {quote(node.tag)}; tags are not accepted here")
        return False

    def value(self, kind: inspect.Type, node: yaml.Node, path: SettingPath) -> Any:
        """The value of `node` as `kind`; None when it is empty or, after a complaint, wrong."""
        if _is_null(node) or not self.plain_tag(node, path):
            return None
        match plain(kind):
            case inspect.StructType() as struct:
                return self.struct(struct, node, path)
            case inspect.DictType() as mapping:
                entries = {
                    str(key.value): self.value(mapping.value_type, child, (*path, str(key.value)))
                    for key, child in self.pairs(node, path)
                }
                return {key: value for key, value in entries.items() if value is not None}
            case inspect.VarTupleType() as items:
                return self.items(items, node, path)
            case inner:
                return self.scalar(kind, inner, node, path)

    def struct(self, struct: inspect.StructType, node: yaml.Node, path: SettingPath) -> Any:
        before = len(self.complaints)
        types = types_of(struct)
        members = self.members(struct, node, path)
        read = {key: self.value(types[key], child, (*path, key)) for key, (child, _) in members.items()}
        given = {key: value for key, value in read.items() if value is not None}
        missing = [field.name for field in struct.fields if field.required and field.name not in given]
        if len(self.complaints) > before:
            return None
        if missing:
            self.complain(node, f"{dotted(path)} needs {' and '.join(missing)}")
            return None
        return struct.cls(**given)

    def items(self, kind: inspect.VarTupleType, node: yaml.Node, path: SettingPath) -> tuple[Any, ...] | None:
        if not isinstance(node, yaml.SequenceNode):
            self.complain(node, f"{dotted(path)} must be {describe(kind)}, not {_shown(node)}")
            return None
        values = []
        for number, child in enumerate(node.value):
            place = (*path[:-1], f"{path[-1]}[{number}]")
            if _is_null(child):
                self.complain(child, f"{dotted(place)} is empty")
            values.append(self.value(kind.item_type, child, place))
        return tuple(value for value in values if value is not None)

    def scalar(self, kind: inspect.Type, inner: inspect.Type, node: yaml.Node, path: SettingPath) -> Any:
        if not isinstance(node, yaml.ScalarNode) or (_is_truth(node) and isinstance(inner, inspect.StrType)):
            self.complain(node, f"{dotted(path)} must be {describe(kind)}, not {_shown(node)}")
            return None
        try:
            return parse(kind, node.value, self.base)
        except ValueError as error:
            self.complain(node, f"{dotted(path)} {error}")
            return None


def _elsewhere(word: str) -> str:
    """`; did you mean web.listen_address?` for a key written at the wrong depth."""
    match = difflib.get_close_matches(word, [key for _, key in SETTINGS], n=1, cutoff=0.8)
    return nearest(match[0], [dotted(path) for path in SETTINGS if path[1] == match[0]], 0) if match else ""


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in _NULL


def _is_truth(node: yaml.ScalarNode) -> bool:
    return node.style is None and node.value.lower() in ("true", "false")


def _shown(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.SequenceNode():
            return "a list"
        case _:
            return quote(str(node.value))
