"""docs/walkthrough-keybuzz.md on real servers, typed as it is printed; then the migration killed at every step, and what it refuses.

The page starts a lab of its own. Tests run in this order and build on each other: the page is gone through once, and the rest happens
in what it leaves behind; the last one types the page's last commands.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.blocks import blocks, typed
from tests.lab.loopback import TIMEOUT, new_session
from tests.lab.proxy import RecordingProxy, Request
from tests.lab.rehearsal import EXAMPLE, ROOT, made_by_hand
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_until
from tests.lab.watching import ProcessList

PAGE = "docs/walkthrough-keybuzz.md"
PROD = {"keybuzz-stripe": "keybuzz-api-prod", "keybuzz-ses": "keybuzz-api-prod", "keybuzz-auth": "keybuzz-client-prod"}
ALL_BY_HAND = [one["metadata"] for environment in ("dev", "prod") for one in made_by_hand(environment)]

pytestmark = pytest.mark.timeout(300)


@dataclass
class Walk:
    """The shell in which the page is typed, who watches it, and every value that ever was in one of the six Secrets."""

    terminal: Terminal
    processes: ProcessList
    values: set[str] = field(default_factory=set)
    environment: dict[str, str] = field(default_factory=dict)
    said: str = ""

    def learn_environment(self) -> None:
        """Takes over what `.lab/env` set in the shell."""
        text = subprocess.run(
            ["bash", "-c", ". .lab/env && env -0"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        self.environment = dict(line.split("=", 1) for line in text.split("\0") if "=" in line)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["kubectl", *arguments], env=self.environment, input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"kubectl {arguments[:3]}: {done.stderr}"
        return done.stdout

    def secret(self, namespace: str, name: str) -> dict[str, object] | None:
        text = self.kubectl("get", "secret", name, "-n", namespace, "--ignore-not-found", "-ojson")
        return json.loads(text) if text else None

    def data(self, namespace: str, name: str) -> dict[str, str]:
        """The Secret's values; they are remembered, to be looked for where they must not be."""
        found = self.secret(namespace, name)
        assert found is not None, f"{namespace}/{name} is lost"
        values = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}  # type: ignore[attr-defined]
        self.values |= set(values.values())
        return values

    def vault(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """Vault's answer, as its root; empty for 404."""
        answer = new_session().request(
            method,
            f"{self.environment['VAULT_ADDR']}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": self.environment["VAULT_TOKEN"]},
            timeout=TIMEOUT,
        )
        assert answer.ok or answer.status_code == 404, f"{method} {path}: {answer.status_code}"
        return answer.json() if answer.ok and answer.content else {}

    def migrate(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(EXAMPLE / "migrate.py"), *arguments],
            cwd=EXAMPLE,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def manual(self) -> float:
        """How many Secrets made by hand the exporter sees in the namespaces of PROD."""
        text = new_session().get(f"http://{self.environment['EXPORTER']}/metrics", timeout=TIMEOUT).text
        self.said += text
        [family] = [one for one in text_string_to_metric_families(text) if one.name == "eso_manual_secrets"]
        return sum(one.value for one in family.samples if one.labels["namespace"].endswith("-prod"))


@pytest.fixture(scope="module")
def walk() -> Iterator[Walk]:
    terminal = Terminal(ROOT)
    try:
        with ProcessList() as processes:
            yield Walk(terminal, processes)
    finally:
        terminal.close()


def commands():
    """Every command of the page, in order."""
    return [command for block in blocks(PAGE) if block.language == "console" for command in typed(block)]


def test_the_page_does_what_it_says(walk: Walk) -> None:
    *steps, end = commands()
    assert len(steps) > 25
    assert end.text.startswith("kill")
    for command in steps:
        walk.terminal.play(command)
        if ". .lab/env" in command.text:
            walk.learn_environment()
        if "tests.lab.rehearsal" in command.text:
            environment = "prod" if " prod" in command.text else "dev"
            for one in ALL_BY_HAND:
                if one["namespace"].endswith(environment):
                    walk.data(one["namespace"], one["name"])
    assert len(walk.values) == 2 * 23, "six Secrets, twice 23 keys, every value another"


