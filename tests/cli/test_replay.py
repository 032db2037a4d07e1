"""``tfdrift replay``: what it reads, prints and says."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.events import RECORD
from tfdrift_core.cli import main

INSTANCE = {
    "mode": "managed",
    "type": "aws_instance",
    "name": "web",
    "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
    "instances": [{"attributes": {"id": "i-0abc", "instance_type": "t3.micro"}}],
}
STATE = {"version": 4, "terraform_version": "1.7.0", "serial": 1, "lineage": "x", "resources": [INSTANCE]}

Replay = Callable[..., tuple[int, str, str]]


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Replay:
    monkeypatch.chdir(tmp_path)
    Path("a.tfstate").write_text(json.dumps(STATE))

    def run(*arguments: str, record: Any = RECORD) -> tuple[int, str, str]:
        Path("trail.json").write_text(json.dumps({"Records": [record]}))
        code = main(["replay", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_a_file_with_the_init_config(replay: Replay) -> None:
    Path("init.yaml").write_text("state: a.tfstate\nsources: [trail.json]\naccounts: [012345678901]\n")
    code, out, _ = replay("-c", "init.yaml")
    assert code == 0
    assert "instance_type: t3.micro → t3.small" in out


def test_a_falco_yaml_and_a_source_of_its_own(replay: Replay) -> None:
    config = "plugins:\n- {name: tfdrift, init_config: {state: [a.tfstate], sources: [{url: s3://b, start: %s}]}}\n"
    Path("falco.yaml").write_text(config % "2026-01-31T08:00:00Z")
    code, out, err = replay("-c", "falco.yaml", "--json", "trail.json")
    assert code == 0, err
    assert json.loads(out)["drift.new_value"] == "t3.small"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stat: x", "init_config.stat: unknown key; did you mean 'state'?"),
        ("[1, 2]", "init_config: [1, 2] is not allowed here; write a map"),
        ("{", "bad.yaml, line 1, column 2: cannot be read: "),
        ("sources: [trail.json]", "no state: name one with --state, or a Terraform directory with --config"),
    ],
)
def test_what_is_wrong_with_the_configuration_is_said(replay: Replay, text: str, message: str) -> None:
    Path("bad.yaml").write_text(text)
    code, out, err = replay("-c", "bad.yaml", "trail.json")
    assert (code, out) == (1, "")
    assert err.startswith(f"tfdrift: error: {message}")


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "yesterday", 5, None])
def test_a_time_that_is_none_hides_no_drift(replay: Replay, time: object) -> None:
    code, out, err = replay("--json", "-s", "a.tfstate", "trail.json", record={**RECORD, "eventTime": time})
    assert code == 0, err
    event = json.loads(out)
    assert event["drift.new_value"] == "t3.small"
    assert "drift.time" not in event


def test_a_damaged_file_is_in_the_exit_status(replay: Replay, caplog: pytest.LogCaptureFixture) -> None:
    Path("a.json.gz").write_bytes(gzip.compress(gzip.compress(b"{}")))
    code, out, _ = replay("-s", "a.tfstate", "a.json.gz")
    assert (code, out) == (1, "")
    assert "a.json.gz: the data is compressed twice; decompress it once; what was before is read" in caplog.text


HOSTILE = "\x1b[2K\x1b[1A\x1b]0;owned\x07\u202ehidden\n2026-01-01 all is well"


def test_what_a_record_holds_does_not_reach_the_terminal_as_it_is(replay: Replay) -> None:
    record = {
        **RECORD,
        "requestParameters": {**RECORD["requestParameters"], "instanceType": {"value": HOSTILE}},
        "sourceIPAddress": HOSTILE,
        "awsRegion": HOSTILE,
    }
    code, out, _ = replay("-s", "a.tfstate", "trail.json", record=record)
    assert code == 0
    assert "t3.micro → ?[2K?[1A?]0;owned??hidden 2026-01-01 all is well\n" in out
    assert all(char.isprintable() or char == "\n" for char in out)
    assert not any(line.startswith("2026-01-01 all") for line in out.splitlines())


def test_nor_does_a_state(replay: Replay, capsys: pytest.CaptureFixture[str]) -> None:
    resource = {**INSTANCE, "instances": [{"index_key": HOSTILE, "attributes": {"id": HOSTILE}}]}
    Path("b.tfstate").write_text(json.dumps({**STATE, "resources": [resource]}))
    assert main(["state", "b.tfstate"]) == 0
    out = capsys.readouterr().out
    assert "hidden 2026-01-01 all is well" in out
    assert all(char.isprintable() or char == "\n" for char in out)


def test_two_workspaces_of_one_configuration_are_told_apart(replay: Replay) -> None:
    Path("env").mkdir()
    for name, machine in (("a", "i-0abc"), ("b", "i-0def")):
        instance = {**INSTANCE, "instances": [{"attributes": {"id": machine, "instance_type": "t3.micro"}}]}
        Path(f"env/{name}.tfstate").write_text(json.dumps({**STATE, "resources": [instance]}))
    both = {"instancesSet": {"items": [{"instanceId": "i-0abc"}, {"instanceId": "i-0def"}]}}
    record = {**RECORD, "eventName": "TerminateInstances", "requestParameters": both}
    states = ("-s", "env/a.tfstate", "-s", "env/b.tfstate")
    _, out, _ = replay(*states, "trail.json", record=record)
    assert "\n    in env/a.tfstate\n" in out
    assert "\n    in env/b.tfstate\n" in out
    _, lines, _ = replay("--json", *states, "trail.json", record=record)
    found = [json.loads(line) for line in lines.splitlines()]
    assert [event["drift.resource"] for event in found] == ["aws_instance.web"] * 2
    assert len({event["drift.id"] for event in found}) == 2


def changed(number: int, instance_type: str) -> dict[str, Any]:
    request = {**RECORD["requestParameters"], "instanceType": {"value": instance_type}}
    time = f"2026-01-31T08:{number:02}:00Z"
    return {**RECORD, "eventID": f"call-{number}", "eventTime": time, "requestParameters": request}


def write_trail(*types: str) -> str:
    """A directory of one file for each call: what is put back within one file is no drift at all."""
    shutil.rmtree("trail", ignore_errors=True)
    Path("trail").mkdir()
    for number, instance_type in enumerate(types):
        Path(f"trail/{number}.json").write_text(json.dumps({"Records": [changed(number, instance_type)]}))
    return "trail"


def test_what_ended_is_shown_with_what_began_it(replay: Replay) -> None:
    code, out, _ = replay("-s", "a.tfstate", write_trail("t3.large", "t3.micro"))
    assert code == 0
    assert "resolved" in out
    assert "reverted: put back by another call; open since 2026-01-31 08:00:00 by" in out


def test_what_is_still_open_is_counted_and_can_be_all_that_is_shown(
    replay: Replay, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    code, out, _ = replay("-s", "a.tfstate", "--open", "--json", write_trail("t3.large", "t3.micro", "t3.nano"))
    assert code == 0
    (event,) = map(json.loads, out.splitlines())
    assert (event["drift.kind"], event["drift.new_value"]) == ("modified", "t3.nano")
    assert "1 still open" in caplog.text
    code, out, _ = replay("-s", "a.tfstate", "--open", write_trail("t3.large", "t3.micro"))
    assert (code, out) == (0, "")


def test_sources_are_read_in_the_order_in_which_they_are_named(replay: Replay) -> None:
    types = [f"t3.{number}" for number in range(20)]
    for number, instance_type in enumerate(types):
        Path(f"{number}.json").write_text(json.dumps({"Records": [changed(number, instance_type)]}))
    code, out, _ = replay("-s", "a.tfstate", "--json", *(f"{number}.json" for number in range(20)))
    assert code == 0
    assert [json.loads(line)["drift.new_value"] for line in out.splitlines()] == types


def test_a_queue_is_refused_and_what_it_holds_stays_for_falco(
    replay: Replay, moto_url: str, client: Callable[[str], Any], credentials: None
) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="shown-not-taken")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(RECORD))
    aws = {"endpoint_url": moto_url, "region": "us-east-1"}
    plugin = {"name": "tfdrift", "init_config": {"state": ["a.tfstate"], "aws": aws}, "open_params": "sqs://x"}
    for text in ("sqs://shown-not-taken", f"sqs://{url}"):
        Path("falco.yaml").write_text(json.dumps({"plugins": [{**plugin, "open_params": text}]}))
        code, out, err = replay("-c", "falco.yaml")
        assert (code, out) == (1, "")
        assert f"{text}: showing what a queue holds would take it from the Falco" in err
        assert "lookup://?start=24h" in err
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(counts))["Attributes"]
    assert [found[name] for name in counts] == ["1", "0"]
    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert replay("-c", "falco.yaml", "trail.json")[0] == 0


def test_it_ends_and_touches_no_checkpoint(
    replay: Replay, moto_url: str, client: Callable[..., Any], credentials: None, tmp_path: Path
) -> None:
    s3 = client("s3", "us-east-1")
    s3.create_bucket(Bucket="trail-shown")
    folder = "AWSLogs/111111111111/CloudTrail/us-east-1/2026/01/31"
    key = f"{folder}/111111111111_CloudTrail_us-east-1_20260131T0800Z_a.json.gz"
    moved = {"recipientAccountId": "111111111111", "awsRegion": "us-east-1", "eventTime": "2026-01-31T07:55:00Z"}
    record = {**RECORD, **moved}
    s3.put_object(Bucket="trail-shown", Key=key, Body=gzip.compress(json.dumps({"Records": [record]}).encode()))
    config = {
        "state": ["a.tfstate"],
        "aws": {"endpoint_url": moto_url, "region": "us-east-1"},
        "sources": ["s3://trail-shown"],
        "data_dir": str(tmp_path / "data"),
    }
    Path("init.yaml").write_text(json.dumps(config))
    code, out, err = replay("-c", "init.yaml", "--since", "2026-01-30T00:00:00Z")
    assert code == 0, err
    assert "instance_type: t3.micro → t3.small" in out
    assert not (tmp_path / "data").exists()


def _at(hour: int, user: str) -> dict[str, Any]:
    identity = {**RECORD["userIdentity"], "userName": user, "arn": f"arn:aws:iam::123456789012:user/{user}"}
    parameters = {"instanceId": "i-0abc", "instanceType": {"value": f"t3.h{hour}"}}
    time = f"2026-03-17T{hour:02}:00:00Z"
    return {
        **RECORD,
        "eventID": f"e{hour}",
        "eventTime": time,
        "userIdentity": identity,
        "requestParameters": parameters,
    }


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ([], "1 2 3"),
        (["--since", "2026-03-17T02:00:00Z"], "2 3"),
        (["--until", "2026-03-17T02:00:00Z"], "1"),
        (["--by", "ada"], "1 3"),
        (["--by", "GRACE", "--by", "nobody"], "2"),
        (["--by", "arn:aws:iam::*:user/ada"], "1 3"),
        (["--type", "aws_inst*"], "1 2 3"),
        (["--type", "aws_vpc"], ""),
        (["--min-severity", "warning"], "1 2 3"),
        (["--min-severity", "error"], ""),
    ],
)
def test_what_is_shown_can_be_chosen(replay: Replay, arguments: list[str], shown: str) -> None:
    for hour, user in ((1, "ada"), (2, "grace"), (3, "ada")):
        Path(f"{hour}.json").write_text(json.dumps({"Records": [_at(hour, user)]}))
    files = ["-s", "a.tfstate", "1.json", "2.json", "3.json"]
    code, out, err = replay("--json", *files, *arguments)
    assert code == 0, err
    found = sorted(json.loads(line)["drift.new_value"] for line in out.splitlines())
    assert found == [f"t3.h{n}" for n in shown.split()]
    assert replay("--detailed-exitcode", *files, *arguments)[0] == (2 if shown else 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "soon"], "--since is 'soon'; write a time such as 2026-01-31T08:00:00Z, or how long ago: 12h, 7d"),
        (["--since", "1h", "--until", "2h"], "--since is not before --until"),
        (["--min-severity", "bad"], "--min-severity: 'bad' is not a priority; use one of emergency"),
    ],
)
def test_a_choice_that_is_none_is_said(replay: Replay, arguments: list[str], message: str) -> None:
    code, out, err = replay("-s", "a.tfstate", "trail.json", *arguments)
    assert (code, out) == (1, "")
    assert message in err


def test_an_error_is_more_than_drift(replay: Replay) -> None:
    Path("bad.tfstate").write_text("no state")
    assert replay("-s", "a.tfstate", "-s", "bad.tfstate", "trail.json", "--detailed-exitcode")[0] == 1
