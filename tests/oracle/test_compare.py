"""The scorer itself: it must not call anything right that is not."""

import json
from typing import Any

import pytest

from tests.oracle.compare import Comparison, compare, equal, precision, recall
from tfdrift_core.drift.event import DriftEvent, Kind, Resource
from tfdrift_core.records.record import Record

RULE = {"cidr_blocks": ["10.0.0.0/8", "10.1.0.0/16"], "from_port": 22, "description": "", "self": False}
OTHER = {"cidr_blocks": ["0.0.0.0/0"], "from_port": 443, "description": "", "self": False}
UPDATE = {"address": "aws_sqs_queue.q", "type": "aws_sqs_queue", "action": "update"}
DELAY = {**UPDATE, "attribute": "delay_seconds", "before": 0, "after": 5}
GONE = {**UPDATE, "action": "delete", "attribute": None, "before": "id", "after": None}
INGRESS = {
    "address": "aws_security_group.g",
    "type": "aws_security_group",
    "action": "update",
    "attribute": "ingress",
    "before": [RULE],
    "after": [RULE, OTHER],
    "added": [OTHER],
    "removed": [],
}


def event(path: str = "", old: str | None = None, new: str | None = None, **more: Any) -> DriftEvent:
    resource = Resource(address=more.pop("address", "aws_sqs_queue.q"))
    kind = more.pop("kind", Kind.MODIFIED)
    return DriftEvent(Record({}), kind, resource, "1", path.partition("[")[0], path, old, new, **more)


def score(drift: list[dict[str, Any]], *events: DriftEvent, kind: str = "update", records: Any = ()) -> Comparison:
    scenario = {"name": "n", "service": "sqs", "kind": kind, "records": list(records), "drift": drift}
    return compare(scenario, events)


def logged(value: str) -> list[dict[str, Any]]:
    return [{"requestParameters": {"value": value}}]


def test_right() -> None:
    result = score([DELAY], event("delay_seconds", "0", "5"))
    assert result.good
    assert len(result.right) == 1


def test_nothing_said_is_missing() -> None:
    result = score([DELAY])
    assert not result.good
    assert recall(result.numbers()) == 0.0
    assert precision(result.numbers()) == 1.0


def test_wrong_value() -> None:
    result = score([DELAY], event("delay_seconds", "0", "6"))
    assert [difference for _, _, difference in result.wrong] == ["new: judged 5, reported 6"]


def test_wrong_address_is_extra_and_missing() -> None:
    result = score([DELAY], event("delay_seconds", "0", "5", address="aws_sqs_queue.other"))
    assert len(result.extra) == len(result.missing) == 1


def test_coarser_path_names_the_judged_one() -> None:
    nested = {**DELAY, "attribute": "block[0].size", "before": 8, "after": 50}
    result = score([nested], event("block", '[{"size":8}]', '[{"size":50}]'))
    assert result.extra[0][1] == "Terraform reports it at block[0].size"
    assert result.missing == [nested]


def test_twice_is_once_too_often() -> None:
    said = event("delay_seconds", "0", "5")
    assert score([DELAY], said, said).extra[0][1] == "reported twice"


def test_deleted() -> None:
    assert score([GONE], event(kind=Kind.DELETED)).good
    assert not score([GONE], event("delay_seconds", "0", "5")).good
    assert not score([DELAY], event(kind=Kind.DELETED)).good


def test_computed_only_is_not_owed_but_may_be_said() -> None:
    computed = {**DELAY, "computed_only": True}
    assert score([computed]).good
    assert score([computed], event("delay_seconds", "0", "5")).good
    assert not score([computed], event("delay_seconds", "0", "6")).good


def test_sets_do_not_mind_order_and_unset_members() -> None:
    rule = {"cidr_blocks": ["10.1.0.0/16", "10.0.0.0/8"], "from_port": 22, "ipv6_cidr_blocks": []}
    old, new, added = json.dumps([rule]), json.dumps([OTHER, rule]), (json.dumps(OTHER),)
    where = "aws_security_group.g"
    assert score([INGRESS], event("ingress", old, new, added=added, address=where), records=logged("0.0.0.0/0")).good
    result = score([INGRESS], event("ingress", old, new, added=(), address=where), records=logged("0.0.0.0/0"))
    assert "added" in result.wrong[0][2]


