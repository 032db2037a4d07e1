"""Least privilege: the policies of configurations, and that botocore knows every action."""

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tfdrift_core.cli import main
from tfdrift_core.cloudtrail.permissions import GRANTS, policies, table
from tfdrift_core.config import load

DOCS = Path(__file__).parents[2] / "docs" / "sources.md"
ROLE = "arn:aws:iam::210987654321:role/reader"


def allowed(policy: dict[str, Any]) -> dict[str, list[str]]:
    return {", ".join(item["Action"]): item["Resource"] for item in policy["Statement"]}


QUEUE = ", ".join(GRANTS["queue"].actions)


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ("sources: [sqs://trail]", {"": {QUEUE: ["arn:aws:sqs:*:*:trail"]}}),
        (
            "sources: ['sqs://arn:aws:sqs:us-east-1:123456789012:trail']",
            {"": {QUEUE: ["arn:aws:sqs:us-east-1:123456789012:trail"]}},
        ),
        (
            "{aws: {region: cn-north-1}, sources: ['s3://bucket/AWSLogs/?start=7d']}",
            {"": {"s3:GetObject": ["arn:aws-cn:s3:::bucket/AWSLogs/*"], "s3:ListBucket": ["arn:aws-cn:s3:::bucket"]}},
        ),
        ("sources: ['lookup://?regions=eu-west-1']", {"": {"cloudtrail:LookupEvents": ["*"]}}),
        ("sources: ['lookup://']", {"": {"cloudtrail:LookupEvents": ["*"], "ec2:DescribeRegions": ["*"]}}),
        (
            f"{{sources: ['lookup://'], regions: [eu-west-1], accounts: [{{id: '210987654321', role_arn: '{ROLE}'}}]}}",
            {ROLE: {"cloudtrail:LookupEvents": ["*"]}, "": {"sts:AssumeRole": [ROLE]}},
        ),
        (
            "{sources: ['lookup://'], regions: [eu-west-1], organization: {role: Drift}}",
            {
                "": {"organizations:ListAccounts": ["*"], "sts:AssumeRole": ["arn:aws:iam::*:role/Drift"]},
                "arn:aws:iam::*:role/Drift": {"cloudtrail:LookupEvents": ["*"]},
            },
        ),
        (
            "state: [s3://states/prod.tfstate, s3://states/all/, /local.tfstate]",
            {
                "": {
                    "s3:GetObject": [
                        "arn:aws:s3:::states/all/*",
                        "arn:aws:s3:::states/prod.tfstate",
                        "arn:aws:s3:::states/prod.tfstate.tflock",
                    ],
                    "s3:ListBucket": ["arn:aws:s3:::states"],
                }
            },
        ),
        ("sources: [/var/log/trail.json]", {}),
    ],
)
def test_policies(config: str, wanted: dict[str, Any]) -> None:
    assert {role: allowed(policy) for role, policy in policies(load(config)).items()} == wanted


def test_every_action_is_an_operation_of_its_service() -> None:
    session = botocore.session.get_session()
    names = {"s3:ListBucket": "ListObjectsV2"}
    for grant in GRANTS.values():
        for action in grant.actions:
            service, _, operation = action.partition(":")
            model = session.get_service_model(service)
            assert names.get(action, operation) in model.operation_names


def test_the_documentation_has_the_table() -> None:
    assert table() in DOCS.read_text(encoding="utf-8")


def test_doctor_prints_the_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("sources: [sqs://trail]\n")
    assert main(["doctor", "-c", str(tmp_path / "config.yaml"), "--iam-policy"]) == 0
    assert allowed(json.loads(capsys.readouterr().out)) == {QUEUE: ["arn:aws:sqs:*:*:trail"]}


def test_doctor_says_what_is_no_queue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("sources: ['sqs://a b']\n")
    assert main(["doctor", "-c", str(tmp_path / "config.yaml"), "--iam-policy"]) == 1
    assert "not a queue" in capsys.readouterr().err
