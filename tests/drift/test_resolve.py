"""Which instances a record touches."""

from typing import Any

from tests.drift.test_engine import URL, index, timeout
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.resolve import Resolver
from tfdrift_core.records.record import Record

SCOPE = Scope(request={"url": URL, "name": "orders", "owner": "shop", "many": [URL], "flag": True})
RECORD = timeout(60)


def find(
    *matches: dict[str, str], type: str = "aws_sqs_queue", record: Record = RECORD, **attributes: Any
) -> list[str]:
    found = Resolver(index(**attributes)).find(type, matches, SCOPE, record)
    return [instance.address for instance in found]


def test_by_any_attribute_and_by_a_path_inside_one() -> None:
    assert find({"id": "request.url"}) == ["aws_sqs_queue.orders"]
    assert find({"name": "request.name"}) == ["aws_sqs_queue.orders"]
    assert find({"tags.Team": "request.owner"}, tags={"Team": "shop"}) == ["aws_sqs_queue.orders"]
    assert find({"tags.Team": "request.owner"}, tags={"Team": "bank"}) == []


def test_the_first_match_that_finds_something_counts() -> None:
    assert find({"id": "request.nothing"}, {"name": "request.name"}) == ["aws_sqs_queue.orders"]
    assert find({"id": "request.nothing"}, {"name": "request.owner"}) == []


def test_every_part_of_a_match_has_to_hold() -> None:
    assert find({"id": "request.url", "name": "request.name"}) == ["aws_sqs_queue.orders"]
    assert find({"id": "request.url", "name": "request.owner"}) == []


def test_what_is_no_name_names_nothing() -> None:
    assert find({"id": "request.many"}) == []
    assert find({"id": "request.flag"}) == []


def test_no_match_is_a_setting_of_the_account_and_region() -> None:
    assert find() == ["aws_sqs_queue.orders"]
    assert find(record=timeout(60, recipientAccountId="999999999999")) == []
    assert find(record=timeout(60, awsRegion="us-east-1")) == []


def test_any_type_by_id_or_arn() -> None:
    assert find({"arn": "request.url"}, type="*") == ["aws_sqs_queue.orders"]
    assert find({"arn": "request.name"}, type="*") == []