def test_each_environment_has_its_values_in_vault_once(walk: Walk) -> None:
    for one in ALL_BY_HAND:
        prod = "prod/" if one["namespace"].endswith("prod") else ""
        path = f"keybuzz/{prod}{one['name'].removeprefix('keybuzz-')}"
        stored = walk.vault("GET", f"secret/data/{path}")["data"]
        assert stored["metadata"]["version"] == 1
        assert stored["data"] == walk.data(one["namespace"], one["name"])


def test_dev_cannot_reach_the_values_of_prod(walk: Walk) -> None:
    thief = json.loads(walk.kubectl("get", "externalsecret", "keybuzz-ses-secrets", "-n", "keybuzz-api-dev", "-ojson"))
    spec = thief["spec"]
    for item in spec["data"]:
        item["remoteRef"]["key"] = "keybuzz/prod/ses"
    for store in (
        "vault-backend",
        "vault-backend-prod",
    ):  # the policy forbids the one, the store's conditions the other
        spec["secretStoreRef"]["name"], spec["target"]["name"] = store, f"stolen-by-{store}"
        metadata = {"name": f"thief-{store}", "namespace": "keybuzz-api-dev"}
        walk.kubectl("apply", "-f-", stdin=json.dumps({**thief, "metadata": metadata, "spec": spec, "status": None}))
        walk.kubectl("wait", "externalsecret", metadata["name"], "-n", "keybuzz-api-dev", "--for=condition=Ready=False")
        assert walk.secret("keybuzz-api-dev", f"stolen-by-{store}") is None
        walk.kubectl("delete", "externalsecret", metadata["name"], "-n", "keybuzz-api-dev")


def make_by_hand_again(walk: Walk) -> dict[str, dict[str, str]]:
    """PROD as it was before the migration, with new values: name → values."""
    for name, namespace in PROD.items():
        walk.kubectl("delete", "externalsecret", f"{name}-secrets", "-n", namespace, "--ignore-not-found")
        walk.kubectl("delete", "secret", name, "-n", namespace, "--ignore-not-found")
        wait_until(f"{name} is gone", lambda name=name, namespace=namespace: walk.secret(namespace, name) is None)
        walk.vault("DELETE", f"secret/metadata/keybuzz/prod/{name.removeprefix('keybuzz-')}")
    for one in made_by_hand("prod"):
        walk.kubectl("create", "-f-", stdin=json.dumps(one))
    wait_until("the exporter sees three", lambda: walk.manual() == 3)
    return {name: walk.data(namespace, name) for name, namespace in PROD.items()}


def in_prod(walk: Walk) -> dict[str, tuple[str, dict[str, str]]]:
    """The three Secrets of PROD in one look: name → uid and values."""
    found = json.loads(walk.kubectl("get", "secrets", "--all-namespaces", "-ojson"))["items"]
    return {
        one["metadata"]["name"]: (
            one["metadata"]["uid"],
            {key: base64.b64decode(value).decode() for key, value in one["data"].items()},
        )
        for one in found
        if PROD.get(one["metadata"]["name"]) == one["metadata"]["namespace"]
    }


def assert_nothing_lost_nothing_doubled(walk: Walk, before: Mapping[str, tuple[str, dict[str, str]]]) -> int:
    """Every Secret is there with its values, and was never made anew; Vault holds each at most once. How many Vault holds."""
    assert in_prod(walk) == before
    in_vault = 0
    for name, (_, values) in before.items():
        if found := walk.vault("GET", f"secret/data/keybuzz/prod/{name.removeprefix('keybuzz-')}"):
            assert found["data"]["metadata"]["version"] == 1
            assert found["data"]["data"] == values
            in_vault += 1
    return in_vault


class KillAtTheFirstWrite(RecordingProxy):
    """Stands before Vault; kills the migration when its first write arrives, and hands the write on all the same."""

    victim: subprocess.Popen[str] | None = None

    def record(self, request: Request) -> None:
        super().record(request)
        if request.method == "POST" and self.victim is not None:
            os.killpg(self.victim.pid, signal.SIGKILL)
            self.victim.wait()


