"""The real Prometheus that scrapes what a test tells it to, and the real Alertmanager."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.lab.build import ensure
from tests.lab.loopback import LOOPBACK, TIMEOUT, answers_200, free_port, new_session
from tests.lab.process import Process
from tests.lab.waiting import wait_until


@dataclass(frozen=True)
class Sample:
    """One element of an instant query's answer; `at` is the evaluation time."""

    labels: Mapping[str, str]
    value: float
    at: float


@dataclass(frozen=True)
class Series:
    """One element of a range query's answer: (time, value) pairs, oldest first."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


@dataclass
class Samples:
    """The answer of an instant query; reads well in an assertion's message."""

    samples: list[Sample] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Any:
        return iter(self.samples)

    @property
    def value(self) -> float:
        """The only sample's value. Raises AssertionError when there is none, or more than one."""
        assert len(self.samples) == 1, f"one sample was expected: {self.samples}"
        return self.samples[0].value

    @property
    def values(self) -> list[float]:
        """All values, sorted."""
        return sorted(sample.value for sample in self.samples)

    def by(self, *labels: str) -> dict[Any, float]:
        """Value by label (or by tuple of labels)."""
        if len(labels) == 1:
            return {sample.labels.get(labels[0], ""): sample.value for sample in self.samples}
        return {tuple(sample.labels.get(label, "") for label in labels): sample.value for sample in self.samples}


class Prometheus(Process):
    """Prometheus; scrapes every second. Its configuration is rewritten with `configure` and read again at once."""

    def __init__(self, folder: Path, name: str = "prometheus") -> None:
        super().__init__(name, folder)
        self.port = free_port()
        self.address = f"http://{LOOPBACK}:{self.port}"
        self._configuration = folder / f"{name}.yml"
        self._session = new_session()
        self._write({})

    def command(self) -> Sequence[str | Path]:
        return [
            ensure("prometheus"),
            f"--config.file={self._configuration}",
            f"--storage.tsdb.path={self.folder / self.name}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            "--web.enable-lifecycle",
            "--rules.alert.resend-delay=1s",  # an Alertmanager is known seconds after the rules; else the next try is in a minute
            "--log.level=warn",
        ]

    def is_ready(self) -> bool:
        return answers_200(self._session, f"{self.address}/-/ready")

    def configure(
        self,
        targets: Mapping[str, str],
        rule_files: Iterable[Path] = (),
        alertmanagers: Iterable[str] = (),
        interval: str = "1s",
        external_labels: Mapping[str, str] | None = None,
    ) -> None:
        """Scrapes `targets` (job → host:port) from now on; the job keeps the labels that the target itself gives."""
        self._write(targets, rule_files, alertmanagers, interval, external_labels)
        if self.running:
            answer = self._session.post(f"{self.address}/-/reload", timeout=TIMEOUT)
            assert answer.ok, f"Prometheus refused its configuration: {answer.text}"

    def query(self, expression: str, at: float | None = None) -> Samples:
        """The answer of an instant query, at `at` (Unix seconds) or now."""
        data = self._ask("query", {"query": expression} | ({} if at is None else {"time": str(at)}))
        if data["resultType"] == "scalar":
            return Samples([Sample({}, float(data["result"][1]), data["result"][0])])
        return Samples([Sample(one["metric"], float(one["value"][1]), one["value"][0]) for one in data["result"]])

    def query_range(self, expression: str, start: float, end: float | None = None, step: float = 1.0) -> list[Series]:
        """The answer of a range query from `start` to `end` (default now), Unix seconds."""
        span = {"start": str(start), "end": str(end or time.time()), "step": str(step)}
        data = self._ask("query_range", {"query": expression, **span})
        return [Series(one["metric"], [(at, float(value)) for at, value in one["values"]]) for one in data["result"]]

    def wait_for(
        self,
        expression: str,
        predicate: Callable[[Samples], bool] = lambda samples: len(samples) > 0,
        timeout: float = 30.0,
    ) -> Samples:
        """Asks until the answer satisfies `predicate` (default: there is any sample). Raises NotYetError with the last answer."""
        seen: list[Samples] = []

        def look() -> Samples | None:
            seen[:] = [self.query(expression)]
            assert predicate(seen[0]), f"the last answer was {seen[0].samples}"
            return seen[0]

        return wait_until(f"Prometheus: {expression}", look, timeout, every=0.2)

    def wait_for_value(self, expression: str, value: float, timeout: float = 30.0) -> Samples:
        """Asks until the answer is one sample of this value."""
        return self.wait_for(expression, lambda found: len(found) == 1 and found.value == value, timeout)

    def wait_absent(self, expression: str, timeout: float = 30.0) -> None:
        """Asks until there is no sample."""
        self.wait_for(expression, lambda found: len(found) == 0, timeout)

    def alerts(self) -> list[dict[str, Any]]:
        """Pending and firing alerts, as the API gives them."""
        return list(self._ask("alerts", {})["alerts"])

    def rule_groups(self) -> list[dict[str, Any]]:
        """The groups of rules, with `lastEvaluation` (a text) and `evaluationTime` (seconds)."""
        return list(self._ask("rules", {})["groups"])

    def _ask(self, path: str, parameters: Mapping[str, str]) -> Any:
        answer = self._session.get(f"{self.address}/api/v1/{path}", params=dict(parameters), timeout=TIMEOUT).json()
        assert answer["status"] == "success", f"Prometheus refused {dict(parameters)}: {answer.get('error')}"
        return answer["data"]

    def _write(
        self,
        targets: Mapping[str, str],
        rule_files: Iterable[Path] = (),
        alertmanagers: Iterable[str] = (),
        interval: str = "1s",
        external_labels: Mapping[str, str] | None = None,
    ) -> None:
        document = {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "evaluation_interval": interval,
                "external_labels": dict(external_labels or {}),
            },
            "rule_files": [str(path) for path in rule_files],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
            "scrape_configs": [
                {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [target]}]}
                for job, target in targets.items()
            ],
        }
        self._configuration.write_text(yaml.safe_dump(document))


class Alertmanager(Process):
    """Alertmanager, alone (no cluster); its configuration is rewritten with `configure`."""

    def __init__(self, folder: Path, name: str = "alertmanager") -> None:
        super().__init__(name, folder)
        self.port = free_port()
        self.target = f"{LOOPBACK}:{self.port}"
        self.address = f"http://{self.target}"
        self._configuration = folder / f"{name}.yml"
        self._session = new_session()
        self._write({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]})

    def command(self) -> Sequence[str | Path]:
        return [
            ensure("alertmanager"),
            f"--config.file={self._configuration}",
            f"--storage.path={self.folder / self.name}",
            f"--web.listen-address={self.target}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def is_ready(self) -> bool:
        return answers_200(self._session, f"{self.address}/-/ready")

    def configure(self, configuration: Mapping[str, Any]) -> None:
        """Uses this configuration (as in alertmanager.yml) from now on."""
        self._write(configuration)
        if self.running:
            answer = self._session.post(f"{self.address}/-/reload", timeout=TIMEOUT)
            assert answer.ok, f"Alertmanager refused its configuration: {answer.text}"

    def alerts(self) -> list[dict[str, Any]]:
        """What it holds, as the API v2 gives it."""
        answer = self._session.get(f"{self.address}/api/v2/alerts", timeout=TIMEOUT)
        answer.raise_for_status()
        return list(answer.json())

    def _write(self, configuration: Mapping[str, Any]) -> None:
        self._configuration.write_text(yaml.safe_dump(dict(configuration)))
