"""Refresh-only plans that real Terraform makes, after people and Terraform itself changed things at moto's server."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.drift.test_engine import TERRAFORM
from tests.judge import serializer, terraform
from tests.judge.terraform import Workspace
from tests.oracle import score
from tfdrift_core.blame.plan import Plan, PlanError, load
from tfdrift_core.blame.trace import Part, blame
from tfdrift_core.drift.classify.identity import identify
from tfdrift_core.records.record import Record

pytestmark = pytest.mark.slow

CONFIGURATION = """
resource "aws_sqs_queue" "orders" {
  name                       = "orders"
  visibility_timeout_seconds = 30
  delay_seconds              = 0
  tags                       = { Env = "prod" }
}
resource "aws_sqs_queue" "old" { name = "old" }
resource "aws_security_group" "web" {
  name        = "web"
  description = "web"
  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
}
"""


class People:
    """Makes calls as somebody, and logs them as CloudTrail does."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._session = boto3.Session("AKIAJUDGE00000000000", "judge", region_name="us-east-1")
        self.records: list[dict[str, Any]] = []

    def call(self, who: str, service: str, method: str, agent: str = "aws-cli/2.17", **parameters: Any) -> None:
        client = self._session.client(service, endpoint_url=self._endpoint)
        operation = client.meta.method_to_api_mapping[method]
        self.log(who, service, operation, parameters, getattr(client, method)(**parameters), agent)

    def log(
        self, who: str, service: str, operation: str, parameters: Mapping[str, Any], response: Mapping[str, Any],
        agent: str = "aws-cli/2.17",
    ) -> None:  # fmt: skip
        number = len(self.records)
        made = serializer.record(service, operation, parameters, response, number=number, scenario="blame")
        user = {"type": "IAMUser", "userName": who, "accountId": serializer.ACCOUNT}
        arn = {"arn": f"arn:aws:iam::{serializer.ACCOUNT}:user/{who}"}
        self.records.append({**made, "userIdentity": {**user, **arn}, "userAgent": agent})


@pytest.fixture(scope="module")
def drift(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, list[dict[str, Any]], Path]:
    """A plan, and what was logged before it."""
    terraform.command()
    terraform.provider()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    directory = tmp_path_factory.mktemp("blame")
    (directory / "main.tf").write_text(CONFIGURATION)
    (directory / "provider.tf").write_text(terraform.provider_block(f"http://{host}:{port}"))
    work, people = Workspace(directory), People(f"http://{host}:{port}")
    work.apply()
    known = {r["name"]: r["instances"][0]["attributes"] for r in work.state()["resources"]}
    url, group = known["orders"]["id"], known["web"]["id"]

    def queue(who: str, agent: str = "aws-cli/2.17", **attributes: str) -> None:
        people.call(who, "sqs", "set_queue_attributes", agent, QueueUrl=url, Attributes=attributes)

    def rule(who: str, port: int, method: str = "authorize_security_group_ingress") -> None:
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        people.call(who, "ec2", method, GroupId=group, IpPermissions=[permission])

    # One of them sets it, another one, and the first one sets it back.
    for who, seconds in (("ann", "60"), ("ben", "90"), ("ann", "60")):
        queue(who, VisibilityTimeout=seconds)
    # Terraform in between: what it puts back is changed again by somebody else.
    queue("ann", DelaySeconds="5")
    work.run("apply", "-auto-approve", "-input=false", "-no-color", "-target=aws_sqs_queue.orders")
    reset = {"DelaySeconds": "0", "VisibilityTimeout": "30"}
    people.log("ci", "sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": reset}, {}, TERRAFORM)
    queue("ben", DelaySeconds="7")
    for who, seconds in (("ann", "60"), ("ben", "90"), ("ann", "60")):
        queue(who, VisibilityTimeout=seconds)
    # Two people on two rules of one group, one of whom also adds one and takes it away.
    rule("ann", 22)
    rule("ben", 8080)
    rule("ben", 9090)
    rule("ben", 9090, "revoke_security_group_ingress")
    people.call("ann", "sqs", "tag_queue", QueueUrl=url, Tags={"Owner": "ann", "Env": "dev"})
    people.call("ben", "sqs", "tag_queue", QueueUrl=url, Tags={"Env": "qa"})
    people.call("ben", "sqs", "delete_queue", QueueUrl=known["old"]["id"])
    # Nobody logs this one.
    boto3.client(
        "sqs", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id="AKIAJUDGE00000000000", aws_secret_access_key="judge",
    ).set_queue_attributes(QueueUrl=url, Attributes={"ReceiveMessageWaitTimeSeconds": "9"})  # fmt: skip
    work.run("plan", "-refresh-only", "-input=false", "-no-color", "-out=drift.plan")
    (directory / "plan.json").write_text(work.run("show", "-json", "drift.plan"), encoding="utf-8")
    server.stop()
    return load(directory / "plan.json"), people.records, directory


