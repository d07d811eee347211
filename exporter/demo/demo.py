"""`Demo`: a running simulated cluster, Vault and ESO with a story, for the `demo` command.

with Demo(scale=1.0) as demo:
    ... start the exporter with demo.kubeconfig ...
    for step in demo.story():
        print(step.title, step.text, step.look)
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from exporter.demo.cluster import SimulatedCluster
from exporter.demo.keybuzz import STORY
from exporter.demo.operator import Operator
from exporter.demo.scenario import Scenario, Step, World
from exporter.demo.vault import SimulatedVault


class Demo:
    """Starts with the scenario's start state in place; nothing moves until `story()` is iterated, ESO's own work aside.

    `scale` multiplies every waiting time of the story and of the simulated ESO. `nodes` is the number of Vault nodes; the
    stores name the first one, `vault_urls` has them all.
    """

    def __init__(self, scale: float = 1.0, *, nodes: int = 3, scenario: Scenario = STORY) -> None:
        self.scale = scale
        self.scenario = scenario
        self.cluster = SimulatedCluster(bookmark_every=max(1.0, 20 * scale))
        self.vault = SimulatedVault(nodes)
        self.operator = Operator(self.cluster, [self.vault], scale)
        self._stopping = threading.Event()
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> Demo:
        """Listen, put the start state in place and write the kubeconfig. Takes well under a second, needs no network."""
        self._stopping.clear()
        self._directory = tempfile.TemporaryDirectory(prefix="vault-eso-exporter-demo-")
        self.vault.start()
        self.cluster.start()
        self.scenario.start(World(self.cluster, self.vault))
        self.cluster.write_kubeconfig(self.kubeconfig)
        self.operator.start()
        return self

    def stop(self) -> None:
        """End the story, close every connection and remove the kubeconfig."""
        self._stopping.set()
        self.operator.stop()
        self.cluster.stop()
        self.vault.stop()
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def __enter__(self) -> Demo:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the simulated cluster. Raises RuntimeError before `start()`."""
        if self._directory is None:
            raise RuntimeError("the demo has not been started")
        return Path(self._directory.name) / "kubeconfig"

    @property
    def vault_urls(self) -> list[str]:
        """The address of every Vault node, the one that the stores name first."""
        return self.vault.urls

    def describe(self) -> list[str]:
        """The story told in advance, one line a step."""
        return self.scenario.describe(self.scale)

    def story(self) -> Iterator[Step]:
        """Let the story happen: waits for the moment of each step, does it, and yields it. Ends early after `stop()`."""
        world = World(self.cluster, self.vault)
        for step in self.scenario.steps:
            if self._stopping.wait(step.wait * self.scale):
                return
            step.act(world)
            yield step
