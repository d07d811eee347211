"""On the lab's real API server: everyone over the same objects, in the same run."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from benchmarks import usage
from benchmarks.cluster_objects import Sizes
from benchmarks.contestants import AGE_OFF, Contestant, KubeStateMetrics, Ours, Plain
from benchmarks.figures import Report, mb, ms, shown
from benchmarks.filling import Filler, Writer
from benchmarks.freshness import changes_on_server, measure_freshness
from benchmarks.hostile import measure_hostile
from benchmarks.memory import LARGE_VALUE, SMALL_VALUE, memory_bars, scrape_a_while
from benchmarks.names import KSM, OURS, OURS_AGE, OURS_TLS, PLAIN
from benchmarks.rounds import Series, ratio, scrape_in_turn
from benchmarks.tricks import TRICKS
from tests.lab.certificates import Authority
from tests.lab.exporter_process import ACCOUNT, NAMESPACE, install_rbac
from tests.lab.servers import BareCluster, install_crds

REAL_PARTS = ("scrapes", "tricks", "hostile", "freshness", "values")


class Arena:
    """A real API server, and the kubeconfigs by which contestants reach it: ours as the shipped ServiceAccount."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = BareCluster(folder)

    def __enter__(self) -> Arena:
        self.servers.start()
        install_crds(self.servers.cluster)
        install_rbac(self.servers.cluster)
        self.ours = self.servers.cluster.service_account_kubeconfig(self.folder / "ours", NAMESPACE, ACCOUNT)
        self.admin = self.servers.cluster.kubeconfig
        self.writer = Writer(self.servers.apiserver)
        self.trust = self._trust()
        return self

    def __exit__(self, *_: object) -> None:
        self.servers.stop()

    def _trust(self) -> ssl.SSLContext:
        """Writes the web configuration of the contestant that speaks TLS; returns what its clients trust."""
        authority = Authority(self.folder / "web-ca")
        pair = authority.server("localhost")
        web = {"tls_server_config": {"cert_file": str(pair.certificate), "key_file": str(pair.key)}}
        (self.folder / "web.yaml").write_text(json.dumps(web))
        return ssl.create_default_context(cafile=str(authority.certificate))

    def contestant(self, name: str) -> Contestant:
        """A process, not yet started; a name of TRICKS is ours with that trick off."""
        if name == KSM:
            return KubeStateMetrics(name, self.folder, self.admin)
        if name == PLAIN:
            return Plain(name, self.folder, self.admin)
        arguments = [] if name == OURS_AGE else [AGE_OFF]
        if name == OURS_TLS:
            arguments.append(f"--web.config.file={self.folder / 'web.yaml'}")
        trick = name if name in TRICKS else ""
        tls = self.trust if name == OURS_TLS else None
        return Ours(name, self.folder, self.ours, *arguments, trick=trick, tls=tls)


@contextlib.contextmanager
def running(arena: Arena, sizes: Sizes, *names: str) -> Iterator[dict[str, Contestant]]:
    """Starts contestants one after the other, each complete before the next, and ends them."""
    started: dict[str, Contestant] = {}
    try:
        for name in names:
            started[name] = arena.contestant(name)
            started[name].spawn()
            started[name].wait_complete(sizes)
        yield started
    finally:
        for one in started.values():
            one.stop()


def measure_real(
    report: Report, folder: Path, sizes: Sizes, rounds: int, parts: Collection[str], *, full: bool
) -> None:
    """The `parts` of REAL_PARTS, one after the other over the same objects."""
    with Arena(folder) as arena:
        filler = Filler(arena.writer, sizes)
        idle = _idle(arena) if "scrapes" in parts else {}
        filler.externalsecrets()
        filler.secrets(SMALL_VALUE)
        report.section(
            f"Real API server: {sizes.externalsecrets:,} ExternalSecrets, {sizes.secrets:,} Secrets "
            f"({sizes.targets:,} targets, {sizes.manual:,} manual), values of {SMALL_VALUE // 1000} KB"
        )
        if "scrapes" in parts:
            with running(arena, sizes, OURS, OURS_AGE, KSM, PLAIN) as all_:
                _scrapes(report, all_, rounds, full=full)
                _initial_sync(report, all_, idle, sizes)
        if "tricks" in parts:
            with running(arena, sizes, OURS, *(name for name in TRICKS if name != "none")) as variants:
                _tricks(report, variants, rounds)
        if not {"freshness", "hostile"}.isdisjoint(parts):
            with running(arena, sizes, OURS, OURS_TLS) as ours:
                if "hostile" in parts:
                    measure_hostile(report, ours[OURS], ours[OURS_TLS], rounds, full=full)
                if "freshness" in parts:
                    changes = changes_on_server(arena.writer, sizes)
                    measure_freshness(report, ours[OURS].port, changes, "real API server", full=full)
        if "values" in parts:
            _memory(report, arena, filler, sizes, full=full)


