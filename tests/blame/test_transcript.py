"""What the documentation shows is what the command prints."""

import json
import re
from pathlib import Path

import pytest

from tfdrift_core.cli import main

ROOT = Path(__file__).parents[2]
EXPECTED = json.loads((ROOT / "examples" / "expected.json").read_text(encoding="utf-8"))
TRANSCRIPT = re.compile(r"^\$ tfdrift (.+)\n((?:.*\n)*?)```", re.MULTILINE)


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "examples")


def test_the_transcript(capsys: pytest.CaptureFixture[str]) -> None:
    shown = TRANSCRIPT.findall((ROOT / "docs" / "blame.md").read_text(encoding="utf-8"))
    assert shown
    for command, output in shown:
        assert main(command.split()) == 0
        assert capsys.readouterr().out == output


def test_the_examples_lead_to_the_people_of_the_day(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["blame", "plans/app.json", "plans/network.json", "--source", "trail", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {(row["tf.address"], row.get("drift.path", "")): row.get("drift.user") for row in rows}
    wanted = {(item["address"], item["path"]): item["user"] for item in EXPECTED if item["kind"] != "unmanaged"}
    assert wanted.items() <= found.items()


def test_a_report_of_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["blame", "plans/network.json", "--source", "trail", "--json"]) == 0
    lines = tmp_path / "lines.json"
    lines.write_text(capsys.readouterr().out)
    assert main(["report", str(lines), "-f", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "aws_security_group.web" in out
    assert "dev-taro" in out
    assert "enable_dns_hostnames" in out
