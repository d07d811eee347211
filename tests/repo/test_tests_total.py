"""The closing line of .ci/run counts what pytest says, and a run that died is never a good one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.tests_total import main


def junit(path: Path, **numbers: int) -> str:
    attributes = " ".join(f'{name}="{number}"' for name, number in numbers.items())
    path.write_text(f'<?xml version="1.0"?><testsuites><testsuite name="pytest" {attributes}/></testsuites>')
    return str(path)


def test_the_total_is_the_last_line(tmp_path: Path, capsys) -> None:
    first = junit(tmp_path / "a.xml", tests=10, failures=0, errors=0, skipped=0)
    second = junit(tmp_path / "b.xml", tests=5, failures=1, errors=1, skipped=1)
    assert main([first]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "10 passed, 0 failed"
    assert main([first, second]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "12 passed, 2 failed"


@pytest.mark.parametrize("content", [None, "", "<testsuites"])
def test_a_missing_or_broken_result_is_a_failure(tmp_path: Path, capsys, content: str | None) -> None:
    good = junit(tmp_path / "a.xml", tests=3)
    if content is not None:
        (tmp_path / "b.xml").write_text(content)
    assert main([good, str(tmp_path / "b.xml")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 1 failed"


def test_no_test_at_all_is_a_failure(tmp_path: Path) -> None:
    assert main([junit(tmp_path / "a.xml", tests=0)]) == 1
