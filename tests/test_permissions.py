"""Least privilege: the policies of configurations, and that botocore knows every action."""

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tfdrift_core.cli import main
from tfdrift_core.config import load
from tfdrift_core.permissions import GRANTS, optional, policies, table

DOCS = Path(__file__).parents[1] / "docs" / "sources.md"
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
            f"baseline: [{{url: 's3://plans/nightly/', role_arn: '{ROLE}'}}, /plans]",
            {
                ROLE: {"s3:GetObject": ["arn:aws:s3:::plans/nightly/*"], "s3:ListBucket": ["arn:aws:s3:::plans"]},
                "": {"sts:AssumeRole": [ROLE]},
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
        (
            f"state: [{{backend: s3, bucket: states, key: app, workspace_key_prefix: 'env:', role_arn: '{ROLE}'}}]",
            {
                ROLE: {
                    "s3:GetObject": [
                        "arn:aws:s3:::states/app",
                        "arn:aws:s3:::states/app.tflock",
                        "arn:aws:s3:::states/env:/*/app",
                        "arn:aws:s3:::states/env:/*/app.tflock",
                    ],
                    "s3:ListBucket": ["arn:aws:s3:::states"],
                },
                "": {"sts:AssumeRole": [ROLE]},
            },
        ),
        (
            "state: [{backend: s3, bucket: states, key: 'app[12].tfstate', workspace: prod}]",
            {
                "": {
                    "s3:GetObject": [
                        "arn:aws:s3:::states/env:/prod/app?.tfstate",
                        "arn:aws:s3:::states/env:/prod/app?.tfstate.tflock",
                    ],
                    "s3:ListBucket": ["arn:aws:s3:::states"],
                }
            },
        ),
        (
            "state: [{backend: s3, bucket: states, key: app, region: cn-north-1, dynamodb_table: locks}]",
            {
                "": {
                    "s3:GetObject": ["arn:aws-cn:s3:::states/app", "arn:aws-cn:s3:::states/app.tflock"],
                    "dynamodb:GetItem": ["arn:aws-cn:dynamodb:cn-north-1:*:table/locks"],
                }
            },
        ),
        ("sources: [/var/log/trail.json]", {}),
        ("sources: ['file:///var/log/trail.jsonl?follow=true']", {}),
    ],
)
def test_policies(config: str, wanted: dict[str, Any]) -> None:
    assert {role: allowed(policy) for role, policy in policies(load(config)).items()} == wanted


def test_the_state_of_a_terraform_directory(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('terraform {\n backend "s3" {\n bucket = "b"\n key = "k"\n }\n}\n')
    (policy,) = policies(load(json.dumps({"config": [str(tmp_path)]}))).values()
    assert "arn:aws:s3:::b/k" in allowed(policy)["s3:GetObject"]
    assert "arn:aws:s3:::b/env:/*/k" in allowed(policy)["s3:GetObject"]


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ("sources: [sqs://trail]", ["key"]),
        ("sources: [s3://trail]", ["key"]),
        ("{sources: ['lookup://'], state: [s3://states/a]}", ["key"]),
        ("{sources: ['lookup://'], state: [/a.tfstate, https://example.com/s]}", []),
    ],
)
def test_what_only_aws_knows_to_be_needed(config: str, names: list[str]) -> None:
    assert [grant for grant, _ in optional(load(config))] == [GRANTS[name] for name in names]


def test_every_grant_is_given_to_some_configuration() -> None:
    text = """
        {sources: [sqs://q, s3://b, 'lookup://'], organization: {role: Drift}, state: [s3://states/all/,
        {backend: s3, bucket: b, key: k, dynamodb_table: l}], store: 'dynamodb://drift'}
    """
    held = {(tuple(i["Action"])) for p in policies(load(text), versions=True).values() for i in p["Statement"]}
    held |= {grant.actions for grant, _ in optional(load(text))}
    assert held == {grant.actions for grant in GRANTS.values()}


def test_every_action_is_an_operation_of_its_service() -> None:
    session = botocore.session.get_session()
    names = {
        "s3:ListBucket": "ListObjectsV2",
        "s3:ListBucketVersions": "ListObjectVersions",
        "s3:GetObjectVersion": "GetObject",
    }
    for grant in GRANTS.values():
        for action in grant.actions:
            service, _, operation = action.partition(":")
            model = session.get_service_model(service)
            assert names.get(action, operation) in model.operation_names


def test_older_versions_of_states_are_for_whoever_asks_for_them() -> None:
    config = load("state: [s3://states/prod.tfstate, s3://states/all/, /local.tfstate]")
    (asked,), (usual,) = policies(config, versions=True).values(), policies(config).values()
    versions = {
        "s3:GetObjectVersion": ["arn:aws:s3:::states/all/*", "arn:aws:s3:::states/prod.tfstate"],
        "s3:ListBucketVersions": ["arn:aws:s3:::states"],
    }
    assert allowed(asked) == allowed(usual) | versions


def test_the_buckets_of_a_queue_are_its_own_and_those_of_other_sources() -> None:
    (policy,) = policies(load("sources: [{url: sqs://q, buckets: [a]}, s3://b/AWSLogs/]")).values()
    assert {"arn:aws:s3:::a/*", "arn:aws:s3:::b/*"} <= set(allowed(policy)["s3:GetObject"])


def test_the_documentation_has_the_table() -> None:
    assert table() in DOCS.read_text(encoding="utf-8")


def test_doctor_prints_the_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("sources: [sqs://trail]\n")
    assert main(["doctor", "-c", str(tmp_path / "config.yaml"), "--iam-policy"]) == 0
    out, err = capsys.readouterr()
    assert allowed(json.loads(out)) == {QUEUE: ["arn:aws:sqs:*:*:trail"]}
    assert err.splitlines() == [
        "also, only where the queue, the trail's bucket or that of a state or plan uses a KMS key: kms:Decrypt on"
        " arn:aws:kms:*:*:key/ID-OF-THE-KEY",
    ]


def test_doctor_says_what_is_no_queue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("sources: ['sqs://a b']\n")
    assert main(["doctor", "-c", str(tmp_path / "config.yaml"), "--iam-policy"]) == 1
    assert "not a queue" in capsys.readouterr().err
