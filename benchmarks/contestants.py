"""The processes that are compared, each started as its users would start it."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import usage
from benchmarks.cluster_objects import Sizes
from benchmarks.scraper import Scraper, try_scrape
from exporter.kube import residue
from tests.lab.build import ensure
from tests.lab.loopback import LOOPBACK, answers_200, free_port, new_session
from tests.lab.process import Process
from tests.lab.servers import ROOT
from tests.lab.waiting import wait_until

_COMPLETE_TIMEOUT = 600.0

AGE_OFF = "--no-metrics.age"


class Contestant(Process):
    """A process with a /metrics. `complete` maps the beginning of a line to how many such lines a whole exposition has."""

    look_every = 0.1

    def __init__(self, name: str, folder: Path, kubeconfig: Path, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(name, folder)
        self.tls = tls
        self.port = free_port()
        self.kubeconfig = kubeconfig
        self.sync_cpu = 0.0

    def complete(self, sizes: Sizes) -> Mapping[bytes, int]:
        """What shows that everything has been read."""
        raise NotImplementedError

    def synced(self) -> bool:
        """Whether everything may have been read: asked often, so it must cost the process nothing."""
        raise NotImplementedError

    def wait_complete(self, sizes: Sizes) -> bytes:
        """Waits for the first whole exposition, which is returned; notes the CPU used until then."""
        scraper = Scraper(self.port, gzip=False, tls=self.tls)
        wanted = self.complete(sizes)
        found: list[bytes] = []

        def look() -> bool:
            if not self.running:
                raise SystemExit(f"{self.name} ended: {self.log_tail(5)}")
            scrape = try_scrape(scraper) if self.synced() else None
            if scrape is None:
                return False
            text = b"\n" + scrape.body
            if any(text.count(b"\n" + line) < count for line, count in wanted.items()):
                return False
            found.append(scrape.body)
            return True

        wait_until(f"{self.name} is complete", look, _COMPLETE_TIMEOUT, every=self.look_every)
        scraper.close()
        self.sync_cpu = usage.cpu_seconds(self.pid)
        return found[0]


class Ours(Contestant):
    """vault-eso-exporter, with settings, and with one trick off where `trick` names one (see tricks.py)."""

    def __init__(
        self,
        name: str,
        folder: Path,
        kubeconfig: Path,
        *arguments: str,
        trick: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(name, folder, kubeconfig, tls)
        self._arguments = arguments
        self._module = ["benchmarks.tricks", trick] if trick else ["exporter"]
        self._session = new_session()

    def command(self) -> Sequence[str | Path]:
        return [
            sys.executable,
            "-m",
            *self._module,
            "serve",
            f"--kubeconfig={self.kubeconfig}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            *self._arguments,
        ]

    def environment(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(ROOT), **residue.ENVIRONMENT}

    def synced(self) -> bool:
        # Scraped when it speaks TLS: nobody counts what that contestant's sync takes.
        return self.tls is not None or answers_200(self._session, f"http://{LOOPBACK}:{self.port}/-/ready")

    def complete(self, sizes: Sizes) -> Mapping[bytes, int]:
        return {
            b"eso_externalsecret_info{": sizes.externalsecrets,
            b"eso_manual_secret_info{": sizes.manual,
            b"eso_secrets{": sizes.namespaces if sizes.secrets else 0,
        }


class KubeStateMetrics(Contestant):
    """One kube-state-metrics for both kinds. It has no cheap way to tell that it has synced, so it is scraped for that."""

    look_every = 2.0

    def synced(self) -> bool:
        return True

    def command(self) -> Sequence[str | Path]:
        return [
            ensure("kube-state-metrics"),
            f"--kubeconfig={self.kubeconfig}",
            f"--host={LOOPBACK}",
            f"--port={self.port}",
            f"--telemetry-host={LOOPBACK}",
            f"--telemetry-port={free_port()}",
            "--resources=secrets",
            f"--custom-resource-state-config-file={Path(__file__).with_name('kube_state_metrics.yaml')}",
            "--enable-gzip-encoding",
        ]

    def complete(self, sizes: Sizes) -> Mapping[bytes, int]:
        return {b"eso_externalsecret_info{": sizes.externalsecrets, b"kube_secret_info{": sizes.secrets}


class Plain(Contestant):
    """The plain exporter of plain_exporter.py."""

    def synced(self) -> bool:
        return "listed" in self.log_text()

    def command(self) -> Sequence[str | Path]:
        return [
            sys.executable,
            "-m",
            "benchmarks.plain_exporter",
            f"--kubeconfig={self.kubeconfig}",
            f"--address={LOOPBACK}",
            f"--port={self.port}",
        ]

    def environment(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    def complete(self, sizes: Sizes) -> Mapping[bytes, int]:
        return {
            b"eso_externalsecret_info{": sizes.externalsecrets,
            b"eso_manual_secret_info{": sizes.manual,
        }
