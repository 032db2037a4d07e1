"""What ``tfdrift run`` shows to people, and what its exit status says, with the real library."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from tfdrift_plugin.host.view import BEAT, Pulse

from tests.plugin.conftest import library
from tests.real.forky import REPO
from tfdrift_core import config
from tfdrift_core.cli.progress import Reading

__all__ = ["library"]

STATES, TRAIL = f"{REPO}/examples/state/*.tfstate", REPO / "examples" / "trail"
COMMAND = [sys.executable, "-m", "tfdrift_core", "run"]


def tfdrift(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **env}
    )


def on_a_terminal(*arguments: str | Path) -> str:
    """What a terminal gets from it, where both outputs are that terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, *arguments], stdout=theirs, stderr=theirs, stdin=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # nobody holds the other end any more
                break
            seen += more
    os.close(ours)
    assert process.returncode == 0
    return seen.decode()


def test_a_terminal_gets_lines_for_people(library: Path) -> None:
    seen = on_a_terminal("--library", library, "-s", STATES, TRAIL)
    assert "Security group opened to the world" in seen
    assert "by dev-taro with AuthorizeSecurityGroupIngress" in seen.replace("\x1b[36m", "")
    assert "(resource=" not in seen


def test_falcos_own_format_on_a_terminal(library: Path) -> None:
    seen = on_a_terminal("--library", library, "-s", STATES, "--format", "falco", TRAIL)
    assert "Critical Security group opened to the world (resource=" in seen


def test_a_pipe_gets_falcos_format_but_where_it_is_asked_for(library: Path) -> None:
    assert "(resource=" in tfdrift("--library", library, "-s", STATES, TRAIL).stdout
    readable = tfdrift("--library", library, "-s", STATES, "--format", "readable", TRAIL).stdout
    assert "modified   aws_security_group.web" in readable
    assert "\x1b" not in readable


def test_what_is_shown_can_be_chosen(library: Path) -> None:
    def rules(*options: str) -> list[str]:
        done = tfdrift("--library", library, "-s", STATES, "--json", *options, TRAIL)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["rule"] for line in done.stdout.splitlines()]

    assert set(rules("--type", "aws_instance", "--type", "aws_db_*")) >= {"Managed resource deleted"}
    assert set(rules("--type", "aws_iam_user")) == {"IAM identity created outside Terraform"}
    assert set(rules("--by", "Dev-*")) == {"Security group opened to the world", "Administrator rights granted"}
    assert rules("--since", "2026-03-17T22:43:00Z") == ["IAM identity created outside Terraform"]
    assert rules("--until", "2026-03-17T09:00:00Z")[-1] == "EC2 instance type changed"
    assert "EC2 instance type changed" not in rules("--min-severity", "critical")


def test_the_exit_status_can_tell_of_drift(library: Path) -> None:
    given = ("--library", library, "-s", STATES, "--detailed-exitcode")
    assert tfdrift(*given, TRAIL).returncode == 2
    assert tfdrift(*given, "--by", "nobody", TRAIL).returncode == 0
    assert tfdrift("--min-severity", "grave", TRAIL).returncode == 1


def test_a_state_that_is_missing_is_an_error(library: Path) -> None:
    done = tfdrift("--library", library, "-s", "/no/such.tfstate", "--detailed-exitcode", TRAIL)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("tfdrift: error: 1 state could not be read; ")


def test_what_is_wrong_with_the_configuration_is_said_plainly(library: Path, tmp_path: Path) -> None:
    file = tmp_path / "falco.yaml"
    plugin = {"name": "tfdrift", "init_config": {"stat": ["a"], "data_dir": "${TFDRIFT_NO_SUCH}"}}
    file.write_text(f"# a comment may name ${{ANYTHING}}\nplugins: [{json.dumps(plugin)}]\n")
    done = tfdrift("--library", library, "-c", file, TRAIL)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"tfdrift: WARNING: {file}:2: ${{TFDRIFT_NO_SUCH}} is not set, so nothing stands in its place",
        "tfdrift: error: init_config.stat: unknown key; did you mean 'state'?",
    ]


def test_what_is_followed() -> None:
    sources = ["sqs://q", "s3://trail/x", "a.json", "s3://trail/y?follow=false", "nonsense://x"]
    reading = Reading.of("", config.load(json.dumps({"sources": sources})))
    assert reading == Reading(["a.json"], ["sqs://q", "s3://trail/x"], ["s3://trail/y?follow=false"])
    assert not reading.keeps_nothing
    once = Reading.of("/var/log/*.gz", config.Config())
    assert once == Reading(["/var/log/*.gz"], [], [])
    assert once.keeps_nothing


def test_a_run_on_a_queue_says_that_it_lives() -> None:
    pulse = Pulse(Reading((), ("sqs://q",)), True, 100.0)
    assert pulse.begins() == "following sqs://q; Ctrl-C ends it"
    assert list(pulse.due({"states": 0}, 0, 101.0)) == []
    loaded = {"states": 1, "state_resources": 2000, "records_read": 1, "open_drifts": 2}
    assert list(pulse.due(loaded, 0, 102.0)) == ["loaded 1 state with 2,000 resources"]
    assert list(pulse.due(loaded, 0, 100.0 + BEAT - 1)) == []
    [beat] = pulse.due(loaded, 3, 100.0 + BEAT)
    assert beat == "alive: 1 record read, 3 alerts, 2 open; 1 state with 2,000 resources"
    assert list(pulse.due(loaded, 3, 101.0 + BEAT)) == []


def test_where_nobody_looks_it_does_not_tell_every_minute() -> None:
    pulse = Pulse(Reading((), ("sqs://q",)), False, 0.0)
    assert list(pulse.due({"states_failing": 1}, 0, BEAT)) == [
        "loaded 0 states with 0 resources; 1 state cannot be read"
    ]


def test_many_files_have_a_bar_below_the_alerts(library: Path, tmp_path: Path) -> None:
    for number in range(3):
        for file in TRAIL.iterdir():
            (tmp_path / f"{number}-{file.name}").write_bytes(file.read_bytes())
    seen = on_a_terminal("--library", library, "-s", STATES, tmp_path)
    assert "reading" in seen
    assert "files" in seen


def test_an_index_takes_one_value_of_a_list(library: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    output = "%ec2.imageids %ec2.imageids[0] %ec2.imageids[1] %ec2.imageid"
    rule = {"rule": "image", "desc": "d", "condition": "ec2.imageids[0] exists", "output": output, "priority": "INFO"}
    rules.write_text(json.dumps([{**rule, "source": "tfdrift"}]))
    done = tfdrift("--library", library, "-r", rules, "-s", STATES, TRAIL)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    images, first, second, alone = line.split()[-4:]
    assert (images, second, alone) == (first, "<NA>", first.strip("()"))
