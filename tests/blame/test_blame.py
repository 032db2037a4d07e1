"""From a plan's drift to the calls that made it."""

import gzip
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.drift.test_engine import TERRAFORM, URL, index, record, timeout
from tests.sources.lookup_events import LookupServer
from tests.terraform.conftest import Aws
from tfdrift_core.blame.plan import Plan, PlanError, parse
from tfdrift_core.blame.trace import blame
from tfdrift_core.cli import main
from tfdrift_core.drift.change.catalog import load as load_catalog
from tfdrift_core.records.record import Record

SINCE = "2026-01-01"
Blame = Callable[..., tuple[int, str, str]]


def document(after: dict[str, Any] | None, **before: Any) -> dict[str, Any]:
    """What ``terraform show -json`` prints of a refresh-only plan, as far as it is read."""
    (instance,) = index(**before).all()
    attributes = dict(instance.attributes)
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_drift": [
            {
                "address": "module.shop.aws_sqs_queue.orders[0]",
                "module_address": "module.shop",
                "mode": "managed",
                "type": "aws_sqs_queue",
                "name": "orders",
                "index": 0,
                "provider_name": "registry.terraform.io/hashicorp/aws",
                "change": {
                    "actions": ["delete" if after is None else "update"],
                    "before": attributes,
                    "after": None if after is None else {**attributes, **after},
                    "before_sensitive": {},
                    "after_sensitive": {},
                },
            },
            {"address": "data.aws_region.here", "mode": "data", "change": {"before": {}, "after": {}}},
        ],
    }


def plan(after: dict[str, Any] | None, **before: Any) -> Plan:
    return parse(json.dumps(document(after, **before)).encode(), "plan.json")


def found(after: dict[str, Any] | None, records: Sequence[Record], **before: Any) -> list[tuple[str, str, str]]:
    """Path or element, the id of the record that did it, and the reason."""
    parts = blame(plan(after, **before), records, load_catalog(), SINCE)
    return [(part.element or part.path, part.cause.record.id if part.cause else "", part.reason) for part in parts]


def tag(**tags: str) -> Record:
    return record("TagQueue", {"queueUrl": URL, "tags": tags})


def test_the_call_that_gave_the_value() -> None:
    one, two = timeout(60), timeout(90)
    assert found({"visibility_timeout_seconds": 90}, [two, one]) == [("visibility_timeout_seconds", two.id, "")]


def test_set_by_one_and_by_another_and_back() -> None:
    one, two, three = timeout(60), timeout(90), timeout(60)
    (part,) = blame(plan({"visibility_timeout_seconds": 60}), [one, two, three], load_catalog(), SINCE)
    assert part.cause is not None
    assert part.cause.record is three
    assert [step.record for step in part.history] == [one, two, three]


def test_two_people_on_two_keys_of_one_attribute() -> None:
    one, two = tag(Env="dev"), tag(Owner="kim")
    after = {"tags": {"Env": "dev", "Owner": "kim"}, "tags_all": {"Env": "dev", "Team": "shop", "Owner": "kim"}}
    assert found(after, [one, two]) == [
        ("tags.Env", one.id, ""),
        ("tags.Owner", two.id, ""),
        ("tags_all.Env", one.id, ""),
        ("tags_all.Owner", two.id, ""),
    ]


def test_a_run_of_terraform_is_said_to_be_one() -> None:
    run = timeout(60, agent=TERRAFORM)
    ((_, id, reason),) = found({"visibility_timeout_seconds": 60}, [run])
    assert id == run.id
    assert "Terraform" in reason


def test_a_deleted_resource() -> None:
    gone = record("DeleteQueue", {"queueUrl": URL})
    assert found(None, [timeout(60), gone]) == [("", gone.id, "")]


def test_what_no_record_explains_says_why() -> None:
    assert found({"visibility_timeout_seconds": 60}, []) == [
        ("visibility_timeout_seconds", "", f"no record since {SINCE} names it: older than that, or made by AWS itself")
    ]
    other = timeout(90)
    ((_, id, reason),) = found({"visibility_timeout_seconds": 60}, [other])
    assert (id, "to another value" in reason) == (other.id, True)
    assert found({"arn": "arn:aws:sqs:eu-central-1:111122223333:other"}, []) == [
        ("arn", "", "an attribute that the provider computes; no call sets it")
    ]


def test_the_same_record_from_two_sources_counts_once() -> None:
    one = timeout(60)
    parts = blame(plan({"visibility_timeout_seconds": 60}), [one, Record(one.raw)], load_catalog(), SINCE)
    assert [len(part.history) for part in parts] == [1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04\x14\x00", "terraform show -json plan.json > plan.json"),
        (b"{", "is not JSON"),
        (b"[]", "is not a plan; make a plan with: terraform plan -refresh-only"),
        (b'{"version": 4, "lineage": "x", "resources": []}', "is a state; make a plan with"),
    ],
)
def test_what_is_no_plan_is_told_which_command_makes_one(data: bytes, message: str) -> None:
    with pytest.raises(PlanError) as raised:
        parse(data, "plan.json")
    assert message in str(raised.value)


