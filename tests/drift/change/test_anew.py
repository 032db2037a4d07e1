"""Deleted and created anew by hand: all of the new one is compared with what Terraform wants."""

from typing import Any

import pytest

from tests.drift.replayed import Call, Change, changes

ARN = "arn:aws:{}:us-east-1:123456789012:{}"
TAGS = {"tags": {"Name": "x", "Key": "k"}, "tags_all": {"Name": "x", "Key": "k"}}
UNTAGGED = [("Key", "k"), ("Name", "x")]


def untagged(address: str) -> list[Change]:
    return [(address, f"{of}.{key}", value, None) for of in ("tags", "tags_all") for key, value in UNTAGGED]


STREAM = {
    "id": ARN.format("kinesis", "stream/s"),
    "arn": ARN.format("kinesis", "stream/s"),
    "name": "s",
    "retention_period": 48,
    "shard_count": 2,
    "stream_mode_details": [{"stream_mode": "PROVISIONED"}],
    "encryption_type": "NONE",
    "enforce_consumer_deletion": True,
    **TAGS,
}
TABLE = {
    "id": "t",
    "name": "t",
    "arn": ARN.format("dynamodb", "table/t"),
    "billing_mode": "PAY_PER_REQUEST",
    "hash_key": "id",
    "range_key": "at",
    "attribute": [{"name": "at", "type": "N"}, {"name": "id", "type": "S"}],
    "ttl": [{"attribute_name": "until", "enabled": True}],
    "read_capacity": 0,
    "write_capacity": 0,
    "table_class": "STANDARD",
    **TAGS,
}
KEYS = {
    "attributeDefinitions": [{"attributeName": "key", "attributeType": "S"}],
    "keySchema": [{"attributeName": "key", "keyType": "HASH"}],
}
FUNCTION = {
    "id": "f",
    "function_name": "f",
    "arn": ARN.format("lambda", "function:f"),
    "handler": "a.b",
    "runtime": "python3.12",
    "memory_size": 256,
    "timeout": 3,
    "publish": True,
    "skip_destroy": True,
    "filename": "f.zip",
    "vpc_config": [],
    "environment": [],
    "layers": [],
    "tracing_config": [{"mode": "Active"}],
    **TAGS,
}
GROUP = {"id": "/g", "name": "/g", "arn": ARN.format("logs", "log-group:/g"), "retention_in_days": 30, **TAGS}
PARAMETERS = {
    "id": "p",
    "name": "p",
    "family": "postgres15",
    "description": "d",
    "parameter": [{"name": "a", "value": "1", "apply_method": "immediate"}],
}

