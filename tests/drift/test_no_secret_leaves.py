"""Planted secrets, through the whole of detection: none may be in any output."""

import base64
import json
import logging
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from tests.drift.classify.test_classify import ALICE, TERRAFORM
from tests.drift.classify.test_identity import ACCOUNT
from tests.events import drift_event
from tests.indexes import index_of
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.output.fields import values
from tfdrift_core.output.payload import decode, encode
from tfdrift_core.replay import replay

REGION = "eu-west-1"
OLD, NEW = "0ld-Pl4nted/+secret", "N3w-Pl4nted/+secret"


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def resource(type: str, attributes: dict[str, Any], *sensitive: str) -> dict[str, Any]:
    marks = [[{"type": "get_attr", "value": name}] for name in sensitive]
    return {
        "mode": "managed",
        "type": type,
        "name": "x",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"schema_version": 1, "attributes": attributes, "sensitive_attributes": marks}],
    }


RESOURCES = [
    resource(
        "aws_db_instance",
        {"id": "db-1", "identifier": "db-1", "arn": arn("rds", "db:db-1"), "password": OLD, "instance_class": "db.m5",
         "tags": {"note": f"was {OLD}"}, "tags_all": {"note": f"was {OLD}"}},
        "password",
    ),
    resource(
        "aws_lambda_function",
        {"id": "f", "function_name": "f", "arn": arn("lambda", "function:f"), "description": "plain", "timeout": 3,
         "environment": [{"variables": {"MODE": OLD}}]},
    ),
    resource(
        "aws_instance",
        {"id": "i-1", "arn": arn("ec2", "instance/i-1"), "instance_type": "t3.micro", "user_data": OLD, "tags": {},
         "tags_all": {}},
    ),
    resource(
        "aws_ssm_parameter",
        {"id": "/app", "name": "/app", "arn": arn("ssm", "parameter/app"), "type": "String", "value": OLD,
         "description": ""},
        "value",
    ),
    resource(
        "aws_sqs_queue",
        {"id": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/q", "name": "q", "arn": arn("sqs", "q"),
         "url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/q", "policy": "", "visibility_timeout_seconds": 30,
         "tags": {"marked": OLD}, "tags_all": {"marked": OLD}},
        "tags",
    ),
    resource(
        "aws_secretsmanager_secret",
        {"id": arn("secretsmanager", "secret:s-AbCdEf"), "arn": arn("secretsmanager", "secret:s-AbCdEf"), "name": "s",
         "description": ""},
    ),
]  # fmt: skip


def call(event: str, request: dict[str, Any], response: Any = None, **more: Any) -> dict[str, Any]:
    service, _, name = event.partition(":")
    return {
        "eventVersion": "1.09",
        "eventID": event,
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "eventType": "AwsApiCall",
        "eventTime": "2024-05-01T12:00:00Z",
        "awsRegion": REGION,
        "recipientAccountId": ACCOUNT,
        "readOnly": False,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2.17.32",
        "userIdentity": ALICE,
        "requestParameters": request,
        "responseElements": response,
        **more,
    }


QUEUE = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/q"
DB = arn("rds", "db:db-1")
CALLS = [
    call("rds:ModifyDBInstance", {"dBInstanceIdentifier": "db-1", "dBInstanceClass": "db.m5.large",
                                  "masterUserPassword": NEW, "applyImmediately": True},
         {"pendingModifiedValues": {"masterUserPassword": NEW}}),
    call("rds:AddTagsToResource", {"resourceName": DB, "tags": [{"key": "note", "value": f"x {OLD}"}]}),
    call("rds:AddTagsToResource", {"resourceName": DB, "tags": [{"key": OLD, "value": quote(OLD)}]}),
    call("lambda:UpdateFunctionConfiguration20150331v2",
         {"functionName": "f", "timeout": 9, "environment": {"variables": {"MODE": NEW}}},
         {"environment": {"variables": {"MODE": NEW}}}),
    call("lambda:UpdateFunctionConfiguration20150331v2",
         {"functionName": "f", "description": f"postgres://app:{quote(NEW, safe='')}@db/app", "environment": {}}),
    call("ec2:ModifyInstanceAttribute", {"instanceId": "i-1", "userData": base64.b64encode(NEW.encode()).decode()}),
    call("ec2:ModifyInstanceAttribute", {"instanceId": "i-1", "userData": {"value": NEW}}),
    call("ec2:ModifyInstanceAttribute", {"instanceId": "i-1", "instanceType": {"value": "t3.small"}},
         userAgent=f"tool --password {NEW} {OLD}"),
    call("ssm:PutParameter", {"name": "/app", "value": NEW, "type": "String", "overwrite": True, "description": "d"}),
    call("sqs:SetQueueAttributes", {"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "60"}}),
    call("sqs:TagQueue", {"queueUrl": QUEUE, "tags": {"marked": NEW}}),
    call("secretsmanager:UpdateSecret", {"secretId": arn("secretsmanager", "secret:s-AbCdEf"), "description": "d",
                                         "secretString": json.dumps({"user": "u", "password": NEW})}),
    call("secretsmanager:PutSecretValue", {"secretId": "s", "secretString": NEW}),
    call("iam:CreateAccessKey", {"userName": "bob"},
         {"accessKey": {"accessKeyId": "AKIANEW", "secretAccessKey": NEW, "userName": "bob"}}),
    call("ec2:DeleteKeyPair", {"keyName": "k", "note": json.dumps({"clientSecret": NEW})}),
    call("somenew:ChangeThing", {"thing": "i-1", "password": NEW, "deep": [json.dumps({"authToken": NEW})]}),
]  # fmt: skip

SPELLINGS = [
    text
    for secret in (OLD, NEW)
    for text in (secret, quote(secret), quote(secret, safe=""), base64.b64encode(secret.encode()).decode(), "Pl4nted")
]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("agent", ["aws-cli/2", TERRAFORM])
def test_no_output_holds_a_planted_secret(together: bool, agent: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    state = {"version": 4, "terraform_version": "1.5.7", "serial": 1, "lineage": "l", "resources": RESOURCES}
    index = index_of(json.dumps(state).encode())
    records = [record if agent == "aws-cli/2" else record | {"userAgent": agent} for record in CALLS]
    runs = [records] if together else [[record] for record in records]
    events = [
        event
        for run in runs
        for event in replay(index, run, expectations=Expectations(), emit_expected=True, coalesce=together)
    ]
    assert len(events) >= 5
    for event in events:
        outputs = [json.dumps(values(event), default=list), encode(event).decode("latin-1")]
        for output in outputs:
            found = [text for text in SPELLINGS if text in output]
            assert not found, (event.record.event_name, event.path, found, output)
    assert not any(text in caplog.text for text in SPELLINGS)


def test_each_event_of_a_call_is_free_of_its_own_secrets() -> None:
    first = drift_event({"requestParameters": {"a": f"one {OLD}", "b": f"other {NEW}"}})
    for secrets, gone, left in ((OLD, OLD, NEW), (NEW, NEW, OLD), ("", "", OLD), (OLD, OLD, NEW)):
        raw = decode(encode(replace(first, redacted=frozenset({secrets}))))[1].decode()
        assert not gone or gone not in raw
        assert left in raw
