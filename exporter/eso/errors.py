"""From the text of an error to its class: why an ExternalSecret is not ready.

ESO writes the cause only into the message of a Warning Event (of a PushSecret: into its condition). Such a text may hold
paths, addresses and even values, so it becomes a class here, while its object is decoded, and is never kept.
"""

from __future__ import annotations

import re

OTHER = "other"
"""The class of a text that no pattern knows."""

PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # What ESO does with what it has read. These come first: the rest of their text may quote anything.
    ("template_error", ("could not apply template",)),
    ("template_error", ("could not execute template",)),
    ("template_error", ("error fetching templatefrom data",)),
    ("invalid_keys", ("invalid secret keys",)),
    ("decode_error", ("error applying decoding strategy",)),
    ("decode_error", ("error applying conversion strategy",)),
    ("decode_error", ("error applying rewrite",)),
    # The store, before anything is asked of the provider.
    ("store_not_ready", ("secretstore", "is not ready")),
    ("store_denied", ("denied by spec.condition",)),
    ("store_denied", ("can not reference unmanaged store",)),
    ("store_missing", ("could not get", "secretstore", "not found")),
    # The target, whose conflicts ESO never retries.
    ("owned_by_other", ("secret is owned by another externalsecret",)),
    ("ownership_conflict", ("could not set controller reference",)),
    ("immutable_target", ("secret is immutable",)),
    ("delete_conflict", ("creationpolicy=", "is not owner")),
    # Writing to the Kubernetes API.
    ("api_error", ("unable to update secret",)),
    ("api_error", ("unable to mutate secret",)),
    ("api_error", ("unable to delete secret",)),
    # The provider: out of reach, closed, or busy.
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
    # Logging in, then reading.
    ("auth_failed", ("/v1/auth/", "code: 4")),
    ("auth_failed", ("invalid token",)),
    ("auth_failed", ("bad token",)),
    ("auth_failed", ("cannot get kubernetes secret",)),
    ("auth_failed", ("cannot get kubernetes service account",)),
    ("auth_failed", ("cannot request kubernetes service account token",)),
    ("permission_denied", ("permission denied",)),
    ("permission_denied", ("code: 403",)),
    ("permission_denied", ("is forbidden: user",)),
    ("vault_unavailable", ("code: 5",)),
    ("path_missing", ("secret does not exist",)),
    ("path_missing", ("secret not found",)),
    ("property_missing", ("cannot find secret data for key",)),
    ("generator_error", ("error using generator",)),
    ("generator_error", ("unable to get generator",)),
)
"""(class, texts): the first row all of whose texts stand in the message, in this order, decides. Texts are in lower case and
compared so (ESO's own changed case with 0.11). None holds a quote, a backslash, &, < or >: these are written otherwise
in the JSON of the API server, in which messages are searched."""

# What comes before is "error processing spec.data[0] (key: …", and the key is whatever a user wrote.
_CAUSE = re.compile(rb"\), err: ")
_COMPILED = tuple(
    (name, re.compile(b".*?".join(re.escape(text.encode()) for text in texts), re.IGNORECASE | re.DOTALL))
    for name, texts in PATTERNS
)


def error_class(message: bytes | memoryview) -> str:
    """The class of an error's text, plain or as the raw JSON of a string; `OTHER` when no pattern knows it.

    The text is searched where it stands: nothing of it is copied.
    """
    cause = _CAUSE.search(message)
    start = cause.end() if cause is not None else 0
    for name, pattern in _COMPILED:
        if pattern.search(message, start) is not None:
            return name
    return OTHER
