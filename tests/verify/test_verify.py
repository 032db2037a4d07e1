"""From open drift to Terraform's own word: real Terraform, the real provider, and moto's account."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.test_pipeline import Reader, Script, configured, run
from tests.verify.conftest import A, Account, B, Command
from tfdrift_core.delivery.drifts import OpenDrift
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.drift.memory import openings_of


def rows(out: str) -> list[tuple[str, str, str, str | None, str | None]]:
    found = [json.loads(line) for line in out.splitlines()]
    return [
        (r["result"], r["tf.address"], r.get("drift.path", ""), r.get("drift.old_value"), r.get("drift.new_value"))
        for r in found
    ]


def test_addresses_of_a_directory(account: Account, command: Command) -> None:
    account.timeout("orders-bc", 60)
    code, out, err = command("--config", str(account.directory), B, "--json", "--detailed-exitcode")
    assert (code, err) == (2, "")
    assert rows(out) == [("more", B, "visibility_timeout_seconds", "30", "60")]
    code, out, _ = command("--config", str(account.directory), A, "--detailed-exitcode")
    assert (code, out) == (0, "Terraform sees no drift.\n")


class Plugin:
    """What the running plugin does, with what it keeps."""

    def __init__(self, account: Account, tmp_path: Path) -> None:
        self.account, self.data = account, tmp_path / "data"
        self.settings = {"data_dir": str(self.data), "config": [str(account.directory)]}
        self.state = account.directory / "terraform.tfstate"
        self.file = tmp_path / "init_config.yaml"
        self.file.write_text(json.dumps({"state": [], **self.settings}))

    def play(self, *steps: Any) -> list[DriftEvent]:
        sink = Reader()
        run(configured(self.state, **self.settings), Script(list(steps)), sink)
        return sink.events

    def openings(self) -> dict[tuple[str, str], tuple[str, str | None]]:
        found = [o for _, data in OpenDrift(str(self.data)).documents() for o in openings_of(data)]
        return {(o.resource.address, o.path): (o.confidence.value, o.new_value) for o in found}


@pytest.fixture
def plugin(account: Account, tmp_path: Path) -> Plugin:
    return Plugin(account, tmp_path)


def test_what_is_open_is_confirmed_gone_and_more(account: Account, plugin: Plugin, command: Command) -> None:
    masked = account.call(
        "PutParameter",
        {"name": "/db/password", "type": "SecureString", "value": "HIDDEN_DUE_TO_SECURITY_REASONS", "overwrite": True},
        "ssm",
    )
    told = plugin.play([account.timeout("orders-a", 60), account.timeout("orders-bc", 90), masked])
    assert sorted(event.path for event in told) == ["value", "visibility_timeout_seconds", "visibility_timeout_seconds"]
    ssm = account.client("ssm")
    ssm.put_parameter(Name="/db/password", Type="SecureString", Value="hunter-three-3", Overwrite=True)
    account.timeout("orders-bc", 30)
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="orders-a")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "7"})

    code, out, err = command("-c", str(plugin.file), "--open", "--json", "--detailed-exitcode")
    assert (code, err) == (2, "")
    assert sorted(rows(out)) == [
        ("confirmed", A, "visibility_timeout_seconds", "30", "60"),
        ("filled", "aws_ssm_parameter.secret", "value", "(sensitive)", "(sensitive)"),
        ("gone", B, "visibility_timeout_seconds", "30", "90"),
        ("more", A, "delay_seconds", "0", "7"),
    ]
    assert "hunter" not in out
    assert not any(b"hunter" in data for _, data in OpenDrift(str(plugin.data)).verified())

    events = plugin.play(None)
    assert sorted((e.kind.value, e.path, e.confidence.value, str(e.resolution)) for e in events) == [
        ("modified", "delay_seconds", "verified", "None"),
        ("resolved", "visibility_timeout_seconds", "exact", "gone"),
    ]
    assert all("the plan that tfdrift verify made in" in e.reason for e in events)
    assert plugin.openings() == {
        (A, "visibility_timeout_seconds"): ("verified", "60"),
        (A, "delay_seconds"): ("verified", "7"),
        ("aws_ssm_parameter.secret", "value"): ("verified", "(sensitive)"),
    }
    assert OpenDrift(str(plugin.data)).verified() == []
    assert plugin.play(None) == [], "once"

    code, out, _ = command("-c", str(plugin.file), "--open", "--json")
    assert {line[0] for line in rows(out)} == {"confirmed"}
    assert plugin.play(None) == []
