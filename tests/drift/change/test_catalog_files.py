"""Catalog files of the user: what may be wrong with them, and that they come first."""

from pathlib import Path

import pytest

from tests.drift.test_engine import record
from tfdrift_core.drift.change import catalog
from tfdrift_core.drift.change.catalog import CatalogError

MINE = """
service: mine
event_sources: [mine.amazonaws.com, sqs.amazonaws.com]
events:
  TagQueue:
    - type: aws_sqs_queue
      match: {id: request.queueUrl}
      set: {delay_seconds: request.delay}
"""


def test_a_users_file_goes_over_the_built_in_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    events = catalog.load([file]).events
    assert events["sqs.amazonaws.com", "TagQueue"].service == "mine"
    assert events["mine.amazonaws.com", "TagQueue"].service == "mine"
    assert events["sqs.amazonaws.com", "UntagQueue"].service == "sqs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("[]", "top level: [] is not of type 'object'"),
        ("service: x\nevnts: {}", "'evnts' was unexpected"),
        ("service: x\nevents: {A: [{}]}", "events/A/0: 'type' is a required property"),
        ("service: x\nevents: {A: [{type: t, delete: 1}]}", "events/A/0/delete"),
        ("service: x\nevents: {A: [{type: t, when: 'a..b'}]}", "'a..b' is not an expression"),
        ("service: x\nignored: {why: []}", "ignored/why"),
    ],
)
def test_messages(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(CatalogError, match=r"mine\.yaml") as caught:
        catalog.load([file])
    assert message in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"nope\.yaml: .*No such file"):
        catalog.load([tmp_path / "nope.yaml"])


def test_names_with_version_suffixes() -> None:
    events = catalog.load()
    versioned = record("UpdateFunctionConfiguration20150331v2", {}, eventSource="lambda.amazonaws.com")
    event = events.event(versioned)
    assert event is not None
    assert event.name == "UpdateFunctionConfiguration"