def test_killed_at_every_step_nothing_is_lost_and_nothing_doubled(walk: Walk) -> None:
    make_by_hand_again(walk)
    before = in_prod(walk)
    assert len(before) == 3
    seen = [walk.manual()]
    progress = [assert_nothing_lost_nothing_doubled(walk, before)]

    def killed(process: subprocess.Popen[str]) -> bool:
        rest, complaint = process.communicate()
        walk.said += rest + complaint
        progress.append(assert_nothing_lost_nothing_doubled(walk, before))
        seen.append(walk.manual())
        assert process.returncode in (0, -signal.SIGKILL), complaint
        return process.returncode != 0

    proxy = KillAtTheFirstWrite(walk.environment["VAULT_ADDR"])
    proxy.start()
    for _ in range(3):
        proxy.victim = walk.migrate("--kustomize", "k8s/prod", VAULT_ADDR=proxy.address)
        assert killed(proxy.victim)
    proxy.stop()
    assert progress == [0, 1, 2, 3], "each run wrote one path more, and none twice"
    # From here on after each line that it prints, that is between any two steps, and in the middle of some by the clock.
    for lines in itertools.count():
        process = walk.migrate("--kustomize", "k8s/prod")
        walk.said += "".join(itertools.islice(process.stdout, lines))
        if lines % 3 == 2:
            time.sleep(0.08)
        os.killpg(process.pid, signal.SIGKILL)
        if not killed(process):
            break
        assert lines < 30
    wait_until("the exporter sees none", lambda: seen.append(walk.manual()) or seen[-1] == 0)
    assert seen[0] == 3
    assert seen == sorted(seen, reverse=True), f"it saw more than there were: {seen}"
    assert_nothing_lost_nothing_doubled(walk, before)


def test_asked_to_stop_it_says_that_it_can_go_on(walk: Walk) -> None:
    process = walk.migrate("--kustomize", "k8s/prod")
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    said, complaint = process.communicate()
    walk.said += said + complaint
    assert (process.returncode, complaint.count("\n")) == (130, 1)
    assert "run it again" in complaint


