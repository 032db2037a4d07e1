"""``tfdrift open``: what is open, asked while the pipeline uses the same directory."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drift.test_engine import timeout
from tests.test_pipeline import LATER, Reader, Script, configured, run, write
from tfdrift_core.cli import main
from tfdrift_core.delivery.ledger import Ledger

Open = Callable[..., tuple[int, str, str]]
RULES = """
- rule: Queue changed
  desc: A queue is not as Terraform wants it
  condition: drift.kind = "modified" and tf.type = "aws_sqs_queue"
  output: "%drift.path"
  priority: CRITICAL
  source: tfdrift
"""


@pytest.fixture
def drifted(tmp_path: Path) -> Path:
    """A ``data_dir`` in which one drift is open."""
    state = tmp_path / "terraform.tfstate"
    write(state)
    run(configured(state, data_dir=str(tmp_path / "data")), Script([[timeout(60)]]), Reader())
    return tmp_path / "data"


@pytest.fixture
def opened(drifted: Path, capsys: pytest.CaptureFixture[str]) -> Open:
    def ask(*arguments: str) -> tuple[int, str, str]:
        code = main(["open", *arguments, "--data-dir", str(drifted)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return ask


def drift_id(opened: Open) -> str:
    return str(json.loads(opened("--json")[1])["drift.id"])


def test_a_table_and_lines_of_json(opened: Open) -> None:
    code, out, _ = opened()
    assert code == 0
    for part in ("aws_sqs_queue.orders", "visibility_timeout_seconds", "30 → 60", "mio"):
        assert part in out
    code, out, _ = opened("--json", "--exit-code")
    assert code == 2
    event = json.loads(out)
    assert (event["drift.kind"], event["drift.old_value"], event["drift.new_value"]) == ("modified", "30", "60")
    assert event["drift.user"] == "mio"


def test_it_reads_while_the_pipeline_holds_the_directory(opened: Open, drifted: Path) -> None:
    ledger = Ledger(str(drifted))
    try:
        assert opened("--exit-code")[0] == 2
        assert opened("ack", drift_id(opened), "--reason", "known")[0] == 0
        assert ledger.silenced()
    finally:
        ledger.close()


def test_showing_takes_nothing_away(opened: Open) -> None:
    assert drift_id(opened) == drift_id(opened)
    assert opened("--exit-code")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--type", "aws_sqs_queue"), True),
        (("--type", "aws_instance"), False),
        (("--account", "111122223333"), True),
        (("--account", "999999999999"), False),
        (("--by", "mio"), True),
        (("--by", "kim"), False),
        (("--since", "2026-01-01"), True),
        (("--since", "2030-01-01"), False),
    ],
)
def test_filters(opened: Open, arguments: tuple[str, ...], shown: bool) -> None:
    code, out, _ = opened(*arguments, "--exit-code")
    assert (code == 2) is shown
    assert ("Nothing is open" in out) is not shown


def test_the_severity_that_rules_give(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    assert json.loads(opened("--json", "--rules", str(tmp_path / "rules.yaml"))[1])["severity"] == "Critical"
    assert "Critical" in opened("--rules", str(tmp_path / "rules.yaml"))[1]


def test_acknowledged_is_shown_and_can_be_withdrawn(opened: Open) -> None:
    id = drift_id(opened)
    assert opened("ack", id[:8], "--reason", "load test", "--until", "2999-01-01")[0] == 0
    event = json.loads(opened("--json")[1])
    assert event["acknowledged"]["reason"] == "load test"
    assert "load test" in opened()[1]
    assert opened("unack", id)[0] == 0
    assert "acknowledged" not in json.loads(opened("--json")[1])
    code, _, err = opened("unack", id)
    assert (code, "was not acknowledged" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ack", "nothing", "--reason", "x"), "no open drift has this id"),
        (("ack",), "no open drift has this id"),
        (("--since", "soon"), "'soon' is not a time"),
    ],
)
def test_what_is_wrong_is_said(opened: Open, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = opened(*arguments)
    assert (code, message in err) == (1, True)


def test_a_directory_without_a_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open", "--data-dir", str(tmp_path)]) == 1
    assert "check data_dir" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_open_once_it_was_put_back(drifted: Path, opened: Open, tmp_path: Path) -> None:
    sink = Reader()
    config = configured(tmp_path / "terraform.tfstate", data_dir=str(drifted))
    pipeline = run(config, Script([[timeout(30)]]), sink, now=LATER)
    assert [event.resolution for event in sink.events] == ["reverted"]
    assert pipeline.metrics.counters()["resolved_reverted"] == 1
    assert pipeline.metrics.gauges()["open_drifts"] == 1, "looked at before the batch"
    assert opened("--exit-code") == (0, "Nothing is open.\n", "")


def test_files_that_are_read_once_keep_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Ledger(str(tmp_path)).close()
    file = tmp_path / "init_config.yaml"
    file.write_text(json.dumps({"data_dir": str(tmp_path), "sources": ["/var/log/trail/"]}))
    assert main(["open", "-c", str(file)]) == 0
    assert "/var/log/trail/: files are read from their beginning each time, so nothing is kept" in caplog.text
    caplog.clear()
    file.write_text(json.dumps({"data_dir": str(tmp_path), "sources": ["/var/log/trail/", "sqs://q"]}))
    assert main(["open", "-c", str(file)]) == 0
    assert caplog.text == ""
    assert capsys.readouterr().out == "Nothing is open.\n" * 2
