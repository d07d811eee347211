"""The table of options covers every setting, and nothing in it collides."""

from __future__ import annotations

from typing import get_args

import pytest

from exporter.config.options import BY_ENV, BY_FLAG, FILE_ONLY, OPTIONS, SERVICE_LINK
from exporter.config.schema import SETTINGS
from exporter.config.settings import OwnershipResult
from exporter.eso.ownership import CLASSES


def test_every_setting_has_one_flag_or_is_told_to_be_of_the_file_only() -> None:
    paths = [option.path for option in OPTIONS if option.path] + list(FILE_ONLY)
    assert sorted(paths) == sorted(SETTINGS)


def test_flags_and_variables_are_distinct() -> None:
    assert len(BY_FLAG) == len(BY_ENV) == len(OPTIONS)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
def test_no_variable_looks_like_one_that_kubernetes_sets_for_a_service(option) -> None:
    assert not SERVICE_LINK.fullmatch(option.env)
    assert option.help.endswith(".")


def test_names_of_variables() -> None:
    assert BY_FLAG["web.listen-address"].env == "VAULT_ESO_EXPORTER_WEB_LISTEN_ADDRESS"
    assert BY_FLAG["vault"].env == "VAULT_ESO_EXPORTER_VAULT"


def test_rules_of_users_give_known_classes() -> None:
    results = set(get_args(OwnershipResult))
    assert results < set(CLASSES)
    assert {name for name in CLASSES if name not in results} == {name for name in CLASSES if name.startswith("eso_")}
