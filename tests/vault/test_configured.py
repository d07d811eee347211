from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config.settings import VaultNode, VaultServer, VaultSettings
from exporter.errors import ConfigError
from exporter.vault.configured import check
from tests.vault.certificates import Authority


def test_a_good_configuration_passes(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(Authority(tmp_path).pem)
    nodes = (VaultNode("a", "https://10.0.0.1:8200"), VaultNode("b", "https://10.0.0.2:8200"))
    check(
        VaultSettings(
            servers=(
                VaultServer("main", "https://vault:8200", aliases=("https://vault",), ca_file=str(ca)),
                VaultServer("dr", nodes=nodes, ca=Authority(tmp_path).pem.decode()),
            )
        )
    )


@pytest.mark.parametrize(
    ("servers", "sentence"),
    [
        ([VaultServer("a", "vault:8200")], "is no http"),
        ([VaultServer("a", "https://a", aliases=("",))], "is no http"),
        ([VaultServer("a", "http://169.254.169.254")], "never asked"),
        (
            [VaultServer("a", nodes=(VaultNode("n", "nonsense"),))],
            "node 'n' of the vault server 'a' has an address that is no",
        ),
        ([VaultServer("a", "https://x"), VaultServer("b", "https://y", aliases=("https://X:443/",))], "belongs to two"),
        ([VaultServer("a", "https://x", ca="no pem")], "holds no certificate in PEM form"),
        ([VaultServer("a", "https://x", ca_file="/nowhere/ca.pem")], "the file /nowhere/ca.pem cannot be read"),
        ([VaultServer(f"v{n}", f"https://v{n}") for n in range(51)], "raise --vault.max-servers"),
    ],
)
def test_each_mistake_is_one_sentence(servers: list[VaultServer], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        check(VaultSettings(servers=tuple(servers)))
    assert sentence in str(error.value)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
