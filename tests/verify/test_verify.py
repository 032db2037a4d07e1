"""From open drift to Terraform's own word: real Terraform, the real provider, and moto's account."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.judge import terraform
from tests.test_pipeline import Reader, Script, configured, run
from tests.verify.conftest import A, Account, B, Command
from tfdrift_core.cli import main
from tfdrift_core.delivery.drifts import OpenDrift
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.drift.memory import openings_of

pytestmark = pytest.mark.slow


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


def test_what_is_open_is_confirmed_gone_and_more(
    account: Account, plugin: Plugin, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
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

    assert main(["open", "--data-dir", str(plugin.data), "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(s["tf.address"], s["drift.path"], s["drift.confidence"]) for s in shown} == {
        (A, "visibility_timeout_seconds", "verified"),
        ("aws_ssm_parameter.secret", "value", "verified"),
    }, "before the plugin takes it over"

    events = plugin.play(None)
    assert sorted((e.kind.value, e.path, e.confidence.value, str(e.resolution)) for e in events) == [
        ("modified", "delay_seconds", "verified", "None"),
        ("resolved", "visibility_timeout_seconds", "exact", "gone"),
    ]
    assert all("tfdrift verify's plan of" in e.reason for e in events)
    assert plugin.openings() == {
        (A, "visibility_timeout_seconds"): ("verified", "60"),
        (A, "delay_seconds"): ("verified", "7"),
        ("aws_ssm_parameter.secret", "value"): ("verified", "(sensitive)"),
    }
    assert OpenDrift(str(plugin.data)).verified() == []
    assert plugin.play(None) == [], "once"

    other = sqs.get_queue_url(QueueName="orders-bc")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=other, Attributes={"DelaySeconds": "9"})
    assert rows(command("-c", str(plugin.file), B, "--json")[1]) == [("more", B, "delay_seconds", "0", "9")]
    file = account.directory / "main.tf"
    ignoring = "lifecycle { ignore_changes = [delay_seconds] }\n  visibility_timeout_seconds"
    file.write_text(file.read_text().replace("visibility_timeout_seconds", ignoring, 1))
    code, out, _ = command("-c", str(plugin.file), B, "--json")
    assert (code, out) == (0, ""), "what others may change is no drift"
    code, out, _ = command("-c", str(plugin.file), "--open", "--json")
    assert {line[0] for line in rows(out)} == {"confirmed"}
    assert plugin.play(None) == []


# --- what may go wrong; Terraform's own terraform_data needs no provider and no account ---


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_path: None) -> Path:
    """An applied directory with one resource."""
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", os.devnull)
    directory = tmp_path / "plain"
    directory.mkdir()
    (directory / "main.tf").write_text('resource "terraform_data" "one" {\n  input = "x"\n}\n')
    for arguments in (("init", "-input=false"), ("apply", "-auto-approve", "-input=false")):
        subprocess.run([*terraform.command(), *arguments], cwd=directory, check=True, capture_output=True)
    return directory


def test_nothing_is_written_and_nothing_is_left(
    plain: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    before = {path: path.read_bytes() for path in plain.rglob("*") if path.is_file()}
    assert command("--config", str(plain), "terraform_data.one")[:2] == (0, "Terraform sees no drift.\n")
    assert {path: path.read_bytes() for path in plain.rglob("*") if path.is_file()} == before
    assert list(private.iterdir()) == []


@pytest.mark.parametrize(
    ("configuration", "arguments", "environment", "said"),
    [
        ("", ("terraform_data.two",), {}, "terraform_data.two: is not in the state of"),
        ("", ("terraform_data.one", "--workspace", "other"), {}, "workspace other is empty; another workspace?"),
        ("", ("terraform_data.one",), {"TF_WORKSPACE": "other"}, "terraform workspace list shows all"),
        ("", ("terraform_data.one",), {"PATH": ""}, "neither terraform nor tofu is on PATH"),
        ("", ("terraform_data.one", "--program", "nosuch"), {}, "nosuch: there is no such program"),
        ("", ("terraform_data.one", "--timeout", "0.001s"), {}, "took more than 0.001 s"),
        ("", ("a b; rm",), {}, "Invalid target"),
        ("", (), {}, "Name addresses, or --open"),
        ("", ("--open",), {}, "kept in data_dir, or store"),
        ('variable "v" {}\n', ("terraform_data.one",), {}, "TF_CLI_ARGS_plan=-var-file=FILE"),
        ('module "m" {\n  source = "./m"\n}\n', ("terraform_data.one",), {}, "run there: terraform init"),
        ('terraform {\n  backend "local" {\n    path = "x"\n  }\n}\n', ("terraform_data.one",), {}, "terraform init"),
        ("resource {", ("terraform_data.one",), {}, "failed: "),
    ],
)
def test_what_keeps_terraform_from_looking(
    plain: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    configuration: str,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    said: str,
) -> None:
    (plain / "more.tf").write_text(configuration)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, out, err = command("--config", str(plain), *arguments)
    assert code == 1
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


def test_nothing_is_open(plain: Path, tmp_path: Path, command: Command) -> None:
    Ledger(str(tmp_path / "data")).close()
    file = tmp_path / "init_config.yaml"
    file.write_text(json.dumps({"data_dir": str(tmp_path / "data"), "config": [str(plain)]}))
    assert command("-c", str(file), "--open", "--detailed-exitcode")[:2] == (0, "Nothing is open.\n")


def test_what_has_no_directory_keeps_nothing_else_from_being_verified(
    plain: Path, tmp_path: Path, command: Command
) -> None:
    file, other = tmp_path / "init_config.yaml", tmp_path / "other.tfstate"
    other.write_text((plain / "terraform.tfstate").read_text())
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "main.tf").write_text("")
    directories = [str(plain), str(tmp_path / "more")]
    file.write_text(json.dumps({"state": [str(other)], "config": directories}))
    code, out, err = command("-c", str(file), "terraform_data.one")
    assert (code, out) == (1, "")
    assert f"{other}: which directory is its configuration in?" in err
    assert len(err.splitlines()) == 1


def test_credentials_that_do_not_work(account: Account, command: Command) -> None:
    main = account.directory / "main.tf"
    main.write_text(main.read_text().replace("skip_credentials_validation = true", ""))
    main.write_text(main.read_text().replace(account.url, "http://127.0.0.1:9"))
    code, _, err = command("--config", str(account.directory), A)
    assert code == 1
    assert "it uses the credentials of your environment, as terraform plan does there" in err


def test_a_state_with_another_object_of_the_same_address(account: Account, plugin: Plugin, command: Command) -> None:
    plugin.play([account.timeout("orders-a", 60)])
    copy = plugin.file.parent / "older.tfstate"
    copy.write_text(plugin.state.read_text().replace("orders-a", "orders-x"))
    plugin.file.write_text(json.dumps({"state": [str(copy)], "config": [str(account.directory)]}))
    code, _, err = command("-c", str(plugin.file), A)
    assert code == 1
    assert "is another object in the state of" in err
