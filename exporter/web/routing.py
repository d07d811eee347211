"""Which route answers: `METHOD /path`, `/path` (GET and HEAD), or `/tree/` for everything below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exporter.web.answer import Answer
from exporter.web.messages import Request, Response, sentence

Handler = Callable[[Request], Response | Answer]
"""A route, or one of the server's own that gives its body piece by piece."""


class Router:
    """Finds routes. A pattern is a path, with a method before it unless it answers GET and HEAD.

    A path that ends in a slash answers all paths below it that have no better pattern; `/` answers itself alone.
    """

    def __init__(self, routes: Mapping[str, Handler]) -> None:
        self._paths: dict[str, dict[str, Handler]] = {}
        for pattern, route in routes.items():
            method, _, path = pattern.rpartition(" ")
            methods = self._paths.setdefault(path, {})
            for name in (method,) if method else ("GET", "HEAD"):
                methods[name] = route

    def find(self, method: str, path: str) -> Handler | Response:
        """The route, or the answer 404 or 405."""
        methods = self._paths.get(path) or self._tree(path)
        if methods is None:
            return sentence(404, "there is nothing here; the landing page / shows what there is")
        route = methods.get(method)
        if route is None:
            allowed = ", ".join(sorted(methods))
            return sentence(405, f"here one can {allowed}", {"Allow": allowed})
        return route

    def _tree(self, path: str) -> dict[str, Handler] | None:
        while len(path) > 1:
            path = path[: path.rstrip("/").rfind("/") + 1]
            if path != "/" and path in self._paths:
                return self._paths[path]
        return None
