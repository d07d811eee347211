"""What can go wrong between us and the API server, as a closed set of reasons with a sentence each.

A `ApiError` never carries a response body: a body may hold values, a sentence for people may not.
"""

from __future__ import annotations

import email.utils
import time
from typing import Literal

from exporter.errors import ExporterError

Reason = Literal[
    "gone",  # 410: the version or continue token is too old
    "denied",  # 403
    "absent",  # 404
    "unauthorized",  # 401, also with credentials that were just read again
    "throttled",  # 429, and 503 that names a time
    "form",  # 406, or an answer in another form than the one asked for
    "size",  # a page larger than the limit
    "timeout",
    "network",
    "replay",  # a watch that tells old news: what was deleted meanwhile would go unseen
    "error",
]

# Statuses of HTTP, and codes of ERROR events, that mean something to a reflector. Every other one is an "error".
REASON_OF_STATUS: dict[int, Reason] = {
    401: "unauthorized",
    403: "denied",
    404: "absent",
    406: "form",
    408: "timeout",
    410: "gone",
    429: "throttled",
    504: "timeout",
}

WHAT_TO_DO: dict[Reason, str] = {
    "gone": "the version asked for is too old; it is listed again",
    "denied": "the API server refuses it; grant list and watch (deploy/rbac.yaml)",
    "absent": "the API server does not serve it; is its CRD installed?",
    "unauthorized": "the API server does not accept our credentials; check the ServiceAccount token or the kubeconfig",
    "throttled": "the API server asks us to wait",
    "form": "the API server does not answer in the metadata-only form, and whole objects are never asked for",
    "size": "one page is larger than we read; lower the page size",
    "timeout": "no answer in time; check the API server and the network between",
    "network": "no connection; check the address, the certificate authority and the network between",
    "replay": "the API server replayed old state; it is listed again",
    "error": "the API server answered with an error; see its own log",
}

RETRY_AFTER_CEILING = 300.0


class ApiError(ExporterError):
    """A request that did not give what was asked. `status` is the HTTP status (0: none), `retry_after` seconds or None."""

    def __init__(self, reason: Reason, detail: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(f"{detail}: {WHAT_TO_DO[reason]}")
        self.reason: Reason = reason
        self.detail = detail
        self.status = status
        self.retry_after = retry_after


class Interrupted(Exception):  # noqa: N818 - not an error: somebody asked us to stop
    """The channel was cut off by `Channel.interrupt`."""


def of_status(status: int, where: str, retry_after: str | None = None) -> ApiError:
    """The failure that an HTTP status (or the code of a watch's ERROR event) means. `where` names the request."""
    seconds = retry_after_seconds(retry_after)
    reason = REASON_OF_STATUS.get(status, "error")
    if status == 503 and seconds is not None:
        reason = "throttled"
    return ApiError(reason, f"{where}: HTTP {status}", status=status, retry_after=seconds)


def retry_after_seconds(header: str | None) -> float | None:
    """Seconds that a Retry-After header (seconds or an HTTP date) asks for, at most RETRY_AFTER_CEILING; else None."""
    if not header:
        return None
    text = header.strip()
    if text.isdigit():
        return min(float(text[:9]), RETRY_AFTER_CEILING)
    try:
        moment = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, moment - time.time()), RETRY_AFTER_CEILING)
