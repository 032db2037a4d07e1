"""What people who do this job reported, as small cases: a state, calls as CloudTrail logs them, what has to be said.

Every file in ``cases`` is a kind.  A case has ``state`` (address to attributes), ``calls`` (event source without
``.amazonaws.com``, name, request, response, and more members of the record) and ``says``: ``[address]`` for a deleted
resource, ``[address, path, new]`` for a changed attribute and ``[unmanaged, type]``; a missing ``new`` is not compared.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tfdrift_core import yaml_data
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.records.scan import scan
from tfdrift_core.replay import replay
from tfdrift_core.terraform.index import Index, State
from tfdrift_core.terraform.model import IgnoredTags

ACCOUNT, REGION = "111122223333", "eu-central-1"
FILES = sorted(Path(__file__).with_name("cases").glob("*.yaml"))
CASES = [
    pytest.param(case, id=f"{path.stem}-{name}")
    for path in FILES
    for name, case in yaml_data.load(path.read_text(encoding="utf-8")).items()
]


def index(case: dict[str, Any]) -> Index:
    resources = [
        {
            "mode": "managed",
            "type": address.partition(".")[0],
            "name": address.partition(".")[2],
            "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
            "instances": [{"schema_version": 0, "attributes": attributes}],
        }
        for address, attributes in case["state"].items()
    ]
    raw = orjson.dumps({"version": 4, "serial": 1, "lineage": "x", "resources": resources})
    hidden = case.get("ignore_tags", {})
    ignored = IgnoredTags(frozenset(hidden.get("keys", ())), tuple(hidden.get("key_prefixes", ())))
    return Index([State(raw, "terraform.tfstate", tags=lambda origin, alias: ignored)])


def records(case: dict[str, Any]) -> list[dict[str, Any]]:
    made = []
    for number, (source, name, request, *rest) in enumerate(case["calls"]):
        response, more = (*rest, *(None, {})[len(rest) :])
        made.append(
            {
                "eventVersion": "1.09",
                "eventID": f"00000000-0000-4000-8000-{number:012}",
                "eventTime": f"2026-03-17T08:{number:02}:00Z",
                "eventSource": f"{source}.amazonaws.com",
                "eventName": name,
                "awsRegion": REGION,
                "recipientAccountId": ACCOUNT,
                "eventCategory": "Management",
                "userAgent": "aws-cli/2.17.0",
                "userIdentity": {"type": "IAMUser", "userName": "kim", "arn": f"arn:aws:iam::{ACCOUNT}:user/kim"},
                "requestParameters": request,
                "responseElements": response,
                **more,
            }
        )
    return made


def said(event: DriftEvent) -> tuple[str, ...]:
    if event.kind is Kind.UNMANAGED:
        return "unmanaged", event.resource.type
    return (event.resource.address,) if event.kind is Kind.DELETED else (event.resource.address, event.path)


def text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


@pytest.mark.parametrize("case", CASES)
def test_case(case: dict[str, Any]) -> None:
    found = scan(orjson.dumps({"Records": records(case)}), "records")
    events = replay(index(case), [record.raw for record in found.records], expectations=Expectations.parse({}))
    assert sorted(map(said, events)) == sorted(tuple(row[:2]) for row in case["says"])
    values = {said(event): event.new_value for event in events}
    for address, *row in case["says"]:
        if len(row) == 2:
            assert values[address, row[0]] == (None if row[1] is None else text(row[1])), row[0]
    assert bool(found.errors) == case.get("complains", False)
