"""``tfdrift coverage`` and the page it writes."""

import json
from pathlib import Path

import pytest

from tfdrift_core.cli import coverage, main
from tfdrift_core.drift.change.catalog import Catalog, load, parse

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
SMALL = """
service: demo
events:
  CreateThing:
    - {type: aws_sqs_queue, match: {name: request.name}, create: {id: response.id}}
  UpdateThing:
    - type: [aws_sqs_queue, aws_sns_topic]
      match: {name: request.name}
      from: request
      rename: {size: max_message_size, name: null, a.b: c}
      set: {policy: request.policy}
      tags: {put: request.tags}
  GuessThing:
    - {type: aws_sqs_queue, match: {name: request.name}, set: {policy: request.policy}, inferred: true}
  TouchThing:
    - {type: aws_sqs_queue, match: {name: request.name}}
ignored:
  Nothing to see: [ReadThing]
"""


def test_the_numbers_that_we_promise(capsys: pytest.CaptureFixture[str]) -> None:
    table = coverage.rows(load())
    summary = coverage.summarize(table)
    assert summary.resolved >= 600
    assert summary.attributes >= 350
    assert main(["coverage", "--summary"]) == 0
    printed = capsys.readouterr().out
    print(printed)
    assert f"calls resolved  {summary.resolved:>6}" in printed
    assert f"  exact         {summary.exact:>6}  {summary.attributes} of them to attributes" in printed


def test_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == coverage.markdown(coverage.rows(load())), (
        "docs/coverage.md is not what the catalog says: run `tfdrift coverage --markdown`"
    )


def test_rows_of_a_small_catalog() -> None:
    table = {row.event: row for row in coverage.rows(Catalog(parse(SMALL, "small")))}
    assert table["CreateThing"].attributes == ("(created)",)
    assert table["UpdateThing"].types == ("aws_sqs_queue", "aws_sns_topic")
    assert table["UpdateThing"].attributes == ("policy", "max_message_size", "(by name)", "tags")
    assert {name: row.how for name, row in table.items()} == {
        "CreateThing": "exact",
        "UpdateThing": "exact",
        "GuessThing": "inferred",
        "TouchThing": "inferred",
        "ReadThing": "ignored",
    }
    assert table["ReadThing"].reason == "Nothing to see"


def test_summary_of_a_small_catalog() -> None:
    assert coverage.summarize(coverage.rows(Catalog(parse(SMALL, "small")))) == coverage.Summary(
        services=1, resource_types=2, resolved=4, exact=2, attributes=1, inferred=2, ignored=1
    )


def test_two_event_sources_are_one_call() -> None:
    text = SMALL.replace("service: demo", "service: demo\nevent_sources: [a.amazonaws.com, b.amazonaws.com]")
    assert len(coverage.rows(Catalog(parse(text, "small")))) == 5


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--json", "--service", "sqs"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["summary"]["services"] == 1
    assert {"TagQueue", "SendMessage"} <= {row["event"] for row in document["events"]}


def test_own_catalog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(SMALL)
    assert main(["coverage", "--catalog", str(file), "--service", "demo"]) == 0
    assert "UpdateThing  exact" in capsys.readouterr().out


def test_markdown(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert main(["coverage", "--markdown", str(page), "--service", "kinesis"]) == 0
    assert "## kinesis" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--service", "sqss"], "no service sqss; there are "),
        (["--catalog", "/nowhere.yaml"], "catalog /nowhere.yaml: "),
        (["--markdown", "/nowhere/page.md"], "cannot write /nowhere/page.md: No such file or directory"),
    ],
)
def test_errors(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", *arguments]) == 1
    assert message in capsys.readouterr().err
