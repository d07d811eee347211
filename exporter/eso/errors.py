"""From the text of an error to its class: why an ExternalSecret is not ready.

ESO writes the cause only into the message of a Warning Event (of a PushSecret: into its condition). Such a text may hold
paths, addresses and even values, so it becomes a class here, while its object is decoded, and is never kept.
"""

from __future__ import annotations

import re

OTHER = "other"
"""The class of a text that no pattern knows."""

Row = tuple[str, tuple[str, ...]]
"""(class, texts): all texts must stand in the message, in this order. They are in lower case and compared so (ESO's own
changed case with 0.11). None holds a quote, a backslash, &, < or >: these are written otherwise in the JSON of the API
server, in which messages are searched."""

WRITING: tuple[Row, ...] = (
    # What a template's error says may quote anything, so it comes before everything else.
    ("template_error", ("could not apply template",)),
    # Conflicts about the target, which ESO never retries.
    ("owned_by_other", ("secret is owned by another externalsecret",)),
    ("ownership_conflict", ("could not set controller reference",)),
    ("immutable_target", ("secret is immutable",)),
    ("delete_conflict", ("creationpolicy=", "is not owner")),
    # The Kubernetes API refuses what ESO writes.
    ("invalid_keys", ("is invalid", "data[")),
    ("api_error", ("unable to update secret",)),
    ("api_error", ("is forbidden",)),
    ("api_error", ("is invalid",)),
)
"""First the rows for what happens to the Secret, once everything has been read."""

READING: tuple[Row, ...] = (
    # What ESO does with what it has read: the rest of these texts may quote anything, too.
    ("invalid_keys", ("invalid secret keys",)),
    ("decode_error", ("error applying decoding strategy",)),
    ("decode_error", ("error applying conversion strategy",)),
    ("decode_error", ("error applying rewrite",)),
    # The store, before anything is asked of the provider.
    ("store_not_ready", ("secretstore", "is not ready")),
    ("store_denied", ("denied by spec.condition",)),
    ("store_denied", ("can not reference unmanaged store",)),
    ("store_missing", ("could not get", "secretstore", "not found")),
    # The provider: closed, busy, or out of reach.
    ("vault_sealed", ("vault is sealed",)),
    ("rate_limited", ("code: 429",)),
    ("dns", ("no such host",)),
    ("dns", ("server misbehaving",)),
    ("dns", ("name resolution",)),
    ("timeout", ("i/o timeout",)),
    ("timeout", ("context deadline exceeded",)),
    ("timeout", ("handshake timeout",)),
    ("timeout", ("client.timeout exceeded",)),
    ("tls", ("x509: ",)),
    ("tls", ("tls: ",)),
    ("tls", ("server gave http response to https client",)),
    ("tls", ("http request to an https server",)),
    ("connection_refused", ("connection refused",)),
    ("connection_refused", ("connection reset",)),
    ("connection_refused", ("no route to host",)),
    ("connection_refused", ("network is unreachable",)),
    ("connection_refused", (": eof",)),
    # Logging in, then reading.
    ("auth_failed", ("/v1/auth/", "code: 4")),
    ("auth_failed", ("permission denied", "invalid token")),
    ("auth_failed", ("cannot get kubernetes secret",)),
    ("auth_failed", ("cannot request kubernetes service account token",)),
    # Vault refuses what a policy forbids with a list of errors; a token that it does not know, with a bare sentence.
    ("permission_denied", ("error occurred", "permission denied")),
    ("auth_failed", ("code: 403", "permission denied")),
    ("permission_denied", ("is forbidden",)),
    ("vault_unavailable", ("code: 5",)),
    ("path_missing", ("secret does not exist",)),
    ("path_missing", ("secret not found",)),
    ("property_missing", ("cannot find secret data for key",)),
    ("generator_error", ("error using generator",)),
    ("generator_error", ("unable to get generator",)),
)
"""The rows for what happens between the spec and the provider, from near to far."""

# The key in "error processing spec.data[0] (key: …), err: …" is whatever a user wrote: it is not searched.
# Many alike become one Event whose text has a few words before it.
_READ = re.compile(
    rb'"?(?:\(combined from similar events\): )?error processing spec\.data.*?, err: ', re.IGNORECASE | re.DOTALL
)


def _compiled(rows: tuple[Row, ...]) -> tuple[tuple[Row, re.Pattern[bytes]], ...]:
    flags = re.IGNORECASE | re.DOTALL
    return tuple((row, re.compile(b".*?".join(re.escape(text.encode()) for text in row[1]), flags)) for row in rows)


_READING = _compiled(READING)
_ANY = _compiled(WRITING) + _READING


def row_of(message: bytes | memoryview) -> Row | None:
    """The first row that fits an error's text, plain or as the raw JSON of a string; None when none does.

    The text is searched where it stands: nothing of it is copied.
    """
    read = _READ.match(message)
    start = read.end() if read is not None else 0
    for row, pattern in _READING if read is not None else _ANY:
        if pattern.search(message, start) is not None:
            return row
    return None


def error_class(message: bytes | memoryview) -> str:
    """The class of an error's text (see `row_of`); `OTHER` when no row knows it."""
    row = row_of(message)
    return row[0] if row is not None else OTHER
