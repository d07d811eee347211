"""Settings from their four sources: flags stand over environment variables, these over the file, this over the defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect as inspect

from exporter.config.file import FileContent, decode
from exporter.config.options import BY_ENV, BY_FLAG, ENVIRONMENT_PREFIX, REVISION_VARIABLE, SERVICE_LINK, Option
from exporter.config.schema import SETTINGS, SettingPath, dotted, nearest, parse, plain, quote
from exporter.config.settings import Settings, VaultServer
from exporter.config.validate import validate
from exporter.errors import ConfigError

Read = Callable[[str], str]

DEFAULT = "default"


class Resolved(msgspec.Struct, frozen=True):
    """Settings with where each came from: `default`, `file <name>`, `environment <variable>` or `flag --<flag>`."""

    settings: Settings
    origins: dict[SettingPath, str]
    file: str = ""


def read_file(name: str) -> str:
    """The text of a configuration file. Raises ConfigError when it cannot be read."""
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read the configuration file {name}: it is not UTF-8 text") from None


def load(flags: Mapping[str, Any], environ: Mapping[str, str], read: Read = read_file) -> Settings:
    """The settings of a run; see `resolve`."""
    return resolve(flags, environ, read).settings


def resolve(flags: Mapping[str, Any], environ: Mapping[str, str], read: Read = read_file) -> Resolved:
    """Join the sources. `flags` holds dotted flag names (`web.listen-address`) with texts, truth values or lists of texts;
    None means not given. Only variables that start with VAULT_ESO_EXPORTER_ matter; an empty one is as if it were not set.

    Raises ConfigError (one sentence) for an unknown name, a wrong type, a value out of its limits, or settings that do not
    go together.
    """
    given = {flag: value for flag, value in flags.items() if value not in (None, ())}
    above = _from_environment(environ)
    origins_above = {option.path: f"environment {option.env}" for option in above}
    for flag, value in given.items():
        option = BY_FLAG[flag]
        above[option] = _value(option, f"--{flag}", value)
        origins_above[option.path] = f"flag --{flag}"
    file = str(above.pop(BY_FLAG["config.file"], ""))
    content = decode(read(file), file) if file else FileContent({}, {}, ())
    _raise(content.complaints)

    values = dict(content.values)
    origins = dict.fromkeys(SETTINGS, DEFAULT) | dict.fromkeys(values, f"file {file}")
    for option, value in above.items():
        origin = origins_above[option.path]
        if option.pairs and option.path in values:
            value, origin = _join(values[option.path], value), f"{origins[option.path]}, {origin}"
        values[option.path], origins[option.path] = value, origin
    settings = _build(values)
    _raise(tuple(complaint + _blame(complaint, origins) for complaint in validate(settings)))
    return Resolved(settings, origins, file)


def check_file(name: str, read: Read = read_file) -> list[str]:
    """Every complaint about a configuration file taken by itself, as sentences; empty when it is good."""
    content = decode(read(name), name)
    if content.complaints:
        return list(content.complaints)
    return [f"{name}: {complaint}" for complaint in validate(_build(content.values))]


def _build(values: Mapping[SettingPath, Any]) -> Settings:
    settings = Settings()
    sections: dict[str, Any] = {}
    for (section, key), value in values.items():
        current = sections.get(section, getattr(settings, section))
        sections[section] = msgspec.structs.replace(current, **{key: value})
    return msgspec.structs.replace(settings, **sections)


def _from_environment(environ: Mapping[str, str]) -> dict[Option, Any]:
    found = {}
    for name, text in sorted(environ.items()):
        foreign = name == REVISION_VARIABLE or SERVICE_LINK.fullmatch(name)
        if not name.startswith(ENVIRONMENT_PREFIX) or foreign or not text.strip():
            continue
        option = BY_ENV.get(name)
        if option is None:
            raise ConfigError(f"the environment variable {name} is not known{nearest(name, BY_ENV)}")
        found[option] = _value(option, f"the environment variable {name}", text)
    return found


def _value(option: Option, source: str, given: Any) -> Any:
    """The value of an option as its setting's type. Raises ConfigError."""
    if option.switch and isinstance(given, bool):
        return given
    try:
        if not option.repeatable:
            return parse(option.kind, str(given))
        texts = [given] if isinstance(given, str) else [str(text) for text in given]
        # A URL or the value of a label may hold a comma, so that pairs are split where the next one starts.
        mapping = isinstance(plain(option.kind), inspect.DictType)
        at = r",(?=\s*[\w.-]+=)|\n" if option.pairs or mapping else r"[,\n]"
        parts = [part.strip() for text in texts for part in re.split(at, text)]
        words = [part for part in parts if part]
        if mapping:
            return dict(map(_entry, words))
        return tuple(_pair(word) for word in words) if option.pairs else _items(option, words)
    except ValueError as error:
        raise ConfigError(f"{source} {error}") from None


def _items(option: Option, words: list[str]) -> tuple[Any, ...]:
    kind = plain(option.kind)
    assert isinstance(kind, inspect.VarTupleType)
    return tuple(parse(kind.item_type, word) for word in words)


def _entry(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise ValueError(f"must be NAME=VALUE such as cluster=prod, not {quote(text)}")
    return name.strip(), value.strip()


def _pair(text: str) -> VaultServer:
    name, separator, address = text.partition("=")
    if not separator or not name or not address or "/" in name:
        raise ValueError(f"must be NAME=URL such as main=https://vault.example:8200, not {quote(text)}")
    return VaultServer(name=name.strip(), address=address.strip())


def _join(listed: tuple[VaultServer, ...], added: tuple[VaultServer, ...]) -> tuple[VaultServer, ...]:
    """Servers of the file, with the addresses that flags give to the same names, and then the flags' new ones."""
    addresses = {server.name: server.address for server in added}
    kept = [
        msgspec.structs.replace(server, address=addresses[server.name]) if server.name in addresses else server
        for server in listed
    ]
    names = {server.name for server in listed}
    return (*kept, *(server for server in added if server.name not in names))


def _blame(complaint: str, origins: Mapping[SettingPath, str]) -> str:
    """Where the settings that a complaint names come from, as ` (flag --vault.timeout)`; empty for defaults."""
    named = [origin for path, origin in origins.items() if origin != DEFAULT and dotted(path) in complaint]
    return f" ({', '.join(dict.fromkeys(named))})" if named else ""


def _raise(complaints: tuple[str, ...]) -> None:
    if complaints:
        more = len(complaints) - 1
        raise ConfigError(complaints[0] + (f" ({more} more; `config check` lists them)" if more else ""))
