"""How real records become their forms."""

import json
import re

import pytest

from tests.forms import forms
from tests.forms.distil import Stranger, distil, vocabulary

RECORD = {
    "userIdentity": {
        "type": "IAMUser",
        "userName": "hildegard",
        "accountId": "987654321098",
        "accessKeyId": "AKIA2Z7QXY",
    },
    "eventSource": "ec2.amazonaws.com",
    "eventName": "CreateTags",
    "sourceIPAddress": "93.184.216.34",
    "eventTime": "2021-03-04T05:06:07Z",
    "requestParameters": {
        "bucketPolicy": {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::987654321098:root"}}]},
        "document": json.dumps({"Version": "2012-10-17", "Resource": "arn:aws:s3:::hildegards-own"}),
        "instanceType": "t3.micro",
        "port": 443,
        "owner": 987654321098,
        "instanceId": "i-0a7c3e9d5f1b28460",
        "tags": {"hildegard": "yes"},
    },
    "responseElements": {"instanceId": "i-0a7c3e9d5f1b28460"},
}


@pytest.fixture(scope="module")
def words() -> set[str]:
    return vocabulary()


def test_what_is_somebodys_gives_way_and_what_is_awss_stays(words: set[str]) -> None:
    made = Stranger(words).value(RECORD)
    text = json.dumps(made)
    for own in ("hildegard", "987654321098", "2Z7QXY", "93.184", "2021", "0a7c3e9d5f1b28460"):
        assert own not in text
    request = made["requestParameters"]
    assert (made["eventName"], request["port"], request["instanceType"]) == ("CreateTags", 443, "t3.micro")
    assert request["bucketPolicy"]["Statement"][0]["Effect"] == "Allow"
    assert json.loads(request["document"])["Version"] == "2012-10-17"
    assert re.fullmatch(r"i-[0-9a-f]{17}", request["instanceId"])
    assert re.fullmatch(r"\d{12}", made["userIdentity"]["accountId"])


def test_what_is_the_same_in_a_record_stays_the_same(words: set[str]) -> None:
    made = Stranger(words).value(RECORD)
    assert made["responseElements"]["instanceId"] == made["requestParameters"]["instanceId"]
    policy = made["requestParameters"]["bucketPolicy"]
    assert made["userIdentity"]["accountId"] in policy["Statement"][0]["Principal"]["AWS"]


def test_of_one_form_one_record_is_kept(words: set[str]) -> None:
    other = {**RECORD, "requestParameters": {**RECORD["requestParameters"], "instanceId": "i-1"}}  # type: ignore[dict-item]
    entries = [{"provenance": {"kind": "real"}, "record": record} for record in (RECORD, other, {**RECORD, "new": 1})]
    assert len(list(distil(entries, words))) == 2


def test_the_forms_are_about_nobody() -> None:
    accounts = set()
    for entry in forms():
        accounts |= set(re.findall(r"(?<![\da-f.-])\d{12}(?![\da-f.])", json.dumps(entry["record"])))
    assert all(account.startswith(("111111111", "000000000")) for account in accounts), accounts
