"""`python -m benchmarks.rules`: what one evaluation of all alert rules costs a real Prometheus, at 5,000 ExternalSecrets and 20 stores.

Prometheus scrapes a made-up exporter every ten seconds (three times as often as most do, so the windows hold more than usual) and
evaluates the shipped rules as often. First all is well but for the usual 2 %, then a Vault behind five of the stores is sealed and
1,250 ExternalSecrets fail. The figure is what Prometheus itself says of its rule groups. Bar: 10 % of an interval of 30 s.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from alerts.rules import RULES
from tests.lab.loopback import LOOPBACK, new_session
from tests.lab.monitoring import Prometheus
from tests.lab.servers import ROOT

INTERVAL = 30.0
BAR = 0.10
SCRAPE = "10s"
VAULTS = 4


@dataclass
class MadeUp:
    """An exporter's answer: so many ExternalSecrets, of which every fiftieth fails, and all of one Vault while it is sealed."""

    externalsecrets: int
    stores: int
    sealed: bool = False
    sealed_at: float = 0.0
    begun: float = 0.0

    def lines(self) -> Iterator[str]:
        """The lines that the rules read, and nothing else."""
        yield 'eso_exporter_build_info{version="0.1.0"} 1'
        for resource in ("externalsecrets", "secretstores", "secrets", "namespaces", "events", "deployments"):
            of = f'{{resource="{resource}",scope=""}}'
            yield f"eso_exporter_resource_synced{of} 1"
            yield f"eso_exporter_resource_denied{of} 0"
            yield f"eso_exporter_resource_absent{of} 0"
            yield f"eso_exporter_resource_last_contact_timestamp_seconds{of} {time.time():.0f}"
        yield 'eso_operator_replicas{namespace="eso",component="controller",state="ready"} 1'
        yield 'eso_error_info{namespace="",error="owned_by_other",owner_side="application",heals="no"} 1'
        yield 'eso_error_info{namespace="",error="vault_sealed",owner_side="platform",heals="yes"} 1'
        for vault in range(VAULTS):
            down = self.sealed and vault == 0
            yield f'eso_vault_available{{namespace="",vault="vault-{vault}"}} {int(not down)}'
            yield f'eso_vault_up{{namespace="",vault="vault-{vault}",node="n"}} 1'
            if down:
                yield 'eso_vault_problem{namespace="",vault="vault-0",node="",problem="unavailable",error="sealed"} 1'
        for store in range(self.stores):
            yield f'eso_secretstore_info{{namespace="",{self._store(store)},provider="vault",owner="platform"}} 1'
            yield f'eso_secretstore_ready{{namespace="",{self._store(store)}}} {int(not self._hit(store))}'
        for namespace in range(max(1, self.externalsecrets // 20)):
            yield f'eso_namespace_owner_info{{namespace="team-{namespace}",owner="team-{namespace % 40}"}} 1'
            yield (
                f'eso_manual_secret_info{{namespace="team-{namespace}",secret="old",type="Opaque",creator="kubectl",rule="",exception=""}} 1'
            )
            yield f'eso_manual_secret_created_timestamp_seconds{{namespace="team-{namespace}",secret="old"}} 1700000000'
            yield f'eso_secret_problem{{namespace="team-{namespace}",secret="old",problem="manual"}} 1'
        for number in range(self.externalsecrets):
            yield from self._externalsecret(number)

    def _store(self, number: int) -> str:
        return (
            f'store_kind="ClusterSecretStore",store_namespace="",store="store-{number}",vault="vault-{number % VAULTS}"'
        )

    def _hit(self, store: int) -> bool:
        return self.sealed and store % VAULTS == 0

    def _externalsecret(self, number: int) -> Iterator[str]:
        store = number % self.stores
        of = f'namespace="team-{number // 20}",name="secret-{number}"'
        stored = f"{of},{self._store(store)}"
        bad = self._hit(store) or number % 50 == 7
        since = self.sealed_at if self._hit(store) else self.begun
        yield f'eso_externalsecret_info{{{stored},target="secret-{number}",refresh_policy="Periodic",owner="team-{number % 40}"}} 1'
        yield f"eso_externalsecret_store_info{{{stored}}} 1"
        yield f"eso_externalsecret_ready{{{stored}}} {int(not bad)}"
        status = 'status="False",reason="SecretSyncedError"' if bad else 'status="True",reason="SecretSynced"'
        yield f"eso_externalsecret_status_info{{{of},{status}}} 1"
        yield f"eso_externalsecret_ready_transition_timestamp_seconds{{{of}}} {since if bad else 1790000000:.0f}"
        yield f"eso_externalsecret_last_sync_timestamp_seconds{{{of}}} {self.begun:.0f}"
        yield f"eso_externalsecret_sync_deadline_timestamp_seconds{{{of}}} {self.begun + 7200:.0f}"
        if bad:
            error = "vault_sealed" if self._hit(store) else "owned_by_other"
            yield f'eso_externalsecret_problem{{{stored},problem="not_ready",error="{error}"}} 1'


def serve(exporter: MadeUp) -> ThreadingHTTPServer:
    """Serves the lines on a free port of the loopback address, in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "\n".join([*exporter.lines(), ""]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def processor_seconds(prometheus: Prometheus) -> float:
    """What Prometheus has used since it was started, by its own count."""
    text = new_session().get(f"{prometheus.address}/metrics", timeout=30).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("process_cpu_seconds_total "))


def evaluations(prometheus: Prometheus, seconds: float) -> list[float]:
    """How long each evaluation of all groups took within so many seconds, as Prometheus tells it."""
    taken: dict[str, dict[str, float]] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for group in prometheus.rule_groups():
            taken.setdefault(group["name"], {})[group["lastEvaluation"]] = group["evaluationTime"]
        time.sleep(2)
    rounds = zip(*(list(times.values())[1:] for times in taken.values()), strict=False)
    return [sum(one) for one in rounds]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rules", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--externalsecrets", type=int, default=5_000)
    parser.add_argument("--stores", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each of the two phases")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when the bar is missed")
    chosen = parser.parse_args(arguments)
    folder = ROOT / ".lab" / f"rules-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True)
    exporter = MadeUp(chosen.externalsecrets, chosen.stores, begun=time.time())
    server = serve(exporter)
    worst = 0.0
    prometheus = Prometheus(folder)
    prometheus.start()
    try:
        target = f"{LOOPBACK}:{server.server_address[1]}"
        prometheus.configure({"eso": target}, [RULES], interval=SCRAPE)
        prometheus.wait_for_value("count(eso:externalsecret_owner)", chosen.externalsecrets, timeout=90)
        for phase in ("all but 2 % well", "a Vault sealed"):
            used = processor_seconds(prometheus)
            taken = evaluations(prometheus, chosen.seconds)
            used = (processor_seconds(prometheus) - used) / (chosen.seconds / 10)
            firing = prometheus.query('sum(ALERTS{alertstate="firing"}) or vector(0)').value
            print(
                f"{phase}: {statistics.median(taken):.2f} s (slowest {max(taken):.2f} s of {len(taken)}), "
                f"{statistics.median(taken) / INTERVAL:.1%} of {INTERVAL:.0f} s; {firing:.0f} alerts firing; "
                f"{used:.2f} s of a processor for each scrape and evaluation"
            )
            worst = max(worst, statistics.median(taken))
            exporter.sealed, exporter.sealed_at = True, time.time()
    finally:
        prometheus.stop()
        server.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    kept = worst <= BAR * INTERVAL
    print(
        f"bar: {BAR:.0%} of {INTERVAL:.0f} s at {chosen.externalsecrets} ExternalSecrets: {'kept' if kept else 'MISSED'}"
    )
    return 1 if chosen.strict and not kept else 0


if __name__ == "__main__":
    sys.exit(main())
