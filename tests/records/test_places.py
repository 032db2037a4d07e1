"""Keys of CloudTrail's files, which whoever may write to the bucket chooses."""

import pytest

from tfdrift_core.records.places import parse_key, scope


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
