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


def test_a_file_with_faults(tmp_path: Path) -> None:
    """All of them in one message, a line for each, for all files."""
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("service: x\nevnts: {}\nignored: {why: []}")
    second.write_text("a: [")
    with pytest.raises(CatalogError) as caught:
        catalog.load([first, second, tmp_path / "nope.yaml"])
    assert str(caught.value).splitlines() == [
        f"catalog {first}:2:1: unknown member 'evnts'; did you mean 'events'?",
        f"catalog {first}:3:16: empty",
        f"catalog {second}:2:1: not YAML: did not find expected node content",
        f"catalog {tmp_path / 'nope.yaml'}: No such file or directory; check the path",
    ]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"nope\.yaml: .*No such file"):
        catalog.load([tmp_path / "nope.yaml"])


def test_names_with_version_suffixes() -> None:
    events = catalog.load()
    versioned = record("UpdateFunctionConfiguration20150331v2", {}, eventSource="lambda.amazonaws.com")
    event = events.event(versioned)
    assert event is not None
    assert event.name == "UpdateFunctionConfiguration"
