"""Terraform's idea of equality, conversion by schema, and what differs path by path."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nodes import node_at
from tfdrift_core.drift.change.convert import convert, snake_case
from tfdrift_core.drift.compare.diff import diff, path_text
from tfdrift_core.drift.compare.ignore import ignored
from tfdrift_core.drift.compare.schema import schema_for
from tfdrift_core.drift.compare.values import UNKNOWN, difference, is_empty, policy_form, render, same

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (None, ""),
        ([], None),
        ({}, None),
        ({"a": None}, {}),
        (0, None),
        (False, None),
        ("5", 5),
        (5.0, 5),
        ("true", True),
        ("ENABLED", True),
        ("arn:aws:iam::111122223333:role/app/web", "web"),
        ("arn:aws:lambda:eu-central-1:111122223333:function:f", "f"),
        ('{"a": [1, 2]}', '{"a":[1,2]}'),
        ('{"maxReceiveCount":"4"}', '{"maxReceiveCount":4}'),
        ('{"Statement":{"Action":"s3:Get*"}}', '{"Statement":[{"Action":["S3:Get*"]}]}'),
        ('{"Statement":[{"Principal":"*"}]}', '{"Statement":[{"Principal":{"AWS":"*"}}]}'),
        (
            '{"Statement":[{"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}',
            '{"Statement":[{"Condition":{"Bool":{"aws:SecureTransport":[false]}}}]}',
        ),
    ],
)
def test_means_the_same(left: Any, right: Any) -> None:
    assert same(left, right)
    assert same(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("a", "b"),
        ("a", "A"),
        (5, 6),
        ("05", "5x"),
        (True, False),
        (True, None),
        (1, None),
        ([1], [1, 1]),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ("arn:aws:iam::111122223333:role/app", "ap"),
        ("arn:aws:iam::111122223333:role/app", ""),
        ("arn:aws:iam::111122223333:role/app", "arn:aws:iam::999999999999:role/app"),
        ('{"Statement":[{"Action":"s3:Get*"}]}', '{"Statement":[{"Action":"s3:*"}]}'),
        ('{"Statement":[{"Resource":"A"}]}', '{"Statement":[{"Resource":"a"}]}'),
        ('{"a":[1,2]}', '{"a":[2,1]}'),
        ('{"code":["1"]}', '{"code":[1]}'),
        ('{"on":true}', '{"on":1}'),
        (
            '{"States":{"A":{"Action":"Start","Resource":["a","b"]}}}',
            '{"States":{"A":{"Action":"start","Resource":["b","a"]}}}',
        ),
        ("{", "}"),
        ("1.1", "1.10"),
        ("0123", "123"),
        ("1e3", "1000"),
        (True, 5),
    ],
)
def test_means_something_else(left: Any, right: Any) -> None:
    assert not same(left, right)
    assert not same(right, left)


@given(JSON)
def test_everything_is_the_same_as_itself_and_its_text(value: Any) -> None:
    assert same(value, json.loads(json.dumps(value)))
    if isinstance(value, dict | list) and value:
        assert same(json.dumps(value, indent=1), json.dumps(value, sort_keys=True))


@given(JSON, JSON)
def test_equality_has_no_direction(left: Any, right: Any) -> None:
    assert same(left, right) == same(right, left)


def test_deep_documents_end() -> None:
    deep = "[" * 5000 + "]" * 5000
    assert same(deep, deep)
    assert not same(deep, deep[1:-1])
    assert policy_form(json.loads("[" * 500 + "]" * 500)) is not None


@pytest.mark.parametrize(
    ("logged", "attribute"),
    [
        ("dBInstanceClass", "db_instance_class"),
        ("tTL", "ttl"),
        ("multiAZ", "multi_az"),
        ("BlockPublicAcls", "block_public_acls"),
        ("isIPV6Enabled", "is_ipv6_enabled"),
        ("targetGroupARNs", "target_group_arns"),
        ("sSLSupportMethod", "ssl_support_method"),
        ("instanceType", "instance_type"),
    ],
)
def test_the_naming_convention(logged: str, attribute: str) -> None:
    assert snake_case(logged) == attribute


@pytest.mark.parametrize(
    ("type", "path", "logged", "current", "expected"),
    [
        ("aws_sqs_queue", "visibility_timeout_seconds", "60", 30, 60),
        ("aws_subnet", "map_public_ip_on_launch", "true", False, True),
        ("aws_sqs_queue", "policy", {"Version": "2012-10-17"}, "", '{"Version":"2012-10-17"}'),
        ("aws_instance", "vpc_security_group_ids", "sg-1", ["sg-0"], ["sg-1"]),
        ("aws_sqs_queue", "policy", "HIDDEN_DUE_TO_SECURITY_REASONS", "", UNKNOWN),
        ("aws_sqs_queue", "visibility_timeout_seconds", "soon", 30, "soon"),
        (
            "aws_ecr_repository",
            "image_scanning_configuration",
            {"scanOnPush": False},
            [{"scan_on_push": True}],
            [{"scan_on_push": False}],
        ),
    ],
)
def test_conversion_by_schema(type: str, path: str, logged: Any, current: Any, expected: Any) -> None:
    assert convert(node_at(type, (path,)), logged, current) == expected


def paths(type: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [path_text(d.path) for d in diff(old, new, schema_for(type))]


def test_maps_by_key_blocks_by_index_sets_and_lengths_as_a_whole() -> None:
    old = {
        "tags": {"a": "1", "b": "2"},
        "root_block_device": [{"volume_size": 8, "volume_type": "gp2"}],
        "vpc_security_group_ids": ["sg-1", "sg-2"],
        "ebs_block_device": [{"volume_id": "vol-1"}],
    }
    new = {
        "tags": {"a": "1", "c": "3"},
        "root_block_device": [{"volume_size": 50, "volume_type": "gp2"}],
        "vpc_security_group_ids": ["sg-2", "sg-3"],
        "ebs_block_device": [],
    }
    assert paths("aws_instance", old, new) == [
        "ebs_block_device",
        "root_block_device[0].volume_size",
        "tags.b",
        "tags.c",
        "vpc_security_group_ids",
    ]
    (groups,) = (d for d in diff(old, new, schema_for("aws_instance")) if d.attribute == "vpc_security_group_ids")
    assert (groups.added, groups.removed) == (("sg-3",), ("sg-1",))


def test_sets_have_no_order() -> None:
    assert paths("aws_instance", {"vpc_security_group_ids": ["a", "b"]}, {"vpc_security_group_ids": ["b", "a"]}) == []


def test_protocols_by_number_and_name() -> None:
    assert paths("aws_network_acl_rule", {"protocol": "tcp"}, {"protocol": "6"}) == []


@pytest.mark.parametrize(
    ("references", "path", "expected"),
    [
        (["all"], ("anything",), True),
        (["tags"], ("tags", "Env"), True),
        (["tags"], ("tags_all", "Env"), True),
        (['tags["Env"]'], ("tags", "Env"), True),
        (['tags["Env"]'], ("tags", "Owner"), False),
        (["root_block_device[0].volume_size"], ("root_block_device", 0, "volume_size"), True),
        (["root_block_device[0].volume_size"], ("root_block_device", 0, "iops"), False),
        (["root_block_device"], ("root_block_device", 0, "iops"), True),
        ([], ("tags", "Env"), False),
        ([""], ("tags", "Env"), False),
    ],
)
def test_ignore_changes(references: list[str], path: tuple[str | int, ...], expected: bool) -> None:
    assert ignored(references, path) is expected


def test_printing() -> None:
    assert render(None) is None
    assert render("text") == "text"
    assert render(8.0) == "8"
    assert render(True) == "true"
    assert render({"b": 1, "a": [None]}) == '{"a":[null],"b":1}'
    assert render('{\n "a": 1\n}') == '{"a":1}'
    assert render("two\nlines") == "two\nlines"
    assert render(float("nan")) == "NaN"


def test_difference_and_emptiness() -> None:
    assert difference(["1", 2], [1]) == [2]
    assert is_empty({"a": "", "b": {}})
    assert not is_empty([0])


@given(JSON, JSON)
def test_a_difference_is_what_has_no_match(left: Any, right: Any) -> None:
    """Elements are found by a key of their meaning; the definition compares each with each."""
    some, others = [left, "arn:aws:sns:eu-central-1:111122223333:a", "5", True], [right, "a", 5, "true", "10.0.0.0/8"]
    wanted = [element for element in some if not any(same(element, other) for other in others)]
    assert difference(some, others) == wanted
    assert difference(others, some) == [e for e in others if not any(same(e, other) for other in some)]