CASES: list[tuple[str, str, dict[str, Any], Call, Call, list[Change]]] = [
    (
        "kinesis",
        "aws_kinesis_stream.s",
        STREAM,
        ("DeleteStream", {"streamName": "s"}),
        ("CreateStream", {"streamName": "s", "shardCount": 1}),
        [
            ("aws_kinesis_stream.s", "retention_period", "48", "24"),
            ("aws_kinesis_stream.s", "shard_count", "2", "1"),
            *untagged("aws_kinesis_stream.s"),
        ],
    ),
    (
        "dynamodb",
        "aws_dynamodb_table.t",
        TABLE,
        ("DeleteTable", {"tableName": "t"}),
        ("CreateTable", {"tableName": "t", "billingMode": "PAY_PER_REQUEST", **KEYS}),
        [
            ("aws_dynamodb_table.t", "attribute", TABLE["attribute"], [{"name": "key", "type": "S"}]),
            ("aws_dynamodb_table.t", "hash_key", "id", "key"),
            ("aws_dynamodb_table.t", "range_key", "at", ""),
            *untagged("aws_dynamodb_table.t"),
            ("aws_dynamodb_table.t", "ttl[0].attribute_name", "until", ""),
            ("aws_dynamodb_table.t", "ttl[0].enabled", "true", "false"),
        ],
    ),
    (
        "lambda",
        "aws_lambda_function.f",
        FUNCTION,
        ("DeleteFunction20150331", {"functionName": "f"}),
        (
            "CreateFunction20150331",
            {
                "functionName": "f",
                "handler": "a.b",
                "runtime": "python3.13",
                "publish": False,
                "tags": FUNCTION["tags"],
            },
        ),
        [
            ("aws_lambda_function.f", "memory_size", "256", "128"),
            ("aws_lambda_function.f", "runtime", "python3.12", "python3.13"),
            ("aws_lambda_function.f", "tracing_config[0].mode", "Active", "PassThrough"),
        ],
    ),
    (
        "logs",
        "aws_cloudwatch_log_group.g",
        GROUP,
        ("DeleteLogGroup", {"logGroupName": "/g"}),
        ("CreateLogGroup", {"logGroupName": "/g", "tags": {"Name": "x", "Key": "k", "Value": "v"}}),
        [
            ("aws_cloudwatch_log_group.g", "retention_in_days", "30", "0"),
            ("aws_cloudwatch_log_group.g", "tags.Value", None, "v"),
            ("aws_cloudwatch_log_group.g", "tags_all.Value", None, "v"),
        ],
    ),
    (
        "rds",
        "aws_db_parameter_group.p",
        PARAMETERS,
        ("DeleteDBParameterGroup", {"dBParameterGroupName": "p"}),
        (
            "CreateDBParameterGroup",
            {"dBParameterGroupName": "p", "dBParameterGroupFamily": "postgres16", "description": "d"},
        ),
        [
            ("aws_db_parameter_group.p", "family", "postgres15", "postgres16"),
            ("aws_db_parameter_group.p", "parameter", PARAMETERS["parameter"], []),
        ],
    ),
]


@pytest.mark.parametrize(("service", "address", "state", "delete", "create", "drift"), CASES)
def test_all_of_the_new_one_is_compared(
    service: str, address: str, state: dict[str, Any], delete: Call, create: Call, drift: list[Change]
) -> None:
    assert changes(service, {address: state}, delete, create) == drift


@pytest.mark.parametrize(("suffix", "drift"), [("AbCdEf", []), ("GhIjKl", [("aws_secretsmanager_secret.s",)])])
def test_another_arn_is_another_resource(suffix: str, drift: list[Change]) -> None:
    arn = ARN.format("secretsmanager", "secret:s-AbCdEf")
    found = changes(
        "secretsmanager",
        {"aws_secretsmanager_secret.s": {"id": arn, "arn": arn, "name": "s", "description": "", "kms_key_id": ""}},
        ("DeleteSecret", {"secretId": "s", "forceDeleteWithoutRecovery": True}),
        ("CreateSecret", {"name": "s"}, {"arn": ARN.format("secretsmanager", f"secret:s-{suffix}")}),
    )
    assert [change for change in found if change[0] != "unmanaged"] == drift
    assert any(change[0] == "unmanaged" for change in found) == bool(drift)


def test_a_bucket_comes_with_its_owners_grant() -> None:
    owner = {"id": "1", "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""}
    everyone = {
        "id": "",
        "permissions": ["READ"],
        "type": "Group",
        "uri": "http://acs.amazonaws.com/groups/global/AllUsers",
    }
    bucket = {"id": "b", "bucket": "b", "arn": "arn:aws:s3:::b"}
    calls: tuple[Call, Call] = ("DeleteBucket", {"bucketName": "b"}), ("CreateBucket", {"bucketName": "b"})
    assert changes("s3", {"aws_s3_bucket.b": {**bucket, "grant": [owner]}}, *calls) == []
    assert changes("s3", {"aws_s3_bucket.b": {**bucket, "grant": [owner, everyone]}}, *calls) == [
        ("aws_s3_bucket.b", "grant", [owner, everyone], [owner])
    ]
