"""The schema data: what the real provider prints, in the form that the engine reads."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.judge import make_schema, terraform
from tests.nodes import node_at
from tfdrift_core.drift.compare.schema import Block, Node, default, resource_types, schema_for, schema_of


@pytest.fixture(scope="module")
def provider() -> dict[str, Any]:
    """The codes of the real provider's schema."""
    return make_schema.from_provider(terraform.schema())


def test_everything_the_provider_prints_is_there(provider: dict[str, Any]) -> None:
    assert len(provider) > 700
    for resource_type, codes in provider.items():
        block = schema_for(resource_type)
        assert block is not None, resource_type
        old = {name: node for name, node in block.attributes.items() if not node.newer}
        assert old.keys() == codes.keys(), resource_type
        for name, code in codes.items():
            kind = (code[0] if isinstance(code, list) else code).partition(":")[0]
            assert _kind(old[name]) == kind, f"{resource_type}.{name}"


def _kind(node: Node) -> str:
    letters = {"string": "s", "number": "n", "bool": "b", "dynamic": "d", "list": "L", "set": "S", "map": "M"}
    letters |= {"object": "o", "block_list": "l", "block_set": "e", "block_single": "1"}
    return letters[node.kind] + (_kind(node.element) if node.element else "")


def _nodes(block: Block) -> Iterator[Node]:
    for node in block.attributes.values():
        yield node
        if node.nested:
            yield from _nodes(node.nested)


@pytest.mark.parametrize(
    "resource_type",
    ["aws_s3_bucket_versioning", "aws_vpc_security_group_ingress_rule", "aws_lambda_function_url", "aws_s3_object"],
)
def test_types_of_newer_providers(resource_type: str) -> None:
    block = schema_for(resource_type)
    assert block is not None
    assert not any(node.newer for node in _nodes(block)), "newer is told within types of 3.39 alone"


def test_unknown_type() -> None:
    assert schema_for("aws_nothing") is None
    assert node_at("aws_nothing", ("id",)) is None


def test_every_line_can_be_read() -> None:
    assert all(schema_for(name) for name in resource_types())
    assert len(resource_types()) > 1500


@pytest.mark.parametrize(
    ("path", "kind", "flags"),
    [
        (("arn",), "string", {"computed_only", "computed"}),
        (("tags",), "map", set()),
        (("tags", "Name"), "string", set()),
        (("vpc_security_group_ids",), "set", {"computed"}),
        (("vpc_security_group_ids", 0), "string", set()),
        (("root_block_device",), "block_list", set()),
        (("root_block_device", 0), "block_list", set()),
        (("root_block_device", 0, "volume_size"), "number", {"computed"}),
        (("root_block_device", "volume_size"), "number", {"computed"}),
        (("ebs_block_device", 0, "encrypted"), "bool", {"computed"}),
        (("metadata_options", 0, "instance_metadata_tags"), "string", {"computed", "newer"}),
    ],
)
def test_paths(path: tuple[str | int, ...], kind: str, flags: set[str]) -> None:
    node = node_at("aws_instance", path)
    assert node is not None
    assert node.kind == kind
    told = {flag for flag in ("computed_only", "computed", "sensitive", "newer") if getattr(node, flag)}
    if path != ("root_block_device",) and path != ("root_block_device", 0):
        assert told == flags


@pytest.mark.parametrize(
    ("resource_type", "path"),
    [
        ("aws_instance", ("nothing",)),
        ("aws_instance", ("root_block_device", 0, "nothing")),
        ("aws_instance", ("instance_type", "below")),
        ("aws_instance", ("vpc_security_group_ids", 0, "below")),
        ("aws_instance", ()),
        ("aws_instance", (0,)),
    ],
)
def test_paths_that_lead_nowhere(resource_type: str, path: tuple[str | int, ...]) -> None:
    assert node_at(resource_type, path) is None


def test_sets_of_objects_have_their_members() -> None:
    ingress = node_at("aws_security_group", ("ingress",))
    assert ingress is not None
    assert ingress.is_set
    assert ingress.nested is not None
    assert {"cidr_blocks", "from_port", "self"} <= ingress.nested.attributes.keys()
    assert node_at("aws_security_group", ("ingress", 0, "cidr_blocks", 0)) == Node("string")


def test_secrets_are_told() -> None:
    for resource_type, name in (
        ("aws_db_instance", "password"),
        ("aws_secretsmanager_secret_version", "secret_string"),
        ("aws_ssm_parameter", "value"),
        ("aws_rds_cluster", "master_password"),
        ("aws_iam_access_key", "secret"),
    ):
        node = node_at(resource_type, (name,))
        assert node is not None
        assert node.sensitive, f"{resource_type}.{name}"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", ""),
        ("number", 0),
        ("bool", False),
        ("map", {}),
        ("list", []),
        ("set", []),
        ("block_list", []),
        ("block_set", []),
    ],
)
def test_what_is_written_for_unset(kind: Any, value: Any) -> None:
    assert default(Node(kind)) == value
    assert type(default(Node(kind))) is type(value)
    assert default(Node(kind)) is not default(Node(kind)) or value in ("", 0)


def test_a_provider_is_known_by_what_it_wrote() -> None:
    old = {"id": "1", "name": "www", "type": "A", "zone_id": "z", "alias": []}
    today = {**old, "geoproximity_routing_policy": [], "cidr_routing_policy": []}
    kinds = [
        block.attributes["alias"].kind for state in (old, today) if (block := schema_of("aws_route53_record", state))
    ]
    assert kinds == ["block_set", "block_list"]


@pytest.mark.parametrize(
    ("resource_type", "since_then", "latest"),
    [("aws_lambda_function", "replace_security_groups_on_destroy", "code_sha256"), ("aws_s3_bucket_acl", "", "region")],
)
def test_what_came_after_a_provider_is_not_in_its_schema(resource_type: str, since_then: str, latest: str) -> None:
    state = {"id": "1", **({since_then: None} if since_then else {})}
    before, after = schema_of(resource_type, state), schema_of(resource_type, {**state, latest: ""})
    assert before is not None
    assert latest not in before.attributes
    assert after is not None
    assert latest in after.attributes


def test_members_that_the_provider_of_the_state_lacks_are_not_added() -> None:
    host = {"values": ["a.example"]}
    state = {"id": "1", "tags_all": {}, "condition": [{"host_header": [host], "path_pattern": []}]}
    block = schema_of("aws_lb_listener_rule", state)
    assert block is not None
    assert (condition := block.attributes["condition"].nested) is not None
    assert (header := condition.attributes["host_header"].nested) is not None
    assert "regex_values" not in header.attributes


def test_resources_that_hold_the_same_share_a_schema() -> None:
    def block(*hosts: object, **more: object) -> Block | None:
        return schema_of("aws_lb_listener_rule", {"id": "1", "condition": [{"host_header": list(hosts)}], **more})

    plain, newer = {"values": ["a.example"]}, {"values": [], "regex_values": ["a"]}
    assert block(plain) is block({"values": ["b.example"]})
    assert len({id(block(*hosts)) for hosts in ((), (plain,), (newer,))}) == 3
    assert block(plain) is not block(plain, tags_all={})
