"""``tfdrift run`` as a person types it, here with the stand-in plugin."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host import standin

RULES = """
- rule: first
  desc: d
  condition: t.n = 1
  output: "First (s=%t.s l=%t.l n=%t.n b=%t.b t=%t.t none=%t.o k=%t.arg[a.b])"
  priority: CRITICAL
  source: standin
  tags: [z, a]
- rule: second
  desc: d
  condition: t.n exists
  output: Second %toupper(t.s)
  priority: info
  source: standin
- rule: off
  desc: d
  condition: evt.num exists
  output: Off
  priority: DEBUG
  source: standin
  enabled: false
"""
EVENTS: list[standin.Event] = [
    {"t.s": "é", "t.l": ["x", "y"], "t.n": 1, "t.b": 1, "t.t": 2**63, "t.arg": ["a.b=deep"]},
    {"t.s": b"\xff", "t.n": 2},
    {},
]


SCRIPT = "import sys; from tfdrift_core.cli import main; sys.exit(main())"


def tfdrift(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, "run", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False, timeout=60,
        env={"TZ": "UTC", "FALCO_HOSTNAME": "here", **env},
    )  # fmt: skip


@pytest.fixture
def given(tmp_path: Path) -> tuple[str | Path, ...]:
    (tmp_path / "rules.yaml").write_text(RULES)
    events = standin.write(tmp_path / "events", EVENTS)
    return "--library", standin.library(), "--rules", tmp_path / "rules.yaml", events


def test_text(given: tuple[str | Path, ...]) -> None:
    done = tfdrift(*given)
    assert done.stdout.splitlines() == [
        "00:00:01.000000005: Critical First (s=é l=(x,y) n=1 b=true t=9223372036854775808 none=<NA> k=deep)",
        "00:00:02.000000005: Informational Second \udcff",
    ]
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "tfdrift: WARNING: hello from init",
        "Events detected: 2 (of 3 drift events)",
        "Rule counts by severity:",
        "   CRITICAL: 1",
        "   INFORMATIONAL: 1",
        "Triggered rules by rule name:",
        "   first: 1",
        "   second: 1",
    ]


def test_from_0_45_on_falco_escapes_what_a_terminal_would_obey(tmp_path: Path, given: tuple[str | Path, ...]) -> None:
    hostile = 'a\x1b[2J\n"b\\c\x7fé'
    events = standin.write(tmp_path / "hostile", [{"t.s": hostile, "t.n": 1}])
    for version, printed in (("0.44", hostile), ("0.45", 'a\\u001b[2J\\n\\"b\\\\c\x7fé')):
        done = tfdrift(*given[:4], events, "--falco-version", version)
        assert done.stdout.startswith(f"00:00:01.000000005: Critical First (s={printed} l=<NA> n=1 "), version
    said = json.loads(tfdrift(*given[:4], events, "--falco-version", "0.45", "--json").stdout)
    assert said["output_fields"]["t.s"] == hostile


def test_json(given: tuple[str | Path, ...]) -> None:
    done = tfdrift("--json", *given)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == {
        "hostname": "here",
        "output": "00:00:01.000000005: Critical First (s=é l=(x,y) n=1 b=true t=9223372036854775808 none=<NA> k=deep)",
        "output_fields": {
            "evt.time": 1000000005,
            "t.arg[a.b]": "deep",
            "t.b": True,
            "t.l": ["x", "y"],
            "t.n": 1,
            "t.o": None,
            "t.s": "é",
            "t.t": 2**63,
        },
        "priority": "Critical",
        "rule": "first",
        "source": "standin",
        "tags": ["a", "z"],
        "time": "1970-01-01T00:00:01.000000005Z",
    }
    assert second["output_fields"] == {"evt.time": 2000000005, "t.s": "\ufffd"}


def _falco(tmp_path: Path, given: tuple[str | Path, ...], **settings: object) -> tuple[str | Path, ...]:
    document = {"plugins": [{"name": "tfdrift"}], "rules_files": [str(given[3])], **settings}
    (tmp_path / "falco.yaml").write_text(json.dumps(document))
    return "--config", tmp_path / "falco.yaml", *given[:2], given[4]


def test_what_falco_appends_to_outputs(given: tuple[str | Path, ...], tmp_path: Path) -> None:
    entries = [
        {"match": {"source": "standin", "tags": ["a"]}, "extra_output": "on %t.n"},
        {"match": {"rule": "second"}, "extra_fields": ["t.n", {"both": "<%t.n>"}, {"t.b": "%t.b"}]},
        {"match": {"source": "syscall"}, "extra_output": "%nowhere.known"},
        {"match": {"tags": ["a", "missing"]}, "extra_output": "never"},
        {"extra_output": "for all"},
    ]
    done = tfdrift(*_falco(tmp_path, given, append_output=entries))
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == [
        "Critical First (s=é l=(x,y) n=1 b=true t=9223372036854775808 none=<NA> k=deep) on 1 for all",
        "Informational Second \udcff for all",
    ]
    _, second = map(json.loads, tfdrift("--json", *_falco(tmp_path, given, append_output=entries)).stdout.splitlines())
    fields = second["output_fields"]
    assert (fields["t.n"], fields["both"], fields["t.b"]) == (2, "<2>", "<NA>")


def test_what_cannot_be_appended_is_refused_as_by_falco(given: tuple[str | Path, ...], tmp_path: Path) -> None:
    done = tfdrift(*_falco(tmp_path, given, append_output=[{"extra_output": "%nowhere.known"}]))
    assert done.returncode == 1
    assert "LOAD_ERR_COMPILE_OUTPUT" in done.stderr
    done = tfdrift(*_falco(tmp_path, given, append_output={"extra_output": "x"}))
    assert "append_output is not a list" in done.stderr


def test_members_of_json_are_switched_as_in_falco(given: tuple[str | Path, ...], tmp_path: Path) -> None:
    usual = {"hostname", "priority", "rule", "source", "time"}
    for setting, members in (
        ({}, {"output", "output_fields", "tags"}),
        ({"json_include_output_property": False}, {"output_fields", "tags"}),
        ({"json_include_tags_property": False}, {"output", "output_fields"}),
        ({"json_include_output_fields_property": False}, {"output", "tags"}),
        ({"json_include_message_property": True}, {"output", "output_fields", "tags", "message"}),
    ):
        done = tfdrift(*_falco(tmp_path, given, json_output=True, **setting))
        first = json.loads(done.stdout.splitlines()[0])
        assert first.keys() == usual | members, setting
        if "message" in members:
            assert first["output"].endswith(f"Critical {first['message']}")


def test_a_setting_that_is_not_read_is_named(given: tuple[str | Path, ...], tmp_path: Path) -> None:
    done = tfdrift(*_falco(tmp_path, given, rules=[{"disable": {"rule": "first"}}], config_files=[]))
    assert "WARNING: rules is not read here" in done.stderr
    assert "config_files is not read" not in done.stderr


def test_every_matching_rule(given: tuple[str | Path, ...]) -> None:
    rules = [line.split()[2] for line in tfdrift("--all", *given).stdout.splitlines()]
    assert rules == ["First", "Second", "Second"]


def test_local_time(given: tuple[str | Path, ...]) -> None:
    assert tfdrift(*given, TZ="XXX-02:30").stdout.startswith("02:30:01.000000005: ")


@pytest.mark.parametrize("order", [signal.SIGINT, signal.SIGTERM])
def test_ends_in_good_order(given: tuple[str | Path, ...], tmp_path: Path, order: signal.Signals) -> None:
    (tmp_path / "config.yaml").write_text("do: waiting")
    # A job in the background inherits that SIGINT is ignored.
    tfdrift_run = [sys.executable, "-c", SCRIPT, "run", "--config", tmp_path / "config.yaml", *given]
    command = ["env", "--default-signal", *tfdrift_run]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(order)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"Events detected: " in errors
    assert b"Traceback" not in errors


def test_validate(given: tuple[str | Path, ...]) -> None:
    done = tfdrift("--validate", *given)
    assert (done.stdout, done.returncode) == ("", 0)
    assert done.stderr.splitlines()[-1] == "3 rules are valid"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--library", "/no/lib.so", "x"],
            "/no/lib.so does not exist: build it with 'tfdrift plugin build'",
        ),
        (["--library", "LIB", "--rules", "/no/rules.yaml", "x"], "tfdrift: error: no such rules file: /no/rules.yaml"),
        (
            ["--library", "LIB", "--rules", "RULES", "/no/events"],
            "could not open '/no/events': no such file",
        ),
        (
            ["--library", "LIB", "--rules", "RULES", "--state", "x", "y"],
            "properties are not allowed ('state' was",
        ),
        (
            ["--library", "LIB", "--config", "/no/falco.yaml", "x"],
            "/no/falco.yaml: No such file or directory",
        ),
        (["--library", "LIB", "--rules", "BAD", "x"], "bad.yaml:1:1: Rules content is not yaml array of objects"),
        (["--library", "LIB", "--config", "FALCO", "x"], "source standin in no file; not there: /nowhere.yaml"),
        (["--library", "LIB", "--rules", "OTHER", "x"], "no enabled rule for source standin in "),
    ],
)
def test_bad_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    files = {"RULES": RULES, "BAD": "a: b", "OTHER": RULES.replace("source: standin", "source: other")}
    files["FALCO"] = "plugins: [{name: tfdrift}]\nrules_files: [/nowhere.yaml]"
    names = {"LIB": str(standin.library())}
    for name, text in files.items():
        names[name] = str(tmp_path / f"{name.lower()}.yaml")
        Path(names[name]).write_text(text)
    done = tfdrift(*(names.get(argument, argument) for argument in arguments))
    assert (done.stdout, done.returncode) == ("", 1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
