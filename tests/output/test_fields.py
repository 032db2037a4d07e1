import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from tests.events import RECORD, drift_event, events
from tfdrift_core.drift.event import DriftEvent, Kind, Resource
from tfdrift_core.output import fields
from tfdrift_core.output.fields import BY_NAME, FIELDS, PATH_ROOTS, Type, values
from tfdrift_core.records.record import Record

PAGE = Path(__file__).parents[2] / "docs" / "fields.md"


def test_names_can_be_used_in_conditions() -> None:
    """Falco needs a dot, in outputs from 0.44 on, too; its own evt.* fields must not be hidden."""
    reserved = re.compile(r"evt\.(num|time|datetime|rawtime|reltime|plugin|source|is_async|asynctype|hostname)")
    for field in FIELDS:
        assert re.fullmatch(r"[a-z]+[a-z0-9_]*(\.[a-z]+[a-z0-9_]*)*", field.name)
        assert "." in field.name or field.name in ("resource", "user")
        assert not reserved.match(field.name)
        assert field.desc


def test_names_are_unique_and_numbers_are_shared_only_by_aliases() -> None:
    assert len(BY_NAME) == len(FIELDS)
    shared = [f.name for f in FIELDS if sum(g.number == f.number for g in FIELDS) > 1]
    assert shared == ["drift.user", "cloud.resource.id", "ct.name", "evt.name", "resource", "user"]
    assert all(0 < f.number < 0xFFFF for f in FIELDS)


@given(events())
def test_values_have_their_types(event: DriftEvent) -> None:
    kinds = {Type.STRING: str, Type.BOOL: bool}
    for name, value in values(event).items():
        field = BY_NAME[name]
        for item in value if field.is_list and isinstance(value, tuple) else (value,):
            assert type(item) is kinds.get(field.type, int), name


SERVICES: list[tuple[dict[str, Any], dict[str, object]]] = [
    (
        {
            "eventName": "PutObject",
            "requestParameters": {"bucketName": "b", "key": "k/1"},
            "additionalEventData": {"bytesTransferredIn": 33.0, "bytesTransferredOut": 4},
        },
        {
            "s3.uri": "s3://b/k/1",
            "s3.bucket": "b",
            "s3.key": "k/1",
            "s3.bytes": 37,
            "s3.bytes.in": 33,
            "s3.bytes.out": 4,
            "s3.cnt.put": 1,
        },
    ),
    (
        {
            "eventName": "RunInstances",
            "requestParameters": {
                "tagSpecificationSet": {
                    "items": [
                        {"resourceType": "volume", "tags": [{"key": "Name", "value": "disk"}]},
                        {
                            "resourceType": "instance",
                            "tags": [{"key": "Team", "value": "a"}, {"key": "Name", "value": "w"}],
                        },
                    ]
                }
            },
            "responseElements": {"instancesSet": {"items": [{"imageId": "ami-1"}, {}, {"imageId": "ami-2"}]}},
        },
        {"ec2.name": "w", "ec2.imageid": "ami-1", "ec2.imageids": ("ami-1", "ami-2"), "s3.cnt.other": 1},
    ),
    (
        {"eventName": "RequestSpotInstances", "requestParameters": {"launchSpecification": {"imageId": "ami-3"}}},
        {"ec2.imageid": "ami-3", "ec2.imageids": ("ami-3",), "s3.cnt.other": 1},
    ),
    (
        {"eventName": "PutImage", "requestParameters": {"repositoryName": "r", "imageTag": "1"}},
        {"ecr.repository": "r", "ecr.imagetag": "1", "s3.cnt.other": 1},
    ),
    (
        {"eventName": "PutRolePolicy", "requestParameters": {"roleName": "r", "policyName": "p"}},
        {"iam.role": "r", "iam.policy": "p", "s3.cnt.other": 1},
    ),
    (
        {
            "eventName": "GetObject",
            "requestParameters": {"bucketName": 1, "key": ["k"], "tagSpecificationSet": {"items": [1, {"tags": 2}]}},
            "responseElements": {"instancesSet": {"items": [1, "x", {"imageId": {}}]}},
            "additionalEventData": {"bytesTransferredIn": "33", "bytesTransferredOut": float("inf")},
        },
        {"s3.cnt.get": 1},
    ),
    (
        {
            "eventName": "GetObject",
            "additionalEventData": {"bytesTransferredIn": 1e308, "bytesTransferredOut": 10**400},
        },
        {"s3.bytes": int(1e308) + 10**400, "s3.bytes.in": int(1e308), "s3.bytes.out": 10**400, "s3.cnt.get": 1},
    ),
]


@pytest.mark.parametrize(("record", "expected"), SERVICES)
def test_the_fields_of_services_are_those_of_the_cloudtrail_plugin(
    record: dict[str, Any], expected: dict[str, object]
) -> None:
    event = drift_event()
    raw = {**event.record.raw, "responseElements": None, **record}
    found = values(replace(event, record=Record(raw)))
    assert {name: value for name, value in found.items() if re.match(r"(s3|ec2|ecr|iam)\.", name)} == expected