def _idle(arena: Arena) -> dict[str, float]:
    """CPU seconds until the first whole scrape of a cluster without objects."""
    with running(arena, Sizes(0, 0, 0), OURS, PLAIN) as empty:
        return {name: one.sync_cpu for name, one in empty.items()}


def _scrapes(report: Report, all_: Mapping[str, Contestant], rounds: int, *, full: bool) -> None:
    targets = {name: (one.pid, one.port) for name, one in all_.items()}
    gzip = scrape_in_turn(targets, rounds, gzip=True)
    plain = scrape_in_turn({name: target for name, target in targets.items() if name != PLAIN}, rounds, gzip=False)
    rows = []
    for name, series in gzip.items():
        row = [name, ms(series.cpu), ms(series.p50), ms(series.best), mb(series.body)]
        other = plain.get(name)
        row += [ms(other.cpu), ms(other.p50), ms(other.best), mb(other.body)] if other else ["", "", "", ""]
        rows.append(row)
    report.table(("ms per scrape", "gzip CPU", "p50", "min", "MB", "plain CPU", "p50", "min", "MB"), rows)
    ksm, ours, age = gzip[KSM], gzip[OURS], gzip[OURS_AGE]
    report.below("CPU per gzip scrape, age off : KSM", ratio(ours.cpus, ksm.cpus), 0.1, full_size=full)
    report.below("CPU per gzip scrape, age on : KSM", ratio(age.cpus, ksm.cpus), 0.1, full_size=full)
    report.below("p50 of a gzip scrape, age off : KSM", _p50(ours, ksm), 0.1, full_size=full)
    report.below("p50 of a gzip scrape, age on : KSM", _p50(age, ksm), 1 / 6, full_size=full)
    for name in (OURS, OURS_AGE):
        share = _p50(plain[name], plain[KSM])
        report.below(f"p50 of a plain scrape, {name.partition(', ')[2]} : KSM", share, 0.25, full_size=full)
    for name in (OURS, OURS_AGE):
        share = plain[name].body / plain[KSM].body
        report.below(f"body, plain, {name.partition(', ')[2]} : KSM", share, 0.5, full_size=full)


def _p50(ours: Series, theirs: Series) -> float:
    return ratio(ours.round_p50s, theirs.round_p50s)


def _initial_sync(report: Report, all_: Mapping[str, Contestant], idle: Mapping[str, float], sizes: Sizes) -> None:
    rows = []
    for name in (OURS, PLAIN):
        spent = all_[name].sync_cpu - idle[name]
        rows.append((name, shown(idle[name]), shown(spent), shown(spent / sizes.objects * 1e6)))
    report.table(("CPU until the first whole scrape", "s, of an empty cluster", "s more", "µs per object"), rows)


def _memory(report: Report, arena: Arena, filler: Filler, sizes: Sizes, *, full: bool) -> None:
    """Peak RSS after the sync and some scrapes, with small values and with large ones."""
    peaks = _peaks(arena, sizes)
    filler.secrets(LARGE_VALUE, again=True)
    memory_bars(report, peaks, _peaks(arena, sizes), full=full)


def _peaks(arena: Arena, sizes: Sizes) -> dict[str, float]:
    with running(arena, sizes, OURS, OURS_AGE, KSM) as all_:
        scrape_a_while(all_)
        return {name: usage.peak_resident(one.pid) for name, one in all_.items()}


def _tricks(report: Report, variants: Mapping[str, Contestant], rounds: int) -> None:
    targets = {name: (one.pid, one.port) for name, one in variants.items()}
    gzip = scrape_in_turn(targets, rounds, gzip=True)
    rows = []
    for name, series in gzip.items():
        peak = usage.peak_resident(variants[name].pid)
        slower = 1 / _p50(gzip[OURS], series)
        rows.append((name, ms(series.cpu), ms(series.p50), f"{slower:.3g} ×", mb(series.body), shown(peak)))
    report.table(("one trick off", "CPU, ms", "p50, ms", "of ours", "MB", "peak RSS, MB"), rows)
