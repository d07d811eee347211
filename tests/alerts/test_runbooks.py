"""Every alert has a runbook with the four headings, and what it prints is valid. The commands run in tests/lab/test_runbooks.py."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import promql_parser as promql
import pytest

from alerts.rules import alerts
from exporter.judge.problems import CATALOGUE, ERRORS
from exporter.metrics.catalogue import FAMILIES
from exporter.notify.table import HEARTBEAT
from tests.alerts.runbooks import INDEX, LANGUAGES, SECTIONS, Block, blocks, pages, sections

PAGES = pages()
LABELS = {family.name: set(family.labels) for family in FAMILIES}
OF_PROMETHEUS = {"cluster", "job", "instance", "exported_namespace"}
"""Labels that Prometheus gives, or may give."""

# What a diagnosis may do: look.
LOOKING = {"get", "describe", "logs", "auth", "exec"}
SHELL_BLOCKS = [(page, block) for page in [*PAGES, INDEX] for block in blocks(page) if block.language == "sh"]
QUERIES = [
    (page, query) for page in PAGES for block in blocks(page) if block.language == "promql" for query in block.queries
]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert [page.stem for page in PAGES] == sorted([*alerts(), HEARTBEAT])


def test_the_index_names_each_once() -> None:
    text = INDEX.read_text()
    assert sorted(re.findall(r"\[(Eso\w+)\]\(\1\.md\)", text)) == [page.stem for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_headings(page: Path) -> None:
    found = sections(page)
    assert found.pop("") == f"# {page.stem}\n\n"
    assert tuple(found) == SECTIONS
    assert all(len(text.split()) >= 5 for text in found.values()), "a section says something"
    assert [block for block in blocks(page) if block.section == "Diagnosis"], "a diagnosis prints what to run"
    assert {block.language for block in blocks(page)} <= LANGUAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        file, _, anchor = target.partition("#")
        other = page.parent / file
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings}, target


@pytest.mark.parametrize(("page", "query"), QUERIES, ids=[f"{page.stem}-{n}" for n, (page, _) in enumerate(QUERIES)])
def test_queries(page: Path, query: str) -> None:
    for selector in selectors(promql.parse(query)):
        if selector.name == "up":
            continue
        assert selector.name in LABELS, f"{page.stem}: there is no {selector.name}"
        for matcher in selector.matchers.matchers:
            assert matcher.name in LABELS[selector.name] | OF_PROMETHEUS, f"{selector.name} has no label {matcher.name}"


def selectors(node: object) -> list[promql.VectorSelector]:
    """Every selector of an expression."""
    if isinstance(node, promql.VectorSelector):
        return [node]
    names = ("lhs", "rhs", "expr", "vector_selector", "args")
    below = [getattr(node, name) for name in names if hasattr(node, name)]
    flat = [one for part in below for one in (part if isinstance(part, list) else [part])]
    return [found for one in flat for found in selectors(one)]


def test_the_queries_are_read_by_the_test() -> None:
    assert len(QUERIES) > 30
    assert sum(len(selectors(promql.parse(query))) for _, query in QUERIES) > 35


@pytest.mark.parametrize(
    ("page", "block"), SHELL_BLOCKS, ids=[f"{page.stem}-{n}" for n, (page, _) in enumerate(SHELL_BLOCKS)]
)
def test_shell(page: Path, block: Block) -> None:
    """The shell reads it, variables are quoted and set in the page, and a diagnosis changes nothing."""
    checked = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    text = "".join(one.text + "\n" for one in blocks(page) if one.language == "sh")
    known = set(re.findall(r"(\w+)=", text)) | {"namespace", "name", "key", "value"}
    assert set(re.findall(r"\$\{?([A-Za-z_]\w*)", block.text)) <= known, "each variable is set in the page"
    for statement in block.statements:
        for command in commands(statement):
            if command[0] == "kubectl":
                words = [word for n, word in enumerate(command) if word != "-n" and command[n - 1] != "-n"]
                if block.section == "Diagnosis":
                    assert words[1] in LOOKING, f"{words[1]} in a diagnosis"
                whole = words[1:3] in (["get", "secret"], ["get", "secrets"]) and {"yaml", "json"} & set(words)
                assert not whole or "jq" in statement, "a Secret's values are shown to nobody"


def commands(statement: str) -> list[list[str]]:
    """The simple commands of a statement, as words."""
    if "<<" in statement:
        return []
    reader = shlex.shlex(statement, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in reader:
        if set(word) <= set("|&;()<>") or word in ("do", "done", "while"):
            found.append([])
        else:
            found[-1].append(word)
    return [one for one in found if one]


def test_commands_are_told_apart() -> None:
    told = 'kubectl -n "$A" get x -o jsonpath=\'{a|b}{"\\n"}\' | while read -r n; do kubectl label x "$n" a-; done'
    assert [command[0] for command in commands(told)] == ["kubectl", "read", "kubectl"]


def test_problems_and_error_classes_are_told_where_they_are_handled() -> None:
    """Who reads a class or a problem in an alert finds its row in the runbook that the catalogue names."""
    texts = {page.stem: page.read_text() for page in PAGES}
    ours = [
        entry for entry in CATALOGUE if entry.runbook in ("EsoExternalSecretReadyButBroken", "EsoPushSecretNotReady")
    ]
    assert ours
    assert [entry.id for entry in ours if f"`{entry.id}`" not in texts[entry.runbook]] == []
    single = (
        texts["EsoExternalSecretNotReady"] + texts["EsoExternalSecretWillNotHeal"] + texts["EsoExternalSecretsNotReady"]
    )
    assert [one.id for one in ERRORS if f"`{one.id}`" not in single and one.id != "store_not_ready"] == []
    final = texts["EsoExternalSecretWillNotHeal"]
    assert [one.id for one in ERRORS if one.heals == "no" and f"`{one.id}`" not in final] == []


def test_the_sealed_vaults_page_tells_shamir_from_auto_unseal() -> None:
    page = next(page for page in PAGES if page.stem == "EsoVaultSealed")
    found = sections(page)
    assert "seal_type" in found["Diagnosis"]
    shamir, auto = found["Mitigation"].split("**`type` is `awskms`")
    assert "vault operator unseal" in shamir
    assert "Recovery keys do not unseal" in auto
