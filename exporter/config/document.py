"""`docs/configuration.md`, written from the table of options and the types of the settings."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec.inspect as inspect

from exporter.config.options import FILE_ONLY, OPTIONS, Option
from exporter.config.schema import SECTIONS, SETTINGS, SettingPath, describe, dotted, plain
from exporter.config.show import default

_HEAD = """\
# Configuration

<!-- Generated from exporter/config/ by `make generate`; do not edit. -->

Every setting has a default; a cluster with the External Secrets Operator needs none of them. Settings come from four sources, each
standing over the next:

1. **flags**, such as `--web.listen-address=:10820`;
2. **environment variables**, such as `VAULT_ESO_EXPORTER_WEB_LISTEN_ADDRESS`; an empty one is as if it were not set, lists are
   separated by commas. An unknown name that starts with `VAULT_ESO_EXPORTER_` is an error, except those that Kubernetes sets for a
   Service (`…_SERVICE_HOST`, `…_PORT_10820_TCP`, …). Variables of Vault's own tools (`VAULT_ADDR`, `VAULT_TOKEN`, …) do not matter;
3. the **file** that `--config.file` names;
4. the **defaults** below.

A list from a higher source replaces one from a lower source. Only `--vault NAME=URL` adds: it names one more Vault, or gives a Vault
of the file another address.

Durations are written `90s`, `1h30m` or `300ms`; a plain number is seconds. Files named in the configuration file are relative to it.
`vault-eso-exporter config show` prints what the exporter would run with and where each value comes from;
`vault-eso-exporter config check FILE` lists every mistake of a file, with its line.

The configuration is read again on SIGHUP, when the file changes (looked at every five seconds, by content, so that a swapped
ConfigMap is seen), and on `POST /-/reload` where `--web.enable-reload` allows it. A file with a mistake changes nothing: the old
configuration stays, one line is logged, and `eso_exporter_config_last_reload_successful` is 0 until a good one is read.
The file is YAML in which only `true` and `false` are truth values: `discover: off` is the word.
"""


def render() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_flags(), *_file(), _EXAMPLE])


def _flags() -> Iterator[str]:
    yield "## Flags and variables\n"
    yield "| flag | key of the file | default | what it does |"
    yield "|---|---|---|---|"
    for option in OPTIONS:
        key = f"`{dotted(option.path)}`" if option.path else ""
        yield f"| {_flag(option)} | {key} | {_code(default(option))} | {_cell(option.help)} |"
    yield ""
    yield (
        "The variable of a flag is `VAULT_ESO_EXPORTER_` and its name in capitals, dots and dashes as underscores: "
        f"`{OPTIONS[0].env}` for `--{OPTIONS[0].flag}`. Flags that take several values may be repeated, or hold commas.\n"
    )


def _flag(option: Option) -> str:
    if option.switch:
        return f"`--[no-]{option.flag}`"
    return f"`--{option.flag} {option.metavar}`".replace("|", "\\|")


def _file() -> Iterator[str]:
    yield "## Keys of the file\n"
    yield "| key | must be | default |"
    yield "|---|---|---|"
    flags = {option.path: option for option in OPTIONS}
    for path, field in SETTINGS.items():
        shown = default(flags[path]) if path in flags else ""
        yield f"| `{dotted(path)}` | {_cell(describe(field.type))} | {_code(shown)} |"
    yield ""
    yield "Only the file can hold these:\n"
    for path, text in FILE_ONLY.items():
        yield f"- `{dotted(path)}`: {text}"
    yield ""
    for path, struct in _structs():
        yield f"### An item of `{dotted(path)}`\n"
        yield f"{' '.join((struct.cls.__doc__ or '').split())}\n"
        yield "| key | must be | |"
        yield "|---|---|---|"
        for field in struct.fields:
            yield f"| `{field.name}` | {_cell(describe(field.type))} | {'required' if field.required else ''} |"
        yield ""


def _structs() -> Iterator[tuple[SettingPath, inspect.StructType]]:
    """The mappings inside lists, the inner ones after the outer ones."""
    for section, section_type in SECTIONS.items():
        yield from _structs_in((section,), section_type)


def _structs_in(path: SettingPath, struct: inspect.StructType) -> Iterator[tuple[SettingPath, inspect.StructType]]:
    for field in struct.fields:
        kind = plain(field.type)
        item = plain(kind.item_type) if isinstance(kind, inspect.VarTupleType) else None
        if isinstance(item, inspect.StructType):
            yield (*path, field.name), item
            yield from _structs_in((*path, f"{field.name}[]"), item)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


_EXAMPLE = """\
## An example

```yaml
vault:
  servers:
    - name: main
      address: https://vault.vault.svc:8200   # as the stores name it
      ca_file: vault-ca.pem
      nodes:                                  # probed one by one instead of the address
        - {name: vault-0, address: "https://vault-0.vault-internal.vault.svc:8200"}
        - {name: vault-1, address: "https://vault-1.vault-internal.vault.svc:8200"}
        - {name: vault-2, address: "https://vault-2.vault-internal.vault.svc:8200"}
secrets:
  exclude_namespaces: [kube-system, kube-public, kube-node-lease, external-secrets]
  namespaces:
    payroll: "off"                            # its Secrets are not watched at all
ownership:
  rules:
    - {name: our-operator, result: controller, owner_kind: Database.example.com}
  exceptions:
    - id: SEC-1412
      namespace: keybuzz-api-dev
      secret: keybuzz-ses
      reason: moves to Vault with the next release
      owner: team-mail
      until: 2027-03-31
```
"""
