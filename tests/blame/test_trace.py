"""Which of several calls gave a drifted attribute its value."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.blame.test_blame import SINCE, document, found, plan, tag
from tests.drift.test_engine import TERRAFORM, URL, record, timeout
from tfdrift_core.blame import trace
from tfdrift_core.blame.plan import parse
from tfdrift_core.drift.batch import Batch
from tfdrift_core.drift.change.catalog import load as load_catalog
from tfdrift_core.records.record import Record

LAMBDA = "arn:aws:lambda:eu-central-1:111122223333:function:mail"
GROUP = "sg-0a1b2c3d"


def made(type: str, before: dict[str, Any], after: dict[str, Any], records: Sequence[Record]) -> list[tuple[str, ...]]:
    """Element or path, the id of the record behind it, and the reason."""
    change = {"actions": ["update"], "before": before, "after": {**before, **after}}
    drift = {"address": f"{type}.x", "mode": "managed", "type": type, "name": "x", "change": change}
    document = {"format_version": "1.2", "resource_drift": [{**drift, "provider_name": "aws"}]}
    parts = trace.blame(parse(json.dumps(document).encode(), "p"), records, load_catalog(), SINCE)
    return [(part.element or part.path, part.cause.record.id if part.cause else "", part.reason) for part in parts]


def rule(port: int, cidr: str) -> dict[str, Any]:
    unset: dict[str, Any] = {"ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": []}
    return {**unset, "cidr_blocks": [cidr], "description": "", "from_port": port, "to_port": port,
            "protocol": "tcp", "self": False}  # fmt: skip


def ingress(call: str, port: int, cidr: str) -> Record:
    ranges = {"items": [{"cidrIp": cidr}]}
    permission = {"ipProtocol": "tcp", "fromPort": port, "toPort": port, "ipRanges": ranges}
    return record(
        f"{call}SecurityGroupIngress",
        {"groupId": GROUP, "ipPermissions": {"items": [permission]}},
        eventSource="ec2.amazonaws.com",
    )


def group(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"id": GROUP, "name": "web", "arn": "arn:aws:ec2:eu-central-1:111122223333:security-group/sg-0a1b2c3d",
            "description": "web", "egress": [], "ingress": list(rules), "tags": {}, "tags_all": {}}  # fmt: skip


def test_two_people_on_two_rules_of_one_group() -> None:
    one, two, three = (
        ingress("Authorize", 22, "203.0.113.7/32"),
        ingress("Authorize", 8080, "0.0.0.0/0"),
        ingress("Revoke", 443, "10.0.0.0/8"),
    )
    after = {"ingress": [rule(22, "203.0.113.7/32"), rule(8080, "0.0.0.0/0")]}
    parts = made("aws_security_group", group(rule(443, "10.0.0.0/8")), after, [three, two, one])
    assert [(element[0], "22" in element, id, reason) for element, id, reason in parts] == [
        ("+", True, one.id, ""),
        ("+", False, two.id, ""),
        ("-", False, three.id, ""),
    ]


def test_a_rule_that_was_made_removed_and_made_again() -> None:
    calls = [ingress(call, 22, "0.0.0.0/0") for call in ("Authorize", "Revoke", "Authorize")]
    ((_, id, reason),) = made("aws_security_group", group(), {"ingress": [rule(22, "0.0.0.0/0")]}, calls)
    assert (id, reason) == (calls[2].id, "")


def test_the_first_of_two_calls_that_set_one_value_gave_it() -> None:
    one, two = timeout(60), timeout(60)
    assert found({"visibility_timeout_seconds": 60}, [one, two]) == [("visibility_timeout_seconds", one.id, "")]


def test_a_run_of_terraform_in_between() -> None:
    one, run, two = timeout(90), timeout(45, agent=TERRAFORM), timeout(90)
    assert found({"visibility_timeout_seconds": 90}, [one, run, two]) == [("visibility_timeout_seconds", two.id, "")]
    ((_, id, reason),) = found({"visibility_timeout_seconds": 90}, [one, run])
    assert (id, reason) == (run.id, trace.OTHER)


def test_what_came_behind_a_call_that_put_it_back() -> None:
    one, back = timeout(60), timeout(30)
    ((_, id, reason),) = found({"visibility_timeout_seconds": 60}, [one, back])
    assert (id, reason) == (back.id, trace.OTHER)


def environment(**members: Any) -> Record:
    hidden = {"functionName": "mail", "environment": {}, **members}
    return record("UpdateFunctionConfiguration20150331v2", hidden, eventSource="lambda.amazonaws.com")


def test_of_calls_whose_value_is_masked_the_last_is_named() -> None:
    function = {"id": "mail", "function_name": "mail", "arn": LAMBDA, "environment": [{"variables": {"MODE": "a"}}]}
    one, two = environment(), environment()
    after = {"environment": [{"variables": {"MODE": "b"}}]}
    assert made("aws_lambda_function", function, after, [one, two]) == [
        ("environment[0].variables.MODE", two.id, trace.MASKED)
    ]


def test_a_forged_record_does_not_hide_the_one_whose_id_it_has() -> None:
    real = timeout(60)
    forged = record("SetQueueAttributes", {"queueUrl": URL, "attributes": {"DelaySeconds": "5"}}, eventID=real.id)
    assert found({"visibility_timeout_seconds": 60}, [real, forged]) == [("visibility_timeout_seconds", real.id, "")]


def test_a_record_that_cannot_be_worked_out_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = timeout(60), tag(Env="dev")
    run = Batch.run

    def broken(self: Batch, records: Sequence[Record], unknown: str = "") -> Any:
        if records[0] is two:
            raise RuntimeError("a fault of ours")
        return run(self, records, unknown)

    monkeypatch.setattr(Batch, "run", broken)
    assert found({"visibility_timeout_seconds": 60}, [one, two]) == [("visibility_timeout_seconds", one.id, "")]
    assert two.id in caplog.text


def test_the_earlier_calls_are_told_where_none_is_the_cause() -> None:
    other = timeout(60)
    (part,) = trace.blame(plan({"visibility_timeout_seconds": 99}), [other], load_catalog(), SINCE)
    assert part.reason == trace.OTHER
    assert [step.record for step in part.history] == [other]


def test_the_region_of_a_resource_is_that_of_its_provider() -> None:
    """Two providers have queues of one name; no ARN tells the drifted one's region."""
    told = document({"visibility_timeout_seconds": 60}, arn="", id="orders", url="")
    told["configuration"] = {
        "provider_config": {
            "aws": {"name": "aws", "expressions": {"region": {"constant_value": "us-east-1"}}},
            "aws.eu": {"name": "aws", "alias": "eu", "expressions": {"region": {"references": ["var.place"]}}},
        },
        "root_module": {
            "module_calls": {
                "shop": {
                    "module": {"resources": [{"address": "aws_sqs_queue.orders", "provider_config_key": "aws.eu"}]}
                }
            }
        },
    }
    told["variables"] = {"place": {"value": "eu-central-1"}}
    (drifted,) = parse(json.dumps(told).encode(), "p").drifted
    assert drifted.instance.region == "eu-central-1"
    assert drifted.instance.address == "module.shop.aws_sqs_queue.orders[0]"
