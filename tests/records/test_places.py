"""Keys of CloudTrail's files, which whoever may write to the bucket chooses."""

import json

import pytest

from tfdrift_core.records.places import parse_key, place_of, scope
from tfdrift_core.records.scan import scan


@pytest.mark.parametrize(
    ("stamp", "time"),
    [("20260131T0805Z", 1769846700.0), ("20269999T9999Z", None), ("00000000T0000Z", None), ("20260230T0000Z", None)],
)
def test_a_time_that_is_none_hides_neither_account_nor_region(stamp: str, time: float | None) -> None:
    name = f"123456789012_CloudTrail_eu-west-1_{stamp}_a.json.gz"
    key = f"x/AWSLogs/o-1/123456789012/CloudTrail/eu-west-1/2026/01/31/{name}"
    place = parse_key(key)
    assert place is not None
    assert (place.account, place.region, place.time) == ("123456789012", "eu-west-1", time)
    assert not scope(["210987654321"], []).wants(key)


def test_digits_are_ours() -> None:
    name = "123456789012_CloudTrail_eu-west-1_20260131T0805Z_a.json"
    assert parse_key(f"AWSLogs/123456789012/CloudTrail/eu-west-1/2026/01/31/{name}") is not None
    assert parse_key(f"AWSLogs/١٢٣٤٥٦٧٨٩٠١٢/CloudTrail/eu-west-1/2026/01/31/{name}") is None


HOME, OTHER = "123456789012", "210987654321"


def of(account: str = HOME, region: str = "eu-west-1", source: str = "ec2", **members: object) -> bytes:
    record = {"eventID": "1", "eventName": "CreateTags", "eventSource": f"{source}.amazonaws.com", "awsRegion": region}
    return json.dumps({"Records": [record | {"recipientAccountId": account} | members]}).encode()


@pytest.mark.parametrize(
    ("document", "read"),
    [
        (of(), True),
        # Another account's role or service made the call.
        (of(userIdentity={"accountId": OTHER}), True),
        # A trail of one region that logs global services; seen in real trails.
        (of(region="us-east-1", source="iam"), True),
        (of(recipientAccountId=None), True),
        (of(OTHER), False),
        (of(recipientAccountId=None, userIdentity={"accountId": OTHER}), False),
        (of(region="us-east-1"), False),
        (of(OTHER, source="iam"), False),
    ],
)
def test_a_record_that_contradicts_the_key_that_it_came_under_is_refused(document: bytes, read: bool) -> None:
    key = (
        f"AWSLogs/o-abc123def4/{HOME}/CloudTrail/eu-west-1/2026/01/31/{HOME}_CloudTrail_eu-west-1_20260131T0805Z_a.json"
    )
    found = scan(document, "x", place=place_of(key))
    assert (len(found.records), found.refused) == ((1, 0) if read else (0, 1))
    assert all(record.account == HOME for record in found.records)
    assert len(scan(document, "x", place=place_of("copies/a.json")).records) == 1
