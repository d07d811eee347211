#!/usr/bin/env python3
"""Move Secrets that were made by hand into Vault, and hand their names over to the External Secrets Operator.

What goes where is read from the manifests of the ExternalSecrets themselves, so what is written to Vault is what the operator
reads back. For each: the values are written to Vault (one version, and only if they are not there yet) and read back; then the
ExternalSecret is applied, and its owner policy takes the existing Secret over in place: no moment without the Secret.

Values stay in this process's memory and in its pipe from kubectl and its connection to Vault. They are in no argument, no
variable, no file and no output; keys are called by name only.

Everything is checked before anything is changed. It may be stopped at any moment and run again: what is done is seen and left.

Needs Python 3.11 and kubectl, and Vault's address and token as its own command takes them: VAULT_ADDR, VAULT_TOKEN or
~/.vault-token, and if set VAULT_NAMESPACE and VAULT_CACERT. The token needs vault/policies/keybuzz-migration.hcl.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import os
import resource
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "keybuzz-migration"


class RefusedError(Exception):
    """Something stands against the migration; the message is one sentence, without any value."""


# -- the cluster ------------------------------------------------------------------------------------------------------


class Cluster:
    """The cluster, through kubectl: whatever login it uses works."""

    def __init__(self, context: str = "") -> None:
        self._command = ["kubectl", *([f"--context={context}"] if context else [])]

    def run(self, *arguments: str, stdin: str = "") -> str:
        """The standard output of kubectl. Raises RefusedError with its complaint, which names objects and holds no value."""
        try:
            done = subprocess.run(
                [*self._command, *arguments], input=stdin, capture_output=True, encoding="utf-8", check=False
            )
        except FileNotFoundError:
            raise RefusedError("kubectl is not on the PATH: install it") from None
        if done.returncode != 0:
            # Of commands that were given an object with values (there are none) nothing would be repeated here.
            complaint = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise RefusedError(f"kubectl {' '.join(arguments[:2])} failed: {complaint[:300]}")
        return done.stdout

    def get(self, kind: str, name: str, namespace: str = "") -> Json | None:
        """An object, or None when there is none."""
        where = [f"--namespace={namespace}"] if namespace else []
        text = self.run("get", kind, name, *where, "--ignore-not-found", "--output=json")
        return json.loads(text) if text.strip() else None

    def manifests(self, files: list[Path], folders: list[Path]) -> list[Json]:
        """The objects of manifest files and of kustomize folders, as JSON."""
        texts = [file.read_text() for file in files] + [self.run("kustomize", str(folder)) for folder in folders]
        found: list[Json] = []
        for text in texts:
            written = self.run("create", "--dry-run=client", "--output=json", "--filename=-", stdin=text)
            while written := written.lstrip():
                one, end = json.JSONDecoder().raw_decode(written)
                found += one["items"] if one["kind"] == "List" else [one]
                written = written[end:]
        return found


# -- Vault ------------------------------------------------------------------------------------------------------------


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None  # the token is for the address that was given, and for no other


@dataclass(frozen=True)
class Stored:
    """What Vault holds at a path: `version` 0 and no data when nothing was ever written, no data when it was deleted."""

    version: int
    data: dict[str, str]


class Vault:
    """KV version 2 of Vault or OpenBao, over its HTTP interface."""

    def __init__(self) -> None:
        self._address = os.environ.get("VAULT_ADDR", "").rstrip("/")
        if not self._address.startswith(("http://", "https://")):
            raise RefusedError(
                "VAULT_ADDR does not hold the address of Vault: set it, for example to https://vault.example:8200"
            )
        file = Path.home() / ".vault-token"
        token = os.environ.get("VAULT_TOKEN") or (file.read_text().strip() if file.is_file() else "")
        if not token:
            raise RefusedError("There is no token for Vault: log in (vault login), or set VAULT_TOKEN")
        self._headers = {"X-Vault-Token": token, "X-Vault-Request": "true"}
        if namespace := os.environ.get("VAULT_NAMESPACE"):
            self._headers["X-Vault-Namespace"] = namespace
        trust = ssl.create_default_context(cafile=os.environ.get("VAULT_CACERT") or None)
        self._opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=trust))

    def read(self, path: str) -> Stored:
        """What is stored at `mount/path`. Raises RefusedError."""
        status, answer = self._ask("GET", path)
        if status == 200:
            inner = answer["data"]
            data = inner["data"] or {}
            if not all(isinstance(value, str) for value in data.values()):
                raise RefusedError(f"{path} in Vault holds something other than text: move it by hand")
            return Stored(int(inner["metadata"]["version"]), data)
        if status == 404 and not answer.get("errors"):  # never written, or its newest version deleted
            return Stored(int((answer.get("data") or {}).get("metadata", {}).get("version", 0)), {})
        raise self._refusal(status, "read", path)

    def write(self, path: str, data: dict[str, str], after: int) -> int:
        """Writes a version, only if `after` is still the newest; returns its number. Raises RefusedError."""
        status, answer = self._ask("POST", path, {"options": {"cas": after}, "data": data})
        if status == 400 and any("check-and-set" in one for one in answer.get("errors", [])):
            raise RefusedError(f"{path} was written by somebody else in the meantime: run again")
        if status != 200:
            raise self._refusal(status, "write", path)
        return int(answer["data"]["version"])

    def _ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        mount, _, rest = path.partition("/")
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._address}/v1/{mount}/data/{rest}", content, self._headers, method=method
        )
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                return error.code, json.load(error)
            except ValueError:
                return error.code, {"errors": ["no JSON"]}
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise RefusedError(
                f"Vault at {self._address} does not answer ({reason}): is VAULT_ADDR right, and Vault unsealed?"
            ) from None

    def _refusal(self, status: int, verb: str, path: str) -> RefusedError:
        why = {
            403: "the token may not; it needs vault/policies/keybuzz-migration.hcl",
            404: "there is no KV engine of version 2 there",
            503: "it is sealed; unseal it and run again",
        }
        return RefusedError(f"Vault refused to {verb} {path}: {why.get(status, f'it answered {status}')}")


# -- the plan ---------------------------------------------------------------------------------------------------------


@dataclass
class Move:
    """One Secret on its way: where it is, and which of its keys goes to which property of which path."""

    manifest: Json
    namespace: str
    external_secret: str
    secret: str
    paths: dict[str, dict[str, str]]  # path → property → key of the Secret
    whole: str = ""  # the path that dataFrom.extract takes all keys of
    before: dict[str, str] = field(default_factory=dict)  # key → value, of the Secret as it was found
    keys: int = 0  # how many the Secret has
    state: str = "missing"  # missing, by hand, handed over

    @property
    def name(self) -> str:
        return f"{self.namespace}/{self.secret}"

    def wanted(self) -> dict[str, dict[str, str]]:
        """path → property → value, of the Secret as it was found."""
        if self.whole:
            return {self.whole: dict(self.before)}
        return {
            path: {name: self.before[key] for name, key in names.items() if key in self.before}
            for path, names in self.paths.items()
        }


def plan(cluster: Cluster, objects: list[Json]) -> list[Move]:
    """What the ExternalSecrets among these objects say. Raises RefusedError for one whose form this script does not know."""
    moves = []
    for one in objects:
        if one["kind"] == "ExternalSecret":
            moves.append(_move(cluster, one))
    used: dict[str, str] = {}
    for move in moves:
        for path in move.paths or [move.whole]:
            if used.setdefault(path, move.name) != move.name:
                raise RefusedError(f"{used[path]} and {move.name} both go to {path}: move them one after the other")
    if not moves:
        raise RefusedError("There is no ExternalSecret in what was named: give manifests, or a folder with --kustomize")
    return moves


def _move(cluster: Cluster, one: Json) -> Move:
    metadata, spec = one["metadata"], one["spec"]
    name, namespace = metadata["name"], metadata.get("namespace", "default")
    told = f"ExternalSecret {namespace}/{name}"
    target = spec.get("target", {})
    if target.get("template") or target.get("creationPolicy", "Owner") != "Owner":
        raise RefusedError(f"{told} has a template, or a creationPolicy other than Owner: only plain ones can be moved")
    mount = _mount(cluster, spec.get("secretStoreRef", {}), namespace, told)
    move = Move(one, namespace, name, target.get("name") or name, {})
    for item in spec.get("data", []):
        reference = item["remoteRef"]
        if (
            not reference.get("property")
            or reference.get("version")
            or reference.get("decodingStrategy", "None") != "None"
        ):
            raise RefusedError(
                f"{told}: {item['secretKey']} has no property, or a version or decodingStrategy: move it by hand"
            )
        properties = move.paths.setdefault(_path(mount, reference["key"], told), {})
        properties[reference["property"]] = item["secretKey"]
    sources = spec.get("dataFrom", [])
    if sources:
        if move.paths or len(sources) > 1 or set(sources[0]) != {"extract"} or sources[0]["extract"].get("property"):
            raise RefusedError(f"{told}: of dataFrom only one plain extract can be moved")
        move.whole = _path(mount, sources[0]["extract"]["key"], told)
    return move


def _mount(cluster: Cluster, reference: Json, namespace: str, told: str) -> str:
    kind = reference.get("kind") or "SecretStore"
    store = cluster.get(
        f"{kind.lower()}.external-secrets.io", reference.get("name", ""), "" if kind[0] == "C" else namespace
    )
    if store is None:
        raise RefusedError(
            f"{told} names the store {reference.get('name')}, which does not exist: apply the stores first"
        )
    provider = store["spec"]["provider"].get("vault")
    if not provider or provider.get("version", "v2") != "v2" or not provider.get("path"):
        raise RefusedError(
            f"{told} reads from {reference['name']}, which is no KV engine of version 2 with a path of its own"
        )
    return str(provider["path"]).strip("/")


def _path(mount: str, key: str, told: str) -> str:
    rest = key.removeprefix(f"{mount}/")
    rest = rest.removeprefix("data/") if rest != key else rest
    if "/" in mount or any(part in ("", ".", "..") for part in rest.split("/")):
        raise RefusedError(f"{told}: the path {mount}/{key} is not a plain one")
    return f"{mount}/{rest}"


# -- the three steps --------------------------------------------------------------------------------------------------


def look(cluster: Cluster, vault: Vault, move: Move, prefer: str) -> dict[str, tuple[Stored, dict[str, str]]]:
    """Reads both sides and changes nothing: path → what is stored and what it shall hold. Raises RefusedError."""
    found = cluster.get("secret", move.secret, move.namespace)
    move.before, move.state = {}, "missing"
    if found is not None:
        move.state, move.keys = _state(found, move), len(found.get("data") or {})
        if move.state == "handed over":
            return {}
        move.before = _values(found, move.name)
    named = {key for names in move.paths.values() for key in names.values()}
    if not move.whole and (lost := sorted(move.before.keys() - named)):
        raise RefusedError(
            f"{move.name} has keys that {move.external_secret} does not name and would lose: {', '.join(lost)}"
        )
    result = {}
    for path, wanted in move.wanted().items():
        stored = vault.read(path)
        differ = sorted(key for key in wanted.keys() & stored.data.keys() if wanted[key] != stored.data[key])
        if differ and not prefer:
            raise RefusedError(
                f"{move.name} and {path} in Vault hold different values for {', '.join(differ)}: "
                "find out which are right and run again with --prefer cluster or --prefer vault"
            )
        merged = {**stored.data, **wanted} if prefer != "vault" else {**wanted, **stored.data}
        missing = sorted(move.paths.get(path, {}).keys() - merged.keys())
        if missing or not merged:
            raise RefusedError(
                f"{path} in Vault lacks {', '.join(missing) or 'everything'}, and {move.name} has it not either"
            )
        result[path] = (stored, merged)
    return result


def _values(secret: Json, name: str) -> dict[str, str]:
    values = {}
    for key, encoded in (secret.get("data") or {}).items():
        try:
            values[key] = base64.b64decode(encoded, validate=True).decode()
        except (UnicodeDecodeError, binascii.Error):
            raise RefusedError(
                f"{name}: {key} is not text, and Vault's KV holds text: move it by hand, base64-encoded"
            ) from None
    return values


def _state(secret: Json, move: Move) -> str:
    owners = secret["metadata"].get("ownerReferences") or []
    if any(one["kind"] == "ExternalSecret" and one["name"] == move.external_secret for one in owners):
        return "handed over"
    if owners:
        raise RefusedError(f"{move.name} belongs to {owners[0]['kind']} {owners[0]['name']} already")
    if secret.get("immutable"):
        raise RefusedError(f"{move.name} is immutable: the operator cannot take it over")
    if secret.get("type", "Opaque") != "Opaque":
        raise RefusedError(f"{move.name} is of type {secret['type']}, which a plain ExternalSecret would not keep")
    return "by hand"


def store(vault: Vault, path: str, stored: Stored, merged: dict[str, str]) -> None:
    """Writes what is missing in Vault and reads it back; writes nothing when all is there."""
    if stored.data == merged:
        say(path, len(merged), f"in Vault already, version {stored.version}")
        return
    version = vault.write(path, merged, stored.version)
    if vault.read(path) != Stored(version, merged):
        raise RefusedError(f"{path} in Vault does not read back as it was written: look at it before you go on")
    say(path, len(merged), f"written to Vault, version {version}, and read back")


def hand_over(cluster: Cluster, move: Move, expected: dict[str, str], timeout: float) -> None:
    """Applies the ExternalSecret and waits until the operator owns the Secret with the expected values. Raises RefusedError."""
    kind = "externalsecret.external-secrets.io"
    known = cluster.get(kind, move.external_secret, move.namespace)
    now = cluster.get("secret", move.secret, move.namespace)
    if now and _state(now, move) == "by hand" and _values(now, move.name) != move.before:
        raise RefusedError(f"{move.name} was changed while it was being moved: run again")
    cluster.run(
        "apply", "--server-side", f"--field-manager={MANAGER}", "--filename=-", stdin=json.dumps(_plain(move.manifest))
    )
    if known is not None and not _ready(known):
        # It failed before, and the operator may wait for minutes until it tries again.
        where = f"--namespace={move.namespace}"
        cluster.run("annotate", kind, move.external_secret, where, f"force-sync={int(time.time())}", "--overwrite")
    end = time.monotonic() + timeout
    while True:
        found = cluster.get(kind, move.external_secret, move.namespace) or {}
        secret = cluster.get("secret", move.secret, move.namespace)
        if secret and _ready(found) and _state(secret, move) == "handed over":
            break
        if time.monotonic() > end:
            why = f"see kubectl -n {move.namespace} describe externalsecret {move.external_secret}"
            raise RefusedError(
                f"{move.external_secret} did not take {move.name} over within {timeout:.0f} s: {why}; then run again"
            )
        time.sleep(0.5)
    came = _values(secret, move.name)
    if differ := sorted(key for key in expected.keys() | came.keys() if expected.get(key) != came.get(key)):
        raise RefusedError(
            f"{move.name} came back from Vault with other values for {', '.join(differ)}: look before you go on"
        )
    finish(cluster, move)
    say(move.name, len(came), f"written by {move.external_secret} from now on")


def finish(cluster: Cluster, move: Move) -> None:
    """Takes away what `kubectl apply` left on a Secret that was handed over: an annotation with the values themselves."""
    secret = cluster.get("secret", move.secret, move.namespace)
    if secret and LAST_APPLIED in (secret["metadata"].get("annotations") or {}):
        cluster.run("annotate", "secret", move.secret, f"--namespace={move.namespace}", f"{LAST_APPLIED}-")


def _plain(manifest: Json) -> Json:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "creationTimestamp"}
    return {**{key: value for key, value in manifest.items() if key != "status"}, "metadata": metadata}


def _ready(external_secret: Json) -> bool:
    conditions = external_secret.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


# -- the command ------------------------------------------------------------------------------------------------------


def say(what: str, keys: int, outcome: str) -> None:
    """One line for people: a name, a number of keys, and what is so now."""
    print(f"{what:36} {keys:3} keys  {outcome}", flush=True)


def migrate(chosen: argparse.Namespace) -> None:
    """Looks at everything, then moves everything."""
    cluster, vault = Cluster(chosen.context), Vault()
    moves = plan(cluster, cluster.manifests(chosen.files, chosen.kustomize))
    against: list[str] = []
    looked = []
    for move in moves:
        try:
            looked.append((move, look(cluster, vault, move, chosen.prefer)))
        except RefusedError as refusal:
            against.append(str(refusal))
        else:
            say(move.name, move.keys, move.state)
    if against:
        raise RefusedError("\n".join(against) + "\nNothing was changed.")
    if chosen.check:
        return
    for _, paths in looked:
        for path, (stored, merged) in paths.items():
            store(vault, path, stored, merged)
    for move, paths in looked:
        if move.state == "handed over":
            finish(cluster, move)
            continue
        properties = move.paths or {move.whole: {name: name for name in paths[move.whole][1]}}
        expected = {key: paths[path][1][name] for path, names in properties.items() for name, key in names.items()}
        hand_over(cluster, move, expected, chosen.timeout)
    print("All that was named comes from Vault now.", flush=True)


def main() -> int:
    """The command line; returns the exit code: 0 done, 1 refused, 130 interrupted."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        epilog="Everything is checked before anything is changed. It may be stopped at any moment and run again.",
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="manifests of ExternalSecrets")
    parser.add_argument(
        "-k",
        "--kustomize",
        action="append",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="a kustomize folder with ExternalSecrets",
    )
    parser.add_argument("--check", action="store_true", help="look at everything and change nothing")
    parser.add_argument(
        "--prefer", choices=("cluster", "vault"), default="", help="whose values are right where both sides differ"
    )
    parser.add_argument("--context", default="", help="the context of the kubeconfig, if not its current one")
    parser.add_argument(
        "--timeout", type=float, default=120, metavar="SECONDS", help="how long to wait for the operator (120)"
    )
    chosen = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold values
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        migrate(chosen)
    except RefusedError as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Nothing is lost and nothing is half done: run it again to go on.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"error: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except Exception as error:  # an unforeseen message could hold a piece of a value
        print(
            f"error: unexpected {type(error).__name__}: please report it, with the version of kubectl and of Vault",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
