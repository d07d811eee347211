"""The routes that a kubelet, a load balancer or an operator asks: is it alive, is it ready, take the configuration anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exporter.web.messages import Request, Response, Route, sentence


def health_routes(
    *,
    healthy: Callable[[], bool],
    ready: Callable[[], bool],
    reload: Callable[[], str] | None = None,
) -> Mapping[str, Route]:
    """Routes for a `WebServer`.

    `healthy`: every thread that must live does. `ready`: every permitted resource has had its first complete list.
    `reload` takes the configuration anew and gives "" or the sentence that tells what is wrong with it; None: not allowed.
    Health and readiness are 200 or 503, under Prometheus' names (`/-/healthy`, `/-/ready`) and Kubernetes'.
    """

    def live(_: Request) -> Response:
        if healthy():
            return sentence(200, "healthy")
        return sentence(503, "not healthy: a thread that must live is dead; see the log, and restart the exporter")

    def readiness(_: Request) -> Response:
        if ready():
            return sentence(200, "ready")
        return sentence(
            503, "not ready: the first complete list of some resource is still to come; see the landing page"
        )

    def take(_: Request) -> Response:
        if reload is None:
            return sentence(403, "reload over HTTP is off: start with --web.enable-reload, or send SIGHUP")
        complaint = reload()
        return sentence(500, f"the old configuration stays: {complaint}") if complaint else sentence(200, "reloaded")

    return {
        "/-/healthy": live,
        "/healthz": live,
        "/livez": live,
        "/-/ready": readiness,
        "/readyz": readiness,
        "POST /-/reload": take,
        "PUT /-/reload": take,
    }
