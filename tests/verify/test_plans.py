"""``baseline:`` by plans of real Terraform."""

import json
import threading
from pathlib import Path

import pytest

from tests.judge import terraform
from tests.test_pipeline import Reader, Script, configured
from tests.verify.conftest import A, Account, B
from tfdrift_core.cli import main
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.delivery.tracked import Tracked
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.pipeline import Pipeline

pytestmark = pytest.mark.slow


def play(account: Account, plan: Path, tmp_path: Path) -> list[DriftEvent]:
    baseline = [{"url": str(plan), "history": 0}]
    config = configured(account.directory / "terraform.tfstate", data_dir=str(tmp_path / "data"), baseline=baseline)
    pipeline, sink = Pipeline(config, baseline=True), Reader()
    pipeline._source = Tracked(lambda: Script([None]), Ledger(config.data_dir))
    pipeline.run(sink, threading.Event())
    pipeline.close()
    return sink.events


def told(events: list[DriftEvent]) -> list[tuple[str, str, str, str | None, str]]:
    found = [(e.kind.value, e.resource.address, e.path, e.new_value, str(e.resolution)) for e in events]
    return sorted(found)


def test_a_night_and_the_next(account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace, plan = terraform.Workspace(account.directory), tmp_path / "plan.json"

    def planned(*arguments: str) -> None:
        workspace.run("plan", "-refresh-only", "-lock=false", "-input=false", "-out=drift.plan", *arguments)
        plan.write_text(workspace.run("show", "-json", "drift.plan"))

    account.timeout("orders-a", 60)
    account.timeout("orders-bc", 90)
    ssm = account.client("ssm")
    ssm.put_parameter(Name="/db/password", Type="SecureString", Value="hunter-three-3", Overwrite=True)
    sns = account.client("sns")
    sns.delete_topic(TopicArn=sns.list_topics()["Topics"][0]["TopicArn"])
    planned()
    events = play(account, plan, tmp_path)
    assert told(events) == [
        ("deleted", "aws_sns_topic.news", "", None, "None"),
        ("modified", A, "visibility_timeout_seconds", "60", "None"),
        ("modified", B, "visibility_timeout_seconds", "90", "None"),
        ("modified", "aws_ssm_parameter.secret", "value", "(sensitive)", "None"),
    ]
    assert {event.confidence.value for event in events} == {"verified"}
    assert "hunter" not in repr([event.new_value for event in events])
    kept = (tmp_path / "data" / "ledger.sqlite").read_bytes()
    assert b"hunter" not in kept

    account.timeout("orders-a", 30)
    account.timeout("orders-bc", 30)
    planned(f"-target={A}")
    assert play(account, plan, tmp_path) == [], "a plan with -target ends nothing"
    planned()
    assert told(play(account, plan, tmp_path)) == [
        ("resolved", A, "visibility_timeout_seconds", "60", "gone"),
        ("resolved", B, "visibility_timeout_seconds", "90", "gone"),
    ]

    configuration = tmp_path / "init_config.yaml"
    configuration.write_text(json.dumps({"baseline": [str(plan)], "state": [str(account.directory)]}))
    main(["doctor", "-c", str(configuration), "--no-plugin"])
    assert f"baseline {plan}: the newest of 1 is {plan}: 2 of 4 resources have drifted" in capsys.readouterr().out
