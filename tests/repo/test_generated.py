"""Generated files are what the code says; `make check` asks the same question."""

from __future__ import annotations

import pytest

from tools import generate


@pytest.mark.parametrize("path", generate.GENERATED)
def test_a_generated_file_is_up_to_date(path: str) -> None:
    assert (generate.ROOT / path).read_text() == generate.text(generate.GENERATED[path])


def test_check_tells_what_is_stale_and_generate_mends_it(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err.count("out of date") == len(generate.GENERATED)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
