"""The software bill of materials (CycloneDX 1.6) of the runtime lock: each pinned package with the hashes of its files.

It reads nothing but the lock and the project's own metadata and holds no time, so that the same lock gives the same text.
"""

from __future__ import annotations

import json
import re
import tomllib
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "runtime.txt"

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.*))?")


def components(lock: str) -> list[dict[str, Any]]:
    """One component for each line of a lock file's text. Raises ValueError for a line that is not pinned or not hashed."""
    found = []
    for line in lock.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pin, *hashes = re.split(r"\s+--hash=sha256:", line.strip())
        match = _PIN.fullmatch(pin.strip())
        if match is None or not hashes:
            raise ValueError(f"requirements/runtime.txt: {pin!r} is not pinned and hashed; run `make lock`")
        name, version = re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"]
        purl = f"pkg:pypi/{name}@{version}"
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "scope": "optional" if name == "isal" else "required",
            # A release has a file for each platform; these are the only ones that pip may take.
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": purl,
                    "hashes": [{"alg": "SHA-256", "content": digest.strip()} for digest in hashes],
                }
            ],
        }
        if match["marker"]:
            component["properties"] = [{"name": "vault-eso-exporter:marker", "value": match["marker"].strip()}]
        found.append(component)
    return found


def render() -> str:
    """The text of deploy/sbom.cdx.json."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = LOCK.read_text()
    parts = components(lock)
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, own + lock)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": parts,
        "dependencies": [{"ref": own, "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    return json.dumps(bom, indent=1) + "\n"