def test_it_refuses_with_a_sentence_and_changes_nothing(walk: Walk) -> None:
    values = make_by_hand_again(walk)["keybuzz-ses"]
    binary = base64.b64encode(b"\xff\xfe-not-text").decode()
    here = ("secret", "keybuzz-ses", "-n", "keybuzz-api-prod", "--type=merge", "--patch-file=/dev/stdin")
    cases = {
        "keys that keybuzz-ses-secrets does not name and would lose: extra": {"data": {"extra": "eA=="}},
        "region is not text": {"data": {"extra": None, "region": binary}},
        "lacks region, and keybuzz-api-prod/keybuzz-ses has it not either": {"data": {"region": None}},
        "hold different values for from_email: find out": {
            "stringData": {"region": values["region"], "from_email": "other-than-in-vault"}
        },
        "is immutable": {"immutable": True},
    }
    walk.vault("POST", "secret/data/keybuzz/prod/ses", {"data": {"from_email": values["from_email"]}})
    for sentence, change in cases.items():
        walk.kubectl("patch", *here, stdin=json.dumps(change))
        process = walk.migrate("--kustomize", "k8s/prod")
        said, complaint = process.communicate()
        walk.said += said + complaint
        assert process.returncode == 1, said + complaint
        assert sentence in complaint
        assert complaint.endswith("Nothing was changed.\n")
    assert not walk.kubectl("get", "externalsecrets", "-n", "keybuzz-api-prod", "-oname")
    assert walk.vault("GET", "secret/data/keybuzz/prod/stripe") == {}
    refused = {**walk.environment, "VAULT_TOKEN": "s.unknown"}
    for environment, sentence in (
        (refused, "the token may not"),
        ({**walk.environment, "VAULT_ADDR": "http://127.0.0.1:1"}, "does not answer"),
        ({key: value for key, value in walk.environment.items() if key != "VAULT_ADDR"}, "VAULT_ADDR"),
    ):
        done = subprocess.run(
            [EXAMPLE / "migrate.py", EXAMPLE / "k8s/dev/external-secrets/keybuzz-ses-secrets.yaml", "--check"]
            if "VAULT_ADDR" in sentence
            else [EXAMPLE / "migrate.py", "--kustomize", EXAMPLE / "k8s/prod", "--check"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("prefer", ["cluster", "vault"])
def test_where_both_sides_differ_somebody_decides(walk: Walk, prefer: str) -> None:
    values = make_by_hand_again(walk)["keybuzz-ses"]
    walk.vault("POST", "secret/data/keybuzz/prod/ses", {"data": {"from_email": "of-vault", "kept": "of-vault"}})
    said, complaint = walk.migrate("--kustomize", "k8s/prod", "--prefer", prefer).communicate()
    walk.said += said + complaint
    assert complaint == ""
    right = values["from_email"] if prefer == "cluster" else "of-vault"
    assert walk.data("keybuzz-api-prod", "keybuzz-ses") == {**values, "from_email": right}
    stored = walk.vault("GET", "secret/data/keybuzz/prod/ses")["data"]
    assert (stored["metadata"]["version"], stored["data"]["kept"]) == (2, "of-vault"), "the old version is kept"


def test_values_that_kubectl_apply_left_go_and_a_whole_path_is_extracted(walk: Walk, tmp_path: Path) -> None:
    value = "applied-value-5b1e7c"
    metadata = {"name": "applied", "namespace": "keybuzz-api-dev"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": value}}
    walk.kubectl("apply", "-f-", stdin=json.dumps(secret))
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    assert value in walk.secret("keybuzz-api-dev", "applied")["metadata"]["annotations"][annotation]
    manifest = tmp_path / "applied.json"
    spec = {
        "secretStoreRef": {"name": "vault-backend", "kind": "ClusterSecretStore"},
        "target": {"name": "applied"},
        "dataFrom": [{"extract": {"key": "keybuzz/applied"}}],
    }
    one = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": metadata, "spec": spec}
    manifest.write_text(json.dumps(one))
    said, complaint = walk.migrate(str(manifest)).communicate()
    walk.said += said + complaint
    assert complaint == ""
    assert "1 keys  written by applied from now on" in said
    assert walk.data("keybuzz-api-dev", "applied") == {"key": value}
    assert value not in json.dumps(walk.secret("keybuzz-api-dev", "applied"))
    assert walk.vault("GET", "secret/data/keybuzz/applied")["data"]["data"] == {"key": value}


def test_no_value_is_in_any_output_process_list_or_log(walk: Walk) -> None:
    assert len(walk.values) > 80
    encoded = {base64.b64encode(value.encode()).decode() for value in walk.values}
    looked_for = walk.values | encoded
    assert walk.processes.rounds > 100
    arguments = b"\n".join(walk.processes.arguments)
    assert b"migrate.py" in arguments, "the process list was watched while it ran"
    assert b"kubectl\0get\0secret\0keybuzz-stripe" in arguments
    assert walk.processes.saw(looked_for) == []
    folder = Path(walk.environment["LAB"])
    texts = {
        str(file): file.read_text(errors="replace") for file in folder.glob("*.*") if file.suffix in (".log", ".jsonl")
    }
    names = {Path(name).name for name in texts}
    assert {"openbao-audit.jsonl", "kube-apiserver-audit.jsonl", "external-secrets.log", "exporter.log"} <= names
    assert "secret/data/keybuzz/stripe" in texts[str(folder / "openbao-audit.jsonl")]
    texts |= {"the shell": walk.terminal.said, "the rest": walk.said}
    assert {(name, "a value") for name, text in texts.items() for value in looked_for if value in text} == set()


def test_the_page_s_end_ends_everything(walk: Walk) -> None:
    walk.terminal.play(commands()[-1])
    assert not (ROOT / ".lab" / "env").exists()
    assert not Path(walk.environment["LAB"]).exists()
