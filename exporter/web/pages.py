"""The landing page: what is watched, what is probed, and what would have to be allowed."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import jinja2
import msgspec

from exporter.web.messages import HTML, Request, Response, Route

#: Nothing is loaded from anywhere, nothing runs, and nobody may frame it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class ResourceStatus(msgspec.Struct, frozen=True):
    """One watched resource: `scope` a namespace or empty, `last_contact` Unix seconds, `note` a sentence for people."""

    resource: str
    scope: str = ""
    synced: bool = False
    denied: bool = False
    last_contact: float | None = None
    objects: int | None = None
    note: str = ""


class VaultStatus(msgspec.Struct, frozen=True):
    """One probed node: `state` in words, `bad` when nobody is served, `probed` Unix seconds of the last probe."""

    vault: str
    node: str
    address: str
    state: str
    probed: float | None = None
    bad: bool = False


class NotProbed(msgspec.Struct, frozen=True):
    """A server that stores name and nobody asks: `state` as in eso_exporter_vault_servers, `hint` the sentence that names the flag."""

    server: str
    state: str
    hint: str = ""


class Status(msgspec.Struct, frozen=True):
    """All that the landing page shows."""

    version: str
    ready: bool = False
    resources: tuple[ResourceStatus, ...] = ()
    vaults: tuple[VaultStatus, ...] = ()
    not_probed: tuple[NotProbed, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """Further pages: (path, what it shows)."""


def landing(status: Callable[[], Status], clock: Callable[[], float]) -> Route:
    """The route of `/`; `clock` gives Unix seconds."""
    template = _TEMPLATES.get_template("landing.html")

    def page(_: Request) -> Response:
        now = clock()
        text = template.render(status=status(), ago=lambda moment: _ago(now, moment), utc=_utc)
        return Response(
            body=text.encode(errors="replace"), content_type=HTML, headers={"Content-Security-Policy": POLICY}
        )

    return page


def _ago(now: float, moment: float | None) -> str:
    """`12 s ago`, `3 min ago`; never when there is no moment."""
    if moment is None:
        return "never"
    seconds = max(0, int(now - moment))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _utc(moment: float | None) -> str:
    """The moment in RFC 3339, for the tooltip."""
    if moment is None:
        return ""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
