"""tests/conftest.py: a skip is a failure in CI, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = (Path(__file__).parents[1] / "conftest.py").read_text()
SKIPS = """
import pytest

def test_good(): pass
def test_skips(): pytest.skip("no promtool")
@pytest.mark.skipif(True, reason="no amtool")
def test_marked(): pass
@pytest.fixture
def server(): pytest.skip("no server")
def test_fixture(server): pass
"""


@pytest.mark.parametrize(
    ("ci", "outcomes"), [("true", {"passed": 1, "failed": 1, "errors": 2}), ("", {"passed": 1, "skipped": 3})]
)
def test_a_skipped_test(pytester, monkeypatch, ci: str, outcomes: dict[str, int]) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SKIPS)
    result = pytester.runpytest()
    result.assert_outcomes(**outcomes)
    if ci:
        result.stdout.fnmatch_lines(["*no promtool*", "*In CI a test may not be skipped*"])


@pytest.mark.parametrize(("ci", "code"), [("true", 2), ("", 5)])
def test_a_skipped_module(pytester, monkeypatch, ci: str, code: int) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("import pytest\npytest.importorskip('no_such_module')\n")
    assert pytester.runpytest().ret == code
