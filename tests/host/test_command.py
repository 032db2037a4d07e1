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
        (["--library", "LIB", "--config", "FALCO", "x"], "no enabled rule for source standin in no file"),
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
