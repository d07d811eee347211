"""The admission policy, as far as it can be read without an API server; `tests/lab/test_admission.py` tries it on one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "admission"


def objects() -> list[dict[str, Any]]:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    return [one for name in kustomization["resources"] for one in yaml.safe_load_all((FOLDER / name).read_text())]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in objects() if one["kind"] == kind]


def test_every_mode_names_the_policy_and_its_settings_and_never_fails_for_want_of_them() -> None:
    [policy], [settings] = of_kind("ValidatingAdmissionPolicy"), of_kind("ConfigMap")
    bindings = of_kind("ValidatingAdmissionPolicyBinding")

    assert [one["spec"]["validationActions"] for one in bindings] == [["Deny", "Audit"], ["Warn", "Audit"], ["Audit"]]
    for one, mode in zip(bindings, ("deny", "warn", "audit"), strict=True):
        assert one["spec"]["policyName"] == policy["metadata"]["name"]
        assert one["spec"]["paramRef"] == {
            "name": settings["metadata"]["name"],
            "namespace": settings["metadata"]["namespace"],
            "parameterNotFoundAction": "Allow",
        }
        selector = one["spec"]["matchResources"]["namespaceSelector"]
        assert selector == {"matchLabels": {"vault-eso-exporter/manual-secrets": mode}}


def test_no_expression_that_makes_a_text_looks_at_a_value() -> None:
    [policy] = of_kind("ValidatingAdmissionPolicy")
    texts = [one["messageExpression"] for one in policy["spec"]["validations"]]
    texts += [one["valueExpression"] for one in policy["spec"]["auditAnnotations"]]
    variables = {one["name"]: one["expression"] for one in policy["spec"]["variables"]}

    for text in texts:
        used = set(re.findall(r"variables\.(\w+)", text))
        assert used == {"name"}
        assert not re.search(r"\b(object|oldObject)\b", text)
    assert set(re.findall(r"object\.(\w+)", variables["name"])) == {"metadata"}


def test_only_the_operator_is_listed_as_shipped() -> None:
    [settings] = of_kind("ConfigMap")

    def entries(key: str) -> list[str]:
        lines = [line.split("#")[0].strip() for line in settings["data"][key].splitlines()]
        return [line for line in lines if line]

    assert entries("users") == ["system:serviceaccount:external-secrets:external-secrets"]
    assert entries("exceptions") == []


def test_the_page_shows_the_sentence_of_the_policy() -> None:
    [policy] = of_kind("ValidatingAdmissionPolicy")
    sentence = policy["spec"]["validations"][0]["messageExpression"]
    said = " ".join("".join(re.findall(r"'([^']*)'", sentence)).split())
    page = " ".join((ROOT / "docs" / "admission.md").read_text().replace("shop/stripe", "").split())

    assert said in page
