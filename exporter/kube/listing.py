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
LARGEST_PAGE = 5000


class Lister:
    """Lists one resource in one scope, in pages whose size follows what the server can do.

    A continue token that has become too old (410) ends the list, and the next one takes pages of twice the size: the
    list took longer than the API server remembers. A page too large to be read is asked for again in quarters.
    """

    def __init__(
        self, channel: Channel, scope: str, page_size: int, read_timeout: float, slots: threading.Semaphore
    ) -> None:
        self._channel = channel
        self._scope = scope
        self._page_size = page_size
        self._read_timeout = read_timeout
        self._slots = slots

    def run(self, request: Request, decoder: Decoder, sink: Sink, alive: Callable[[], None]) -> str:
        """The version to watch from. `alive` is called after each page.

        The sink sees every page at once, and a sweep only after the last one. Raises ApiError and Interrupted; the list
        is then abandoned.
        """
        listing = sink.begin_list(self._scope)
        try:
            version = self._pages(request, decoder, listing, alive)
        except BaseException:
            listing.abandon()
            raise
        listing.finish()
        return version

    def _pages(self, request: Request, decoder: Decoder, listing: Listing, alive: Callable[[], None]) -> str:
        version, token = self._page(request, decoder, listing, "")
        alive()
        while token:
            before = token
            try:
                _, token = self._page(request, decoder, listing, token)
            except ApiError as error:
                if error.reason == "gone":
                    self._page_size = max(self._page_size, min(2 * self._page_size, LARGEST_PAGE))
                raise
            if token == before:
                raise ApiError("error", f"{request.path}: the same continue token came twice")
            alive()
        # All pages are of one version. Should a server mix them, the first misses nothing.
        return version

    def _page(self, request: Request, decoder: Decoder, listing: Listing, token: str) -> tuple[str, str]:
        """Version and continue token of one page, which the sink then has."""
        while True:
            try:
                return self._page_of(self._page_size, request, decoder, listing, token)
            except ApiError as error:
                if error.reason != "size" or self._page_size <= 1:
                    raise
                self._page_size = max(1, self._page_size // 4)

    def _page_of(self, size: int, request: Request, decoder: Decoder, listing: Listing, token: str) -> tuple[str, str]:
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
            return page.version, page.token
        finally:
            self._slots.release()