def test_a_change_shows_all_that_a_responder_needs() -> None:
    shown = values(drift_event(old_value="t3.micro", new_value="t3.small", hint="Revert it."))
    expected: dict[str, Any] = {
        "drift.kind": "modified",
        "drift.old_value": "t3.micro",
        "drift.new_value": "t3.small",
        "drift.user": "alice",
        "drift.srcip": "203.0.113.9",
        "drift.time": 1_768_472_430_000_000_000,
        "drift.latency": 1_000_000_000,
        "drift.hint": "Revert it.",
        "tf.address": "aws_instance.web",
        "cloud.service": "ec2",
        "cloud.region": "ap-northeast-1",
        "cloud.account": "012345678901",
        "cloud.partition": "aws",
        "evt.name": "ModifyInstanceAttribute",
        "drift.resource": "aws_instance.web",
        "resource": "i-0abc",
        "user": "alice",
        "ct.readonly": "false",
        "ct.user.accountid": "012345678901",
    }
    assert {name: shown.get(name) for name in expected} == expected
    assert "drift.reason" not in shown
    assert "tf.line" not in shown


@pytest.mark.parametrize(
    ("resource", "shown"),
    [
        (Resource(address="a.b", arn="arn:aws:x", id="i-1"), "a.b"),
        (Resource(arn="arn:aws:x", id="i-1"), "arn:aws:x"),
        (Resource(id="i-1"), "i-1"),
    ],
)
def test_resource_is_the_best_name_there_is(resource: Resource, shown: str) -> None:
    assert values(drift_event(resource=resource, kind=Kind.UNMANAGED))["drift.resource"] == shown


@pytest.mark.parametrize(
    ("resource", "region", "partition"),
    [
        (Resource(arn="arn:aws-us-gov:s3:::b"), "us-east-1", "aws-us-gov"),
        (Resource(), "cn-north-1", "aws-cn"),
        (Resource(region="us-gov-west-1"), "us-east-1", "aws-us-gov"),
        (Resource(), "eu-west-1", "aws"),
    ],
)
def test_partition(resource: Resource, region: str, partition: str) -> None:
    assert values(drift_event({"awsRegion": region}, resource))["cloud.partition"] == partition


ROLE = {
    "type": "AssumedRole",
    "arn": "arn:aws:sts::012345678901:assumed-role/Admin/bob",
    "principalId": "AROA:bob",
    "sessionContext": {"sessionIssuer": {"userName": "Admin"}},
}


@pytest.mark.parametrize(
    ("identity", "user", "original"),
    [
        ({"type": "IAMUser", "userName": "alice"}, "alice", "alice"),
        ({"type": "Root"}, None, None),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "ec2.amazonaws.com", None),
        (ROLE, "Admin", "bob"),
        ({"type": "AssumedRole", "principalId": "AROA:eve"}, "AssumedRole", "eve"),
        ({"type": "AWSAccount"}, "AWSAccount", None),
        ({"type": "FederatedUser"}, "FederatedUser", None),
        ({"type": "IdentityCenterUser"}, None, None),
        ({}, None, None),
    ],
)
def test_ct_user_is_what_falcos_cloudtrail_plugin_gives(
    identity: dict[str, Any], user: str | None, original: str
) -> None:
    shown = values(drift_event({"userIdentity": identity}))
    assert (shown.get("ct.user"), shown.get("ct.originaluser")) == (user, original)


@pytest.mark.parametrize(("value", "text"), [(True, "true"), ("true", "true"), (False, "false"), (None, None)])
def test_record_booleans_are_text(value: object, text: str | None) -> None:
    assert values(drift_event({"sessionCredentialFromConsole": value})).get("ct.sessioncredentialfromconsole") == text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("instanceType.value", "t3.small"),
        ("instanceId", "i-0abc"),
        ("list.0.a.b", "1"),
        ("list.1", "two"),
        ("list.2", None),
        ("list.x", None),
        ("instanceId.more", None),
        ("nothing", None),
        ("instanceType", '{"value":"t3.small"}'),
    ],
)
def test_paths_select(path: str, value: str | None) -> None:
    assert fields.to_text(fields.select(RECORD["requestParameters"], path)) == value


def test_deep_and_large_values_are_printed_or_named() -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    assert fields.to_json(deep).count("[") == 300
    for _ in range(200_000):
        deep = [deep]
    assert fields.to_json(deep) == fields.TOO_DEEP
    assert fields.to_json(1 << 80) == str(1 << 80)


@pytest.mark.parametrize("key", ["Team", "a=b", "a", "\\", "x\\=", "", "é \ud800"])
def test_a_key_selects_its_own_text(key: str) -> None:
    tags = {"Team": "web", "a": "b=c", "a=b": "c", "\\": "=", "x\\=": "\\", "": "", "é \ud800": "x"}
    texts = [fields.with_key(*pair) for pair in tags.items()]
    assert fields.keyed(texts, key) == tags[key]
    assert fields.keyed(texts, key + "+") is None


def test_paths_are_offered_where_the_record_has_objects() -> None:
    assert {f.name for f in FIELDS if f.path} == set(PATH_ROOTS)


def test_the_page_shows_this_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == fields.markdown(), "run: python -m tfdrift_core.output.fields > docs/fields.md"