@pytest.mark.parametrize(
    ("path", "judged", "records", "good"),
    [
        ("environment[0].variables.MODE", "debug", logged("other"), True),  # secret
        ("description", "debug", logged("other"), True),  # the records do not tell it
        ("description", "debug", logged("debug"), False),  # they do
    ],
)
def test_masks_only_where_the_value_is_secret_or_not_logged(path: str, judged: str, records: Any, good: bool) -> None:
    item = {**UPDATE, "type": "aws_lambda_function", "attribute": path, "before": "prod", "after": judged}
    assert score([item], event(path, "(sensitive)", "(sensitive)"), records=records).good is good
    assert score([item], event(path.partition("[")[0], "(sensitive)", "(unknown)"), records=records).good is good


def test_unmanaged() -> None:
    said = event(kind=Kind.UNMANAGED, address="")
    assert score([], said, kind="unmanaged").good
    assert score([], kind="unmanaged").lacks_unmanaged
    assert not score([], said, kind="noop").good


def test_expected_changes_are_not_said() -> None:
    assert score([], event("delay_seconds", "0", "5", kind=Kind.EXPECTED), kind="noop").good


def test_ignored_attributes_are_silent() -> None:
    assert score([DELAY], kind="ignored").good
    assert not score([DELAY], event("delay_seconds", "0", "5"), kind="ignored").good


@pytest.mark.parametrize(
    ("said", "judged", "same"),
    [
        (None, "", True),
        (None, [], True),
        ("", None, True),
        (None, 0, False),
        (None, False, False),
        ("5", 5, True),
        ("5", "5", True),
        ("80", 80.0, True),
        ("false", False, True),
        ("0", False, False),
        ("1", True, False),
        ('{"a": 1, "b":2}', '{"b":2,"a":1}', True),
        ('{"Action":"s3:*"}', '{"Action":["s3:*"]}', True),
        ('{"Action":"s3:*"}', '{"Action":["s3:Get*"]}', False),
        ('["a","b"]', ["b", "a"], False),
        ('[{"n":1,"e":""}]', [{"n": 1}], True),
        ("text", ["text"], False),
    ],
)
def test_equal(said: str | None, judged: Any, same: bool) -> None:
    assert equal(said, judged) is same


def test_a_policy_that_is_gone_is_better_than_an_empty_one() -> None:
    item = {**UPDATE, "type": "aws_s3_bucket_policy", "attribute": "policy", "before": '{"Statement":[]}', "after": ""}
    assert score([item], event(kind=Kind.DELETED)).good
    assert not score([{**item, "after": "{}x"}], event(kind=Kind.DELETED)).good


def test_what_is_masked_inside_an_element_fits_only_what_the_records_do_not_tell() -> None:
    grant = {"id": "75aa57f0", "permissions": ["READ"], "uri": ""}
    item = {**INGRESS, "attribute": "grant", "before": [], "after": [grant], "added": [grant], "removed": []}
    said = json.dumps({**grant, "id": "(unknown)"})
    told = event("grant", None, f"[{said}]", added=(said,), address="aws_security_group.g")
    assert score([item], told, records=logged("other")).good
    assert not score([item], told, records=logged("75aa57f0 READ")).good


def test_a_removal_of_which_the_records_name_nothing_may_be_unknown() -> None:
    item = {**INGRESS, "before": [RULE, OTHER], "after": [RULE], "added": [], "removed": [OTHER]}
    told = event("ingress", json.dumps([RULE, OTHER]), "(unknown)", address="aws_security_group.g")
    assert score([item], told, records=logged("sgr-1")).good
    assert not score([item], told, records=logged("0.0.0.0/0")).good


def test_what_the_provider_fills_in_and_no_record_tells_is_not_owed() -> None:
    item = {
        "address": "aws_eip.ip",
        "type": "aws_eip",
        "action": "update",
        "attribute": "network_interface",
        "before": "eni-1",
        "after": "eni-2",
    }
    assert score([item], records=logged("i-1")).unowed == [item]
    assert score([item], records=logged("eni-2")).missing == [item]
    assert score([{**item, "attribute": "instance"}], records=logged("i-1")).good
    assert not score([{**item, "after": ""}], records=logged("i-1")).good
