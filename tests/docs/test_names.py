"""Names that pages use in prose and code exist: families of metrics, flags, keys of the configuration, problems, alerts."""

from __future__ import annotations

import re

import pytest

from alerts.rules import alerts
from exporter.config.options import OPTIONS
from exporter.metrics.catalogue import FAMILIES
from tests.docs.blocks import pages
from tests.repo.tracked import ROOT

NAMES = {family.name for family in FAMILIES}
OF_A_HISTOGRAM = {f"{name}{end}" for name in NAMES for end in ("_count", "_sum", "_bucket", "_created")}
FLAGS = {option.flag for option in OPTIONS}
SECTIONS = {flag.partition(".")[0] for flag in FLAGS if "." in flag}
ALERTS = set(alerts()) | set(re.findall(r"Eso[A-Z]\w+", (ROOT / "alerts/alertmanager/alertmanager.yaml").read_text()))
OWNERSHIP = set(re.findall(r'"(eso_\w+)"', (ROOT / "exporter/eso/ownership.py").read_text()))


def text(page: str) -> str:
    return (ROOT / page).read_text()


@pytest.mark.parametrize("page", pages())
def test_families(page: str) -> None:
    unknown = set()
    for name in re.findall(r"(?<![\w$/.-])eso_[a-z0-9_]+[*…]?", text(page)):
        stem = name.rstrip("*…")
        part = name[-1] in "*…_"  # `eso_vault_*`, `eso_exporter_…`: the beginning of some
        if not (
            stem in NAMES | OF_A_HISTOGRAM | OWNERSHIP or (part and any(known.startswith(stem) for known in NAMES))
        ):
            unknown.add(name)
    assert unknown == set()


@pytest.mark.parametrize("page", pages())
def test_flags_of_ours(page: str) -> None:
    """Flags that begin like one of ours (`--web.…`); those of other programs do not."""
    used = {
        flag.removeprefix("no-") for flag in re.findall(r"(?<![\w-])--([a-z][a-z-]*\.[a-z][a-z.-]*[a-z])", text(page))
    }
    assert {flag for flag in used if flag.partition(".")[0] in SECTIONS} <= FLAGS


@pytest.mark.parametrize("page", pages())
def test_alerts(page: str) -> None:
    used = set(
        re.findall(r"(?<![\w/])Eso(?:Exporter|ExternalSecrets?|Vault|SecretStore|Manual|Operator)[A-Z]\w+", text(page))
    )
    assert used <= ALERTS


def test_the_patterns_find_something() -> None:
    everything = "\n".join(map(text, pages()))
    assert len(set(re.findall(r"eso_[a-z0-9_]+", everything)) & NAMES) > 50
    assert len(set(re.findall(r"Eso[A-Z]\w+", everything)) & ALERTS) > 20
