"""A configuration that real Terraform applied to moto, for its drift to be verified."""

import json
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from tests.drift.test_engine import record
from tests.judge import moto, terraform
from tfdrift_core.cli import main
from tfdrift_core.records.record import Record

CONFIGURATION = """
resource "aws_sqs_queue" "orders" {
  for_each                   = toset(["a", "b c"])
  name                       = "orders-${replace(each.key, " ", "")}"
  visibility_timeout_seconds = 30
  tags                       = { Env = "prod" }
}
resource "aws_ssm_parameter" "secret" {
  name  = "/db/password"
  type  = "SecureString"
  value = "hunter-two-2"
}
resource "aws_sns_topic" "news" {
  name = "news"
}
"""
A, B = 'aws_sqs_queue.orders["a"]', 'aws_sqs_queue.orders["b c"]'
ACCOUNT, REGION = "123456789012", "us-east-1"


@dataclass
class Account:
    """Moto's account, and the directory of the configuration that it was applied from."""

    directory: Path
    url: str

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # the name is not literal
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="y"
        )

    def call(self, name: str, request: dict[str, Any], source: str = "sqs", **members: Any) -> Record:
        """The record of a call, as CloudTrail logs it."""
        place = {"awsRegion": REGION, "recipientAccountId": ACCOUNT, "eventSource": f"{source}.amazonaws.com"}
        return record(name, request, **place, **members)

    def timeout(self, name: str, seconds: int) -> Record:
        """Changes a queue; the record of that."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
        known = next(queue["id"] for queue in self.queues() if queue["name"] == name)
        return self.call("SetQueueAttributes", {"queueUrl": known, "attributes": {"VisibilityTimeout": str(seconds)}})

    def queues(self) -> list[dict[str, Any]]:
        state = json.loads((self.directory / "terraform.tfstate").read_text())
        return [i["attributes"] for r in state["resources"] if r["type"] == "aws_sqs_queue" for i in r["instances"]]


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with moto.serving(moto.free_port()) as url:
        yield url


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terraform under its own name on PATH, whatever it is here."""
    programs = tmp_path / "programs"
    programs.mkdir()
    shim = programs / "terraform"
    shim.write_text(f'#!/bin/sh\nexec {shlex.join(terraform.command())} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(terraform.REPO))


@pytest.fixture
def account(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Account:
    requests.post(f"{endpoint}/moto-api/reset", timeout=60)
    for name, value in terraform.environment(terraform.EARLY).items():
        monkeypatch.setenv(name, value)
    request.getfixturevalue("on_path")
    directory = tmp_path / "infra" / "app"
    directory.mkdir(parents=True)
    (directory / "main.tf").write_text(terraform.provider_block(endpoint) + CONFIGURATION)
    terraform.Workspace(directory).apply()
    return Account(directory, endpoint)


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["verify", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
