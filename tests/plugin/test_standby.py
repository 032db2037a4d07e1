"""Two processes with one data_dir, as a rolling update of a deployment has them for a while."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.events import RECORD
from tests.host.test_command import SCRIPT
from tests.plugin.conftest import settings

RULE = """
- rule: any drift
  desc: any
  condition: drift.kind exists
  output: "new=%drift.new_value"
  priority: NOTICE
  source: tfdrift
"""
SECONDS = 60.0


class Run:
    """``tfdrift run``; what it prints is kept as it comes."""

    def __init__(self, *arguments: str | Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "run", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._text = ""
        self._more = threading.Condition()
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self._text += line
                self._more.notify_all()

    def prints(self, wanted: str) -> str:
        """Everything so far, once ``wanted`` is in it."""
        with self._more:
            assert self._more.wait_for(lambda: wanted in self._text, SECONDS), self._text
            return self._text

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    started: list[Run] = []
    yield started
    for run in started:
        run.kill()


def test_a_second_process_waits_and_goes_on_where_the_first_was_killed(
    library: Path, trail: Path, tmp_path: Path, runs: list[Run]
) -> None:
    follow, rules, config = tmp_path / "follow.jsonl", tmp_path / "rules.yaml", tmp_path / "config.yaml"
    rules.write_text(RULE)
    config.write_text(json.dumps({**json.loads(settings(trail)), "data_dir": str(tmp_path / "data"), "redeliver": 0}))
    arguments = ("--library", library, "-r", rules, "-c", config, f"file://{follow}?follow=true")

    def change(number: int) -> None:
        record = {
            **RECORD,
            "eventID": f"id-{number}",
            "requestParameters": {"instanceId": "i-0abc", "instanceType": {"value": f"t{number}.big"}},
        }
        with follow.open("a") as file:
            file.write(json.dumps(record) + "\n")

    change(1)
    runs.append(Run(*arguments))
    runs[0].prints("new=t1.big")
    runs.append(Run(*arguments))
    runs[1].prints(
        "is in use by another process; end that, or give each a directory of its own; until then nothing is read"
    )
    change(2)
    runs[0].prints("new=t2.big")
    runs[0].kill()
    change(3)
    printed = runs[1].prints("new=t3.big")
    assert "the data_dir can be used; reading begins" in printed
    assert "new=t1.big" not in printed
