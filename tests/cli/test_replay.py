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