@pytest.mark.parametrize("drift", [None, [], [{}], [{"mode": "managed"}], "x", [1]])
def test_a_plan_without_drift(drift: Any) -> None:
    assert parse(json.dumps({"format_version": "1.0", "resource_drift": drift}).encode(), "p").drifted == ()


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Blame:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    Path("plan.json").write_text(json.dumps(document({"visibility_timeout_seconds": 60})))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["blame", "plan.json", "--since", SINCE, *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_from_a_trail(command: Blame) -> None:
    Path("trail.json").write_text(json.dumps({"Records": [timeout(90).raw, timeout(60).raw]}))
    code, out, _ = command("--source", "trail.json", "--history")
    assert code == 0
    assert "module.shop.aws_sqs_queue.orders[0]" in out
    assert "visibility_timeout_seconds: 30 → 60" in out
    assert "by mio with SetQueueAttributes from 198.51.100.24" in out
    assert "before: " in out
    code, out, _ = command("--source", "trail.json", "--json", "--detailed-exitcode")
    assert code == 2
    row = json.loads(out)
    assert (row["tf.address"], row["drift.user"], row["explained"]) == (
        "module.shop.aws_sqs_queue.orders[0]",
        "mio",
        True,
    )


def test_from_a_bucket(command: Blame, aws: Aws) -> None:
    """It ends, and only the files of the days, accounts and regions are fetched in which the drift is."""
    s3, place = aws.client("s3"), "AWSLogs/%s/CloudTrail/%s/2026/03/%02d/%s_CloudTrail_%s_202603%02dT1000Z_a.json.gz"
    s3.create_bucket(Bucket="trail")
    for account, region, day in (
        ("111122223333", "eu-central-1", 17),
        ("111122223333", "eu-central-1", 2),
        ("111122223333", "us-east-1", 17),
        ("444455556666", "eu-central-1", 17),
    ):
        body = gzip.compress(json.dumps({"Records": [timeout(60, eventID=f"{account}{region}{day}").raw]}).encode())
        s3.put_object(Bucket="trail", Key=place % (account, region, day, account, region, day), Body=body)
    aws.post("/moto-api/recorder/reset-recording")
    aws.post("/moto-api/recorder/start-recording")
    code, out, err = command(
        "--source", "s3://trail/AWSLogs/", "--since", "2026-03-16", "--json", "--endpoint-url", aws.url
    )
    aws.post("/moto-api/recorder/stop-recording")
    assert code == 0, err
    assert json.loads(out)["ct.id"] == "111122223333eu-central-117"
    log = urllib3.request("GET", f"{aws.url}/moto-api/recorder/download-recording").data.decode()
    assert re.findall(r"(\d{12}_CloudTrail_[a-z0-9-]+_\d{8})T1000Z_a\.json\.gz", log) == [
        "111122223333_CloudTrail_eu-central-1_20260317"
    ]


def test_a_queue_is_not_looked_into(command: Blame) -> None:
    code, _, err = command("--source", "sqs://trail")
    assert (code, "showing what a queue holds would take it from the Falco that reads the queue" in err) == (1, True)


def test_a_damaged_file_ends_nothing(command: Blame, caplog: pytest.LogCaptureFixture) -> None:
    Path("trail").mkdir()
    whole = gzip.compress(json.dumps({"Records": [timeout(90).raw]}).encode())
    Path("trail/1.json.gz").write_bytes(whole[:-9])
    Path("trail/2.json").write_text(json.dumps({"Records": [timeout(60).raw]}))
    code, out, _ = command("--source", "trail", "--json")
    assert code == 0
    assert json.loads(out)["explained"] is True
    assert "1.json.gz" in caplog.text


def test_the_earlier_calls_as_json(command: Blame) -> None:
    Path("trail.json").write_text(json.dumps({"Records": [timeout(90).raw, timeout(60).raw]}))
    _, out, _ = command("--source", "trail.json", "--json", "--history")
    (row,) = map(json.loads, out.splitlines())
    assert [(step["ct.name"], step["drift.new_value"]) for step in row["history"]] == [("SetQueueAttributes", "90")]
    assert (row["drift.kind"], row["drift.confidence"]) == ("modified", "verified")


def test_from_the_event_history(command: Blame) -> None:
    call = {**timeout(60).raw, "resources": [{"ARN": URL, "type": "AWS::SQS::Queue"}]}
    with LookupServer({"eu-central-1": [call]}) as server:
        code, out, err = command("--json", "--region", "eu-central-1", "--endpoint-url", server.url)
    assert code == 0, err
    assert server.throttled == 0
    asked = {item["AttributeValue"] for _, _, request in server.requests for item in request["LookupAttributes"]}
    assert URL in asked
    assert json.loads(out)["tf.type"] == "aws_sqs_queue"


def test_errors_have_a_status_of_their_own(command: Blame) -> None:
    Path("plan.json").write_text("{}")
    code, _, err = command("--source", "trail.json")
    assert (code, "make a plan with" in err) == (1, True)


def marked(**marks: Any) -> Plan:
    made = document({"tags": {"Env": "dev"}, "policy": "new"})
    made["resource_drift"][0]["change"] |= marks
    return parse(json.dumps(made).encode(), "plan.json")


@pytest.mark.parametrize(
    ("marks", "hidden"),
    [
        ({"before_sensitive": {"policy": True}}, {"policy"}),
        ({"after_sensitive": {"policy": True}}, {"policy"}),
        ({"before_sensitive": {"policy": [False, {"x": False}], "tags": {"Env": False}}}, set()),
        ({"before_sensitive": {"policy": [{"x": [True]}]}}, {"policy"}),
        ({"before_sensitive": True}, {"policy", "tags.Env"}),
        ({"before_sensitive": ["x"], "after_sensitive": 7}, set()),
    ],
)
def test_what_a_plan_marks_as_sensitive_is_hidden_and_nothing_else(marks: dict[str, Any], hidden: set[str]) -> None:
    parts = blame(marked(**marks), [], load_catalog(), SINCE)
    assert {part.path for part in parts if part.new == "(sensitive)"} == hidden


@pytest.mark.parametrize("after", [[1], "x", 7])
def test_a_change_into_no_resource_is_none(after: Any) -> None:
    assert marked(after=after).drifted == ()