def told(parts: list[Part]) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Address and path or element to who it was, with which call, and the reason."""
    found = {}
    for part in parts:
        element = json.loads(part.element[2:]) if part.element[2:3] == "{" else {}
        port = f" {part.element[:1]}{element['from_port']}" if element else ""
        record = part.cause.record if part.cause is not None else Record({})
        who = identify(record).user if part.cause is not None else ""
        found[part.drifted.instance.address, f"{part.path}{port}"] = (who, record.event_name, part.reason)
    return found


NOT_LOGGED = "no record since 2026-01-05 names it: older than that, or made by AWS itself"
WANTED = {
    ("aws_sqs_queue.orders", "visibility_timeout_seconds"): ("ann", "SetQueueAttributes", ""),
    ("aws_sqs_queue.orders", "delay_seconds"): ("ben", "SetQueueAttributes", ""),
    ("aws_sqs_queue.orders", "receive_wait_time_seconds"): ("", "", NOT_LOGGED),
    ("aws_sqs_queue.orders", "tags.Env"): ("ben", "TagQueue", ""),
    ("aws_sqs_queue.orders", "tags.Owner"): ("ann", "TagQueue", ""),
    ("aws_sqs_queue.orders", "tags_all.Env"): ("ben", "TagQueue", ""),
    ("aws_sqs_queue.orders", "tags_all.Owner"): ("ann", "TagQueue", ""),
    ("aws_sqs_queue.old", ""): ("ben", "DeleteQueue", ""),
    ("aws_security_group.web", "ingress +22"): ("ann", "AuthorizeSecurityGroupIngress", ""),
    ("aws_security_group.web", "ingress +8080"): ("ben", "AuthorizeSecurityGroupIngress", ""),
}


def test_every_drift_leads_to_who_made_it(drift: tuple[Plan, list[dict[str, Any]], Path]) -> None:
    plan, raws, _ = drift
    noise = [raw for scenario in score.SUITES["judge"].scenarios[::9] for raw in scenario["records"]]
    parts = blame(plan, [Record(raw) for raw in (*noise, *raws)], score.catalog(), "2026-01-05")
    assert told(list(parts)) == WANTED
    back = next(part for part in parts if part.path == "visibility_timeout_seconds")
    assert [identify(step.record).user for step in back.history] == ["ann", "ben", "ann", "ci", "ann", "ben", "ann"]


def test_terraforms_own_plan_file_and_state_are_told_apart(drift: tuple[Plan, list[dict[str, Any]], Path]) -> None:
    directory = drift[2]
    with pytest.raises(
        PlanError, match=r"is a plan in Terraform's own form; write: terraform show -json .*drift\.plan >"
    ):
        load(directory / "drift.plan")
    with pytest.raises(PlanError, match="is a state; make a plan with: terraform plan -refresh-only"):
        load(directory / "terraform.tfstate")
    (directory / "shown.json").write_text(terraform.run(directory, "show", "-json"), encoding="utf-8")
    with pytest.raises(PlanError, match="is a state; make a plan with: terraform plan -refresh-only"):
        load(directory / "shown.json")
