"""Rows, JSON, CSV and the command; the page itself is tested in a browser."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notify.alerts import line
from tests.rules.example_day import EXAMPLES, alerts, events
from tfdrift_core.output.alert import parse
from tfdrift_core.report.render import to_csv, to_html, to_json
from tfdrift_core.report.rows import Row, rows

TFDRIFT = str(Path(sys.executable).with_name("tfdrift"))


def day() -> list[Row]:
    return rows(map(parse, alerts()))


def test_one_row_for_each_drift_in_the_order_of_time() -> None:
    found = day()
    assert len(found) == len(alerts())
    assert [row.time for row in found] == sorted(row.time for row in found)
    first = found[0]
    assert (first.resource, first.path, first.old, first.new) == (
        "module.web.aws_instance.app[0]",
        "instance_type",
        "t3.micro",
        "t3.small",
    )
    assert (first.user, first.console, first.place) == (
        "hanako.suzuki@example.com",
        "true",
        f"{Path('examples/infrastructure/app/web/main.tf').resolve()}:43",
    )


def test_of_one_drift_the_most_severe_alert_counts() -> None:
    (row,) = rows([parse(line("Warning")), parse(line("Critical")), parse(line("Error"))])
    assert row.priority == "Critical"


def test_a_replay_needs_no_rules() -> None:
    found = rows(parse(json.dumps(event)) for event in events())
    assert len(found) == len(events())
    assert {row.rule for row in found} == {
        "Managed resource changed",
        "Managed resource deleted",
        "Resource created outside Terraform",
    }


def test_json_and_csv_hold_the_same() -> None:
    found = day()
    from_json = json.loads(to_json(found))
    from_csv = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert len(from_json) == len(from_csv) == len(found)
    for one, other in zip(from_json, from_csv, strict=True):
        assert one["resource"] == other["resource"]
        assert "\n".join(one["added"]) == other["added"].removeprefix("'")


@pytest.mark.parametrize("value", ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1"])
def test_spreadsheets_run_nothing(value: str) -> None:
    text = to_csv(rows([parse(line(**{"drift.user": value}))]))
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["user"] == f"'{value}"


def test_the_page_loads_nothing_and_cannot_be_broken_out_of() -> None:
    hostile = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>"
    page = to_html(rows([parse(line(**{"drift.user": hostile, "drift.resource": hostile}))]))
    assert hostile not in page
    assert page.count("<script") == 2
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href|url\()\s*=?\s*[\"']?(?:https?:)?//", page.partition('<script id="data"')[0])


def test_the_page_of_nothing() -> None:
    assert '"rows": []' in to_html([])


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [TFDRIFT, "report", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(("suffix", "start"), [("html", "<!DOCTYPE html>"), ("json", "["), ("csv", "id,time,priority")])
def test_the_command_writes_what_the_name_says(suffix: str, start: str, tmp_path: Path) -> None:
    source, target = tmp_path / "alerts.jsonl", tmp_path / f"drift.{suffix}"
    source.write_text("\n".join(alerts()))
    done = run(str(source), "-o", str(target))
    assert (done.returncode, done.stdout) == (0, "")
    assert target.read_text().startswith(start)


def test_the_command_filters_and_reports_what_it_left_out() -> None:
    done = run("--format", "json", "--priority", "error", stdin="\n".join((*alerts(), "", "no alert", "{}")))
    assert done.returncode == 1
    assert {row["priority"] for row in json.loads(done.stdout)} == {"Critical", "Error"}
    assert re.search(r"left out 2 lines; the first is stdin:\d+: not JSON", done.stderr)


def test_the_command_without_a_file_or_with_half_a_character(tmp_path: Path) -> None:
    done = run(str(tmp_path / "none"))
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr
    assert "?" in run("--format", "json", stdin=line(**{"drift.user": "\ud800"})).stdout


def test_a_time_before_the_first_year_is_none() -> None:
    early = {**json.loads(line(**{"ct.time": "0001-01-01T00:00:00+10:00"})), "time": "0001-01-01T00:00:00+10:00"}
    done = run("--format", "json", stdin=json.dumps(early))
    assert done.returncode == 0, done.stderr
    assert [row["time"] for row in json.loads(done.stdout)] == [""]


def test_a_replay_flows_into_a_report(tmp_path: Path) -> None:
    states = [f"--state={path}" for path in sorted((EXAMPLES / "state").iterdir())]
    configs = [f"--config={path}" for path in sorted((EXAMPLES / "infrastructure").iterdir())]
    replay = [TFDRIFT, "replay", "--json", *states, *configs, str(EXAMPLES / "trail")]
    replayed = subprocess.run(replay, check=True, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    done = run("--format", "json", stdin=replayed.stdout)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == len(events())
