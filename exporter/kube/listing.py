"""One complete list: page by page into the sink, each page dropped before the next is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from exporter.kube.decode import Decoder
from exporter.kube.failure import ApiError, Interrupted
from exporter.kube.request import Request
from exporter.kube.resource import Listing, Sink
from exporter.kube.transport import Channel

LISTS_AT_ONCE = 8  # pages under way in one process: bounds memory, and what a thousand namespaces ask for at start
TOKENS_LOST_AT_MOST = 3
LARGEST_PAGE = 5000


class Lister:
    """Lists one resource in one scope.

    A continue token that has become too old (410) begins the list anew with twice the page, because the list was too
    slow for the API server's memory; a page that is too large is asked for again in quarters.
    """

    def __init__(
        self, channel: Channel, scope: str, page_size: int, read_timeout: float, slots: threading.Semaphore
    ) -> None:
        self._channel = channel
        self._scope = scope
        self._page_size = page_size
        self._read_timeout = read_timeout
        self._slots = slots

    def run(
        self, request: Request, decoder: Decoder, sink: Sink, alive: Callable[[], None], gone: Callable[[], None]
    ) -> str:
        """The version to watch from. `alive` is called after each page, `gone` for each lost continue token.

        The sink sees every page at once, and a sweep only after the last one. Raises ApiError and Interrupted; the list
        is then abandoned.
        """
        size = self._page_size
        for _ in range(TOKENS_LOST_AT_MOST):
            listing = sink.begin_list(self._scope)
            try:
                version = self._pages(request, decoder, listing, size, alive)
            except ApiError as error:
                listing.abandon()
                if error.reason != "gone":
                    raise
                gone()
                size = min(size * 2, max(LARGEST_PAGE, size))
            except BaseException:
                listing.abandon()
                raise
            else:
                listing.finish()
                return version
        raise ApiError("gone", f"{request.path}: the list takes longer than the API server remembers", status=410)

    def _pages(self, request: Request, decoder: Decoder, listing: Listing, size: int, alive: Callable[[], None]) -> str:
        version = token = ""
        first = True
        while first or token:
            previous = token
            try:
                token, page_version = self._page(request, decoder, listing, size, token)
            except ApiError as error:
                if error.reason != "size" or size <= 1:
                    raise
                size = max(1, size // 4)
                continue
            if first:
                version, first = page_version, False
            if token and token == previous:
                raise ApiError("error", f"{request.path}: the same continue token came twice")
            alive()
        return version

    def _page(self, request: Request, decoder: Decoder, listing: Listing, size: int, token: str) -> tuple[str, str]:
        while not self._slots.acquire(timeout=0.2):
            if self._channel.interrupted:
                raise Interrupted
        try:
            response = self._channel.get(
                request.path,
                request.list_query(size, token),
                accept=request.accept(watch=False),
                read_timeout=self._read_timeout,
                gzip=True,
            )
            page = decoder.page(self._channel.body(response, request.path))
            listing.add(page.records)
            for namespace, name in page.kept:
                listing.keep(namespace, name)
            return page.token, page.version
        finally:
            self._slots.release()
