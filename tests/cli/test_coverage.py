"""``tfdrift coverage`` and the page it writes."""

import json
from pathlib import Path

import pytest

from tfdrift_core.cli import coverage, main
from tfdrift_core.drift.change.catalog import Catalog, load, parse

DOCS = Path(__file__).parents[2] / "docs"
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


def test_pages_are_current() -> None:
    catalog = load()
    made = coverage.pages(catalog, coverage.rows(catalog))
    assert {f"services/{page.name}" for page in (DOCS / "services").iterdir()} == made.keys() - {"coverage.md"}
    for name, text in made.items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, (
            f"docs/{name} is not what the catalog says: run `tfdrift coverage --markdown`"
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
    assert main(["coverage", "--markdown", str(tmp_path), "--service", "kinesis"]) == 0
    assert "(services/kinesis.md)" in (tmp_path / "coverage.md").read_text(encoding="utf-8")
    (page,) = (tmp_path / "services").iterdir()
    text = page.read_text(encoding="utf-8")
    assert "| DeleteStream | `aws_kinesis_stream`" in text
    assert "## Not seen" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--service", "sqss"], "no service sqss; there are "),
        (["--catalog", "/nowhere.yaml"], "catalog /nowhere.yaml: "),
        (["--markdown", "/nowhere"], "cannot write /nowhere/services: No such file or directory"),
    ],
)
def test_errors(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", *arguments]) == 1
    assert message in capsys.readouterr().err
