"""The Terraform files of ``deploy/aws``: applied against moto by real Terraform; then a call goes through."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.judge import terraform
from tests.trails import ids, record, take
from tfdrift_core.config import Aws, Config
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.delivery.shared import SharedStore
from tfdrift_core.metrics import Metrics
from tfdrift_core.permissions import GRANTS
from tfdrift_core.sources.open import open_source

pytestmark = pytest.mark.slow

Clients = Callable[..., Any]
DEPLOY = Path(__file__).parents[2] / "deploy" / "aws"


@pytest.fixture(autouse=True)
def available() -> None:
    terraform.provider()
    terraform.command()


def applied(folder: Path, moto_url: str, modules: str) -> dict[str, Any]:
    # Modules that name each other must lie within the configuration.
    shutil.copytree(DEPLOY, folder / "deploy")
    (folder / "main.tf").write_text(f"{terraform.provider_block(moto_url)}\n{modules}")
    terraform.run(folder, "get", "-no-color")
    terraform.run(folder, "validate", "-no-color")
    terraform.run(folder, "apply", "-auto-approve", "-input=false", "-no-color")
    found: dict[str, Any] = json.loads(terraform.run(folder, "output", "-json"))["all"]["value"]
    return found


def test_the_files_are_formatted() -> None:
    command = [*terraform.command(), "fmt", "-check", "-recursive", str(DEPLOY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stdout


def test_one_account_from_the_call_to_the_source(moto_url: str, client: Clients, tmp_path: Path) -> None:
    found = applied(
        tmp_path,
        moto_url,
        """
        module "account" {
          source             = "./deploy/account"
          trusted_principals = ["arn:aws:iam::123456789012:root"]
          external_id        = "x1"
          shared_store       = true
        }
        output "all" { value = module.account }
        """,
    )
    policy = json.loads(found["read_policy"])
    assert sorted(policy["Statement"][0]["Action"]) == sorted(GRANTS["queue"].actions)
    assert sorted(policy["Statement"][1]["Action"]) == sorted(GRANTS["store"].actions)
    store = SharedStore(found["store"], Aws(region="us-east-1", endpoint_url=moto_url))
    store.keep({("state", "aws_instance.web"): b"{}"}, 1)
    assert store.documents() == [(("state", "aws_instance.web"), b"{}")]
    assert found["role_arn"] == "arn:aws:iam::123456789012:role/tfdrift-falco"

    entry = {"Source": "aws.ec2", "DetailType": "AWS API Call via CloudTrail"}
    for number, read_only in enumerate((False, True, False)):
        detail = json.dumps(record(number, readOnly=read_only))
        client("events", "us-east-1").put_events(Entries=[entry | {"Detail": detail}])
    # What an application puts, and AWS would never let it call aws.ec2.
    forged = {"Source": "my.app", "DetailType": entry["DetailType"], "Detail": json.dumps(record("forged"))}
    client("events", "us-east-1").put_events(Entries=[forged])
    config = Config(aws=Aws(region="us-east-1", endpoint_url=moto_url))
    source = open_source(found["source"], config, Ledger(), Metrics())
    assert sorted(ids(take(source, 3, seconds=8))) == ["id-0", "id-2"]


def test_an_organization(moto_url: str, client: Clients, tmp_path: Path) -> None:
    found = applied(
        tmp_path,
        moto_url,
        """
        module "organization" {
          source          = "./deploy/organization"
          organization_id = "o-abc123def4"
          tags            = { team = "cloud" }
        }
        module "member" {
          source  = "./deploy/member"
          name    = "tfdrift-member"
          bus_arn = module.organization.bus_arn
        }
        output "all" { value = merge(module.organization, { member = module.member }) }
        """,
    )
    assert found["source"] == "sqs://arn:aws:sqs:us-east-1:123456789012:tfdrift"
    assert found["role_arn"] == ""
    dead, undelivered = (f"arn:aws:sqs:us-east-1:123456789012:{name}-dead" for name in ("tfdrift", "tfdrift-member"))
    assert (found["dead_letter_queue"], found["member"]["dead_letter_queue"]) == (dead, undelivered)
    assert dead_letter_queues(client) == {
        "default tfdrift queue": dead,
        "tfdrift tfdrift queue": dead,
        "default tfdrift-member bus": undelivered,
    }
    bus = client("events", "us-east-1").describe_event_bus(Name="tfdrift")
    assert json.loads(bus["Policy"])["Statement"][0]["Condition"] == {
        "StringEquals": {"aws:PrincipalOrgID": "o-abc123def4"}
    }


def dead_letter_queues(client: Clients) -> dict[str, str]:
    """Where each target's undelivered events go, by bus, rule and target; every queue lets the rule send to it."""
    events, sqs, found = client("events", "us-east-1"), client("sqs", "us-east-1"), {}
    for bus in ("default", "tfdrift"):
        for rule in events.list_rules(EventBusName=bus)["Rules"]:
            for target in events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]:
                arn = target["DeadLetterConfig"]["Arn"]
                found[f"{bus} {rule['Name']} {target['Id']}"] = arn
                url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
                policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
                condition = json.loads(policy)["Statement"][0]["Condition"]
                assert "123456789012" in condition["StringEquals"]["aws:SourceAccount"]
                senders = condition["ArnEquals"]["aws:SourceArn"]
                assert json.loads(rule["EventPattern"])["source"] == [{"prefix": "aws."}]
                assert rule["Arn"] in ([senders] if isinstance(senders, str) else senders)
    return found


def test_a_wrong_organization_id_is_refused(moto_url: str, tmp_path: Path) -> None:
    module = """
        module "organization" {
          source          = "./deploy/organization"
          organization_id = "123"
        }
        """
    with pytest.raises(terraform.TerraformError, match="The organization id looks like"):
        applied(tmp_path, moto_url, module)
