"""Settings written down: each value as YAML that reads back as the same, and the whole with the origin of every line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import msgspec.inspect as inspect
import yaml

from exporter.config.duration import format_duration
from exporter.config.load import DEFAULT, Resolved
from exporter.config.options import Option
from exporter.config.schema import SECTIONS, SETTINGS, dotted, note, plain, redact


def show(resolved: Resolved) -> str:
    """The effective settings as a configuration file, each with its origin behind it; users and passwords in URLs are hidden."""
    return "\n".join(_lines(resolved)) + "\n"


def _lines(resolved: Resolved) -> Iterator[str]:
    for section, struct in SECTIONS.items():
        yield f"{section}:"
        values = getattr(resolved.settings, section)
        for field in struct.fields:
            origin = f"  # {resolved.origins[section, field.name]}"
            value = getattr(values, field.name)
            if _is_flat(value):
                yield f"  {field.name}: {written(field.type, value)}{origin}"
            else:
                yield f"  {field.name}:{origin}"
                block = yaml.safe_dump(_builtins(value), sort_keys=False, allow_unicode=True, width=10_000)
                yield from (f"    {line}" for line in redact(block).splitlines())


def not_default(resolved: Resolved) -> dict[str, tuple[str, str]]:
    """Every setting that somebody gave, by its dotted name: its value in one line, as `show` has it, and its origin."""
    found = {}
    for path, origin in resolved.origins.items():
        if origin != DEFAULT:
            value = getattr(getattr(resolved.settings, path[0]), path[1])
            flat = written(SETTINGS[path].type, value) if _is_flat(value) else redact(json.dumps(_builtins(value)))
            found[dotted(path)] = (flat, origin)
    return found


def written(kind: inspect.Type, value: Any) -> str:
    """A flat value in one line of YAML: durations in Go's form, texts quoted."""
    if isinstance(plain(kind), inspect.FloatType) and note(kind).get("unit") == "seconds":
        return format_duration(value)
    if isinstance(plain(kind), inspect.LiteralType):
        return str(value)
    return redact(json.dumps(value, ensure_ascii=False))


def default(option: Option) -> str:
    """The default of an option for its help: without quotes, items with commas, empty where there is none."""
    if not option.path:
        return ""
    value = SETTINGS[option.path].default
    if option.switch or value in ("", (), msgspec.NODEFAULT):
        return str(value).lower() if option.switch else ""
    return ",".join(value) if isinstance(value, tuple) else written(option.kind, value).strip('"')


def _is_flat(value: Any) -> bool:
    """Whether it fits one line: a scalar, or an empty or text-only list."""
    if isinstance(value, dict):
        return not value
    return not isinstance(value, tuple) or all(isinstance(item, str) for item in value)


def _builtins(value: Any) -> Any:
    """Structs as mappings without the fields that are at their default."""
    if isinstance(value, msgspec.Struct):
        pairs = zip(value.__struct_fields__, msgspec.structs.astuple(value), strict=True)
        return {key: _builtins(item) for key, item in pairs if item not in ("", ())}
    if isinstance(value, tuple):
        return [_builtins(item) for item in value]
    return value
