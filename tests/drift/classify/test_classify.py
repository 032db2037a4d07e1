"""Whether a record is a change, and whether it was expected."""

from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.shared import corpus, least
from tfdrift_core import config
from tfdrift_core.config import ConfigError
from tfdrift_core.drift.classify.classify import Cause, Outcome, classify, expected_change
from tfdrift_core.drift.classify.expectations import Change, Expectations, Rule
from tfdrift_core.drift.event import Resource
from tfdrift_core.records.record import Record

from .test_identity import ACCOUNT, SSO_PATH, SSO_ROLE, session

ALICE = {
    "type": "IAMUser",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "accessKeyId": "AKIAEXAMPLE",
    "userName": "alice",
}
TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io) terraform-provider-aws/5.30.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.24.0 os/linux lang/go#1.21"
)
ANY = Expectations()


def record(identity: Any = ALICE, **more: Any) -> Record:
    base = {
        "eventVersion": "1.09",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "ModifyInstanceAttribute",
        "eventType": "AwsApiCall",
        "eventTime": "2024-05-01T12:00:00Z",
        "awsRegion": "eu-west-1",
        "recipientAccountId": ACCOUNT,
        "readOnly": False,
        "userAgent": "aws-cli/2.17.32",
        "sourceIPAddress": "192.0.2.1",
        "userIdentity": identity,
        "requestParameters": {"instanceId": "i-1", "instanceType": {"value": "t3.small"}},
        "responseElements": {"_return": True},
    }
    return Record(base | more)


def expect(**expected: Any) -> Expectations:
    return Expectations.parse(expected)


def test_a_person_s_change_is_a_change() -> None:
    verdict = classify(record(), ANY)
    assert (verdict.outcome, verdict.cause, verdict.reason) == (Outcome.CHANGE, Cause.NONE, "")


class TestNotAChange:
    @pytest.mark.parametrize(
        ("more", "cause"),
        [
            ({"readOnly": True}, Cause.READ_ONLY),
            ({"readOnly": "true"}, Cause.READ_ONLY),
            ({"eventName": "DescribeInstances", "readOnly": None}, Cause.READ_ONLY),
            ({"eventName": "ListWebACLs", "readOnly": False}, Cause.READ_ONLY),
            ({"eventName": "GetFunction20150331v2", "readOnly": None}, Cause.READ_ONLY),
            ({"errorCode": "AccessDenied"}, Cause.FAILED),
            ({"errorCode": "Client.UnauthorizedOperation"}, Cause.FAILED),
            ({"errorCode": 400}, Cause.FAILED),
            ({"errorCode": "Client.DryRunOperation"}, Cause.DRY_RUN),
            ({"requestParameters": {"functionName": "f", "dryRun": True}}, Cause.DRY_RUN),
            ({"requestParameters": {"CreateFlowLogsRequest": {"DryRun": True}}}, Cause.DRY_RUN),
            ({"eventType": "AwsConsoleSignIn", "eventName": "ConsoleLogin"}, Cause.NO_EFFECT),
            ({"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole"}, Cause.NO_EFFECT),
            ({"eventSource": "ssm.amazonaws.com", "eventName": "SendCommand"}, Cause.NO_EFFECT),
            ({"eventSource": "ssm.amazonaws.com", "eventName": "UpdateInstanceInformation"}, Cause.NO_EFFECT),
            ({"eventSource": "ecr.amazonaws.com", "eventName": "UploadLayerPart"}, Cause.NO_EFFECT),
            ({"eventSource": "logs.amazonaws.com", "eventName": "StartQuery"}, Cause.NO_EFFECT),
            ({"eventSource": "lambda.amazonaws.com", "eventName": "LambdaESMDisabled"}, Cause.NO_EFFECT),
            ({"eventSource": "backup.amazonaws.com", "eventName": "BackupJobStarted"}, Cause.NO_EFFECT),
        ],
    )
    def test_by_record(self, more: dict[str, Any], cause: Cause) -> None:
        verdict = classify(record(**more), ANY)
        assert (verdict.outcome, verdict.cause) == (Outcome.NOT_A_CHANGE, cause)
        assert verdict.reason

    @pytest.mark.parametrize(
        "more",
        [
            {"readOnly": None},
            {"readOnly": "false"},
            {"readOnly": 1},
            {"requestParameters": {"dryRun": False}},
            {"requestParameters": None},
            {"errorCode": None},
            {"errorCode": ""},
            {"eventName": "GettysburgAddress"},
            {"eventSource": "elasticache.amazonaws.com", "eventName": "TestFailover"},
        ],
    )
    def test_still_a_change(self, more: dict[str, Any]) -> None:
        assert classify(record(**more), ANY).outcome is Outcome.CHANGE

    def test_revoke_of_unknown_rules(self) -> None:
        rule = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
        asked = {"groupId": "sg-1", "ipPermissions": {"items": [rule]}}

        def revoke(response: Any, request: Any = asked) -> Outcome:
            return classify(
                record(eventName="RevokeSecurityGroupIngress", requestParameters=request, responseElements=response),
                ANY,
            ).outcome

        none = {"_return": True, "unknownIpPermissionSet": {"items": [rule]}}
        assert revoke(none) is Outcome.NOT_A_CHANGE
        short = {"groupId": "sg-1", "ipPermissions": {}, "ipProtocol": "tcp", "fromPort": 22, "cidrIp": "0.0.0.0/0"}
        assert revoke(none, short) is Outcome.NOT_A_CHANGE
        # An empty set, as one real record has it, and a part of the rules: something was revoked.
        assert revoke({"_return": True, "unknownIpPermissionSet": {}}) is Outcome.CHANGE
        assert revoke(none, {**asked, "ipPermissions": {"items": [rule, {**rule, "toPort": 23}]}}) is Outcome.CHANGE
        assert revoke(none | {"revokedSecurityGroupRuleSet": {"items": [{}]}}) is Outcome.CHANGE
        assert revoke({"_return": True}) is Outcome.CHANGE
        assert revoke(None) is Outcome.CHANGE


class TestTerraform:
    @pytest.mark.parametrize(
        ("agent", "says"),
        [
            (TERRAFORM, "Terraform 1.5.7"),
            (f"[{TERRAFORM}]", "Terraform 1.5.7"),
            (
                "aws-sdk-go/1.36.28 (go1.15.5; linux; amd64) APN/1.0 HashiCorp/1.0 Terraform/0.12.24 (+https://x)",
                "0.12.24",
            ),
            ("APN/1.0 HashiCorp/1.0 Terraform/1.12.0-dev (+https://x) terraform-provider-aws/dev", "1.12.0-dev"),
            ("APN/1.0 OpenTofu/1.0 OpenTofu/1.8.2 (+https://www.opentofu.org)", "OpenTofu 1.0"),
            ("aws-sdk-go-v2/1.3 terraform-provider-awscc/1.0.0", "Terraform 1.0.0"),
        ],
    )
    def test_by_agent(self, agent: str, says: str) -> None:
        verdict = classify(record(userAgent=agent), ANY)
        assert (verdict.outcome, verdict.cause) == (Outcome.EXPECTED, Cause.TERRAFORM)
        assert says in verdict.reason

    @pytest.mark.parametrize(
        "agent",
        [
            "aws-cli/2.17.32 md/command#ec2.modify-instance-attribute exec-env/Terraform/1.5.7",
            "Boto3/1.34 app/Terraform/1.5.7",
            "NotTerraform/1.5.7",
            "terraform",
            "Terraform",
            "Pulumi/3.0",
        ],
    )
    def test_lookalikes(self, agent: str) -> None:
        assert classify(record(userAgent=agent), ANY).outcome is Outcome.CHANGE

    def test_bound_to_identities(self) -> None:
        bound = expect(terraform={"identities": [f"arn:aws:iam::{ACCOUNT}:role/ci/*", "deployer", "ops/run-*"]})
        ci = session("terraform", "run-1", path="/ci/")
        assert classify(record(ci, userAgent=TERRAFORM), bound).outcome is Outcome.EXPECTED
        user = ALICE | {"userName": "deployer"}
        assert classify(record(user, userAgent=TERRAFORM), bound).outcome is Outcome.EXPECTED
        assert classify(record(session("ops", "run-1"), userAgent=TERRAFORM), bound).outcome is Outcome.EXPECTED
        laptop = classify(record(userAgent=TERRAFORM), bound)
        assert laptop.outcome is Outcome.CHANGE
        assert laptop.reason == (
            "the user agent says Terraform 1.5.7, but alice is not in expected.terraform.identities"
        )

    def test_switched_off(self) -> None:
        assert classify(record(userAgent=TERRAFORM), expect(terraform=False)).outcome is Outcome.CHANGE

    def test_further_agents(self) -> None:
        pulumi = expect(terraform={"agents": ["*Pulumi/*"]})
        assert classify(record(userAgent="aws-sdk-go Pulumi/3.1"), pulumi).cause is Cause.TERRAFORM


def service_role(service: str, name: str = "AWSServiceRoleForX", **more: Any) -> dict[str, Any]:
    return session(name, "Session", path=f"/aws-service-role/{service}/", **({"invokedBy": service} | more))


class TestAwsItself:
    @pytest.mark.parametrize(
        ("identity", "more"),
        [
            ({"type": "AWSService", "invokedBy": "rds.amazonaws.com"}, {"userAgent": None}),
            ({"type": "AWSService", "invokedBy": "AWS Internal"}, {"eventSource": "rds.amazonaws.com"}),
            ({"accountId": ACCOUNT, "invokedBy": "AWS Internal"}, {"eventType": "AwsServiceEvent"}),
            (None, {"eventType": "AwsServiceEvent"}),
            (service_role("rds.amazonaws.com"), {}),
            (service_role("eks.amazonaws.com"), {}),
            (service_role("eks-nodegroup.amazonaws.com"), {}),
            (service_role("ecs.amazonaws.com"), {}),
            (service_role("backup.amazonaws.com"), {}),
            (service_role("sagemaker.amazonaws.com", invokedBy=""), {"userAgent": "aws-internal/3"}),
            (session("eks-cluster", "1700000000000000000", invokedBy="eks.amazonaws.com"), {}),
            (session("AWSBackupDefaultServiceRole", "AWSBackup-x", invokedBy="backup.amazonaws.com"), {}),
            (session("ecsServiceRole", "ecs-service-scheduler", invokedBy="ecs.amazonaws.com"), {}),
        ],
    )
    def test_on_its_own(self, identity: Any, more: dict[str, Any]) -> None:
        verdict = classify(record(identity, **more), ANY)
        assert (verdict.outcome, verdict.cause) == (Outcome.EXPECTED, Cause.AWS_SERVICE)
        assert "amazonaws.com" in verdict.reason
        assert classify(record(identity, **more), expect(aws_services=False)).outcome is Outcome.CHANGE

    @pytest.mark.parametrize(
        "identity",
        [
            service_role("autoscaling.amazonaws.com"),
            service_role("dynamodb.application-autoscaling.amazonaws.com"),
            service_role("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling_team"),
            {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"},
            {
                "type": "Root",
                "arn": f"arn:aws:iam::{ACCOUNT}:root",
                "accountId": ACCOUNT,
                "invokedBy": "autoscaling.amazonaws.com",
            },
        ],
    )
    def test_auto_scaling(self, identity: Any) -> None:
        verdict = classify(record(identity), ANY)
        assert (verdict.outcome, verdict.cause) == (Outcome.EXPECTED, Cause.AUTO_SCALING)
        assert classify(record(identity), expect(auto_scaling=False)).outcome is Outcome.CHANGE

    @pytest.mark.parametrize(
        ("name", "source"),
        [("CreateGrant", "kms"), ("CreateNetworkInterface", "ec2"), ("CreateServiceLinkedRole", "iam")],
    )
    def test_in_passing(self, name: str, source: str) -> None:
        more = {"eventName": name, "eventSource": f"{source}.amazonaws.com"}
        verdict = classify(record(ALICE | {"invokedBy": "rds.amazonaws.com"}, **more), ANY)
        assert (verdict.outcome, verdict.reason) == (Outcome.EXPECTED, "made in passing by rds.amazonaws.com")
        assert classify(record(ALICE, **more), ANY).outcome is Outcome.CHANGE
        stack = ALICE | {"invokedBy": "cloudformation.amazonaws.com"}
        assert classify(record(stack, **more), ANY).outcome is Outcome.CHANGE


def by(host: str) -> dict[str, Any]:
    return {"userAgent": host, "sourceIPAddress": host}


FORGED: list[tuple[str, Any, dict[str, Any]]] = [
    ("agent of Auto Scaling", ALICE, by("autoscaling.amazonaws.com")),
    ("agent of RDS", ALICE, by("rds.amazonaws.com")),
    ("agent of EKS from a role", session("Admin", "mallory"), by("eks.amazonaws.com")),
    ("agent of AWS itself", ALICE, by("AWS Internal")),
    ("agent of an SDK inside AWS", ALICE, {"userAgent": "aws-internal/3 aws-sdk-java/1.12"}),
    ("CloudFormation for a user", ALICE | {"invokedBy": "cloudformation.amazonaws.com"}, {}),
    ("CloudFormation for a role", session("Dev", "mallory", invokedBy="cloudformation.amazonaws.com"), {}),
    ("CloudFormation's own role", session("cfn", "AWSCloudFormation", invokedBy="cloudformation.amazonaws.com"), {}),
    ("stack sets' role", service_role("member.org.stacksets.cloudformation.amazonaws.com"), {}),
    ("Service Catalog", session("Launch", "SC-1", invokedBy="servicecatalog.amazonaws.com"), {}),
    ("Service Catalog's role", service_role("servicecatalog.amazonaws.com"), {}),
    ("an experiment that somebody started", service_role("fis.amazonaws.com"), {}),
    ("the console", ALICE | {"invokedBy": "signin.amazonaws.com"}, by("signin.amazonaws.com")),
    ("Cloud Control", ALICE | {"invokedBy": "cloudcontrolapi.amazonaws.com"}, {}),
    ("a service acting for a user", ALICE | {"invokedBy": "rds.amazonaws.com"}, by("rds.amazonaws.com")),
    (
        "a service acting for an Identity Center person",
        session(SSO_ROLE, "AWSBackup-x", path=SSO_PATH, invokedBy="backup.amazonaws.com"),
        {},
    ),
    ("Auto Scaling for a user", ALICE | {"invokedBy": "autoscaling.amazonaws.com"}, {}),
    (
        "the root user with a key",
        {
            "type": "Root",
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "accessKeyId": "ASIA",
            "invokedBy": "rds.amazonaws.com",
        },
        {},
    ),
    (
        "the root user with a key behind Auto Scaling",
        {
            "type": "Root",
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "accessKeyId": "ASIAEXAMPLE",
            "invokedBy": "autoscaling.amazonaws.com",
        },
        {},
    ),
    ("a role named like a service-linked one", session("AWSServiceRoleForRDS", "SLRManagement"), {}),
    (
        "a role path that contains the reserved one",
        session("x", "s", path="/team/aws-service-role/rds.amazonaws.com/"),
        {},
    ),
    (
        "a role path that ends like the reserved one",
        session("x", "s", path="/x:role/aws-service-role/rds.amazonaws.com/"),
        {},
    ),
    ("a role called aws-service-role", session("aws-service-role", "rds.amazonaws.com"), {}),
    ("a session named like a service's", session("Dev", "AWSBackup-x"), {}),
    (
        "a session named like a service's, other service",
        session("Dev", "AWSBackup-x", invokedBy="ssm.amazonaws.com"),
        {},
    ),
    (
        "a service's session with MFA",
        session(
            "Dev", "aws-batch", invokedBy="batch.amazonaws.com", context={"attributes": {"mfaAuthenticated": "true"}}
        ),
        {},
    ),
    (
        "a service's session with a source identity",
        session("Dev", "aws-batch", invokedBy="batch.amazonaws.com", context={"sourceIdentity": "mallory"}),
        {},
    ),
    (
        "a service's session from the console",
        session("Dev", "aws-batch", invokedBy="batch.amazonaws.com"),
        {"sessionCredentialFromConsole": "true"},
    ),
    ("invokedBy that only begins like a service", ALICE | {"invokedBy": "rds.amazonaws.com.evil.example"}, {}),
    ("type AWSService with somebody's ARN", ALICE | {"type": "AWSService", "invokedBy": "rds.amazonaws.com"}, {}),
    ("a service event that names a person", ALICE, {"eventType": "AwsServiceEvent"}),
    ("an IAM user called root", ALICE | {"userName": "root", "invokedBy": "autoscaling.amazonaws.com"}, {}),
    ("nobody", None, {}),
    ("garbage", {"type": ["AWSService"], "invokedBy": {"x": 1}}, {}),
]


@pytest.mark.parametrize(("identity", "more"), [f[1:] for f in FORGED], ids=[f[0] for f in FORGED])
def test_forged_or_borrowed_identities_are_changes(identity: Any, more: dict[str, Any]) -> None:
    assert classify(record(identity, **more), ANY).outcome is Outcome.CHANGE


BOUND = expect(terraform={"identities": ["terraform-ci", f"arn:aws:iam::{ACCOUNT}:role/terraform-ci"]})


@pytest.mark.parametrize(
    "identity",
    [
        ALICE,
        session("Developer", "terraform-ci"),
        session("Developer", "x", context={"sourceIdentity": "terraform-ci"}),
        session("terraform-ci-evil", "x"),
        session("evil-terraform-ci", "x"),
        {
            "type": "FederatedUser",
            "principalId": f"{ACCOUNT}:terraform-ci",
            "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/terraform-ci",
            "sessionContext": {"sessionIssuer": {"type": "IAMUser", "userName": "mallory"}},
        },
        {"type": "AssumedRole", "principalId": "AROAEXAMPLE:terraform-ci"},
        {"type": "WebIdentityUser", "userName": "terraform-ci"},
        {},
        None,
    ],
)
def test_terraform_run_by_somebody_else_is_a_change(identity: Any) -> None:
    verdict = classify(record(identity, userAgent=TERRAFORM), BOUND)
    assert verdict.outcome is Outcome.CHANGE
    assert "not in expected.terraform.identities" in verdict.reason


class TestRules:
    def test_identity_event_region_account_agent(self) -> None:
        rules = expect(
            rules=[
                {"reason": "wrong region", "identity": "alice", "region": "us-*"},
                {"reason": "wrong account", "identity": "alice", "account": "999999999999"},
                {"reason": "wrong event", "event": "rds:*"},
                {"reason": "wrong agent", "agent": "*Pulumi*"},
                {"reason": "right", "identity": ["bob", "ali*"], "event": "ec2:modifyinstance*", "account": [ACCOUNT]},
            ]
        )
        verdict = classify(record(), rules)
        assert (verdict.outcome, verdict.cause, verdict.reason) == (Outcome.EXPECTED, Cause.RULE, "right")

    def test_invoked_by(self) -> None:
        rules = expect(rules=[{"reason": "stacks", "identity": "alice", "invoked_by": "cloudformation.*"}])
        stack = ALICE | {"invoked_by": "x", "invokedBy": "cloudformation.amazonaws.com"}
        assert classify(record(stack), rules).reason == "stacks"
        assert classify(record(userAgent="cloudformation.amazonaws.com"), rules).outcome is Outcome.CHANGE

    def test_event_without_service_and_with_version(self) -> None:
        rules = expect(rules=[{"reason": "r", "event": ["UpdateFunctionCode"]}])
        call = record(eventSource="lambda.amazonaws.com", eventName="UpdateFunctionCode20150331v2")
        assert classify(call, rules).outcome is Outcome.EXPECTED

    def test_a_failed_call_is_never_expected(self) -> None:
        rules = expect(rules=[{"reason": "r", "identity": "alice"}])
        assert classify(record(errorCode="AccessDenied"), rules).outcome is Outcome.NOT_A_CHANGE

    def test_a_rule_may_forgive_a_foreign_terraform_run(self) -> None:
        rules = expect(terraform={"identities": ["ci"]}, rules=[{"reason": "break glass", "identity": "alice"}])
        assert classify(record(userAgent=TERRAFORM), rules).reason == "break glass"

    def test_resource_attribute_and_tag_wait_for_the_diff(self) -> None:
        rules = expect(
            rules=[
                {"reason": "no", "resource": "aws_db_instance.*"},
                {"reason": "yes", "resource": "aws_instance.app", "attribute": "instance_type", "tag": {"Env": "dev*"}},
            ]
        )
        assert classify(record(), rules).outcome is Outcome.CHANGE
        app = Resource(type="aws_instance", address="aws_instance.app[0]", id="i-1")
        assert expected_change(record(), Change(app, "instance_type", tags={"Env": "dev-2"}), rules) == "yes"
        assert expected_change(record(), Change(app, "instance_type", tags={"Env": "prod"}), rules) == ""
        assert expected_change(record(), Change(app, "instance_type"), rules) == ""
        assert expected_change(record(), Change(app, "ebs_optimized", tags={"Env": "dev"}), rules) == ""
        assert expected_change(record(), Change(app), ANY) == ""

    @pytest.mark.parametrize(
        ("glob", "hit"),
        [
            ('module.web["a"].aws_instance.app[0]', True),
            ('module.web["b"].aws_instance.app[0]', False),
            ("module.web.aws_instance.app", True),
            ("module.web.*", True),
            ("aws_instance", True),
            ("i-0abc", True),
            ("arn:aws:ec2:*:instance/i-0abc", True),
            ("app", False),
            ("aws_instance.app", False),
        ],
    )
    def test_resource_globs(self, glob: str, hit: bool) -> None:
        resource = Resource(
            type="aws_instance",
            address='module.web["a"].aws_instance.app[0]',
            id="i-0abc",
            arn=f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0abc",
        )
        rules = expect(rules=[{"reason": "r", "resource": glob}])
        assert bool(expected_change(record(), Change(resource), rules)) is hit

    @pytest.mark.parametrize(
        ("attribute", "hit"),
        [("tags", True), ("tags.*", True), ("tags.Owner", True), ("tags.Env", False), ("root_block_device*", False)],
    )
    def test_attribute_globs(self, attribute: str, hit: bool) -> None:
        rules = expect(rules=[{"reason": "r", "attribute": attribute}])
        change = Change(Resource(type="aws_instance"), "tags", "tags.Owner")
        assert bool(expected_change(record(), change, rules)) is hit

    @pytest.mark.parametrize(
        ("tag", "hit"),
        [
            ("Env", True),
            ("Env=dev", True),
            ("Env=d*", True),
            ("Env=prod", False),
            ("Owner", False),
            (["Env=dev", "Empty"], True),
            (["Env=dev", "Owner"], False),
            ({"Env": ["test", "dev"]}, True),
            ({"Env": "dev", "Owner": "*"}, False),
        ],
    )
    def test_tags(self, tag: Any, hit: bool) -> None:
        rules = expect(rules=[{"reason": "r", "tag": tag}])
        change = Change(Resource(type="aws_instance"), tags={"Env": "dev", "Empty": ""})
        assert bool(expected_change(record(), change, rules)) is hit

    def test_the_record_still_counts_after_the_diff(self) -> None:
        rules = expect(rules=[{"reason": "r", "resource": "aws_instance", "identity": "bob"}])
        assert expected_change(record(), Change(Resource(type="aws_instance")), rules) == ""


BERLIN = ZoneInfo("Europe/Berlin")


class TestTime:
    @pytest.mark.parametrize(
        ("window", "moment", "hit"),
        [
            ({"from": "22:00", "to": "06:00"}, datetime(2024, 5, 1, 23, tzinfo=UTC), True),
            ({"from": "22:00", "to": "06:00"}, datetime(2024, 5, 1, 5, 59, 59, tzinfo=UTC), True),
            ({"from": "22:00", "to": "06:00"}, datetime(2024, 5, 1, 6, tzinfo=UTC), False),
            ({"from": "22:00", "to": "06:00"}, datetime(2024, 5, 1, 12, tzinfo=UTC), False),
            # 2024-05-03 is a Friday: its night reaches into Saturday, Thursday's into Friday is not meant.
            ({"from": "22:00", "to": "06:00", "days": "fri"}, datetime(2024, 5, 4, 3, tzinfo=UTC), True),
            ({"from": "22:00", "to": "06:00", "days": "fri"}, datetime(2024, 5, 3, 3, tzinfo=UTC), False),
            (
                {"from": "09:00", "to": "17:00", "days": ["mon-wed", "Friday"]},
                datetime(2024, 5, 3, 9, tzinfo=UTC),
                True,
            ),
            ({"from": "09:00", "to": "17:00", "days": ["mon-wed"]}, datetime(2024, 5, 3, 9, tzinfo=UTC), False),
            ({"days": "sat-mon"}, datetime(2024, 5, 5, 1, tzinfo=UTC), True),
            ({"days": "sat-mon"}, datetime(2024, 5, 3, 1, tzinfo=UTC), False),
            ({"from": "08:00", "timezone": "Europe/Berlin"}, datetime(2024, 5, 1, 8, tzinfo=BERLIN), True),
            ({"from": "08:00", "timezone": "Europe/Berlin"}, datetime(2024, 5, 1, 7, 59, tzinfo=BERLIN), False),
            ({"from": "08:00", "timezone": "Europe/Berlin"}, datetime(2024, 12, 1, 7, 0, tzinfo=UTC), True),
            ({"from": 1320, "to": "1410"}, datetime(2024, 5, 1, 22, 15, tzinfo=UTC), True),
            ({"to": "24:00", "from": "23:00"}, datetime(2024, 5, 1, 23, 59, tzinfo=UTC), True),
            ({"from": "2024-05-01T22:00", "to": "2024-05-02T06:00"}, datetime(2024, 5, 2, 5, tzinfo=UTC), True),
            ({"from": "2024-05-01T22:00", "to": "2024-05-02T06:00"}, datetime(2024, 5, 2, 6, tzinfo=UTC), False),
            ({"from": "2024-05-01T22:00", "to": "2024-05-02T06:00"}, datetime(2024, 5, 1, 21, tzinfo=UTC), False),
            ({"to": "2024-05-02", "timezone": "Europe/Berlin"}, datetime(2024, 5, 1, 21, 59, tzinfo=UTC), True),
            ({"to": "2024-05-02", "timezone": "Europe/Berlin"}, datetime(2024, 5, 1, 22, tzinfo=UTC), False),
            ({"from": "2024-05-01T22:00+02:00"}, datetime(2024, 5, 1, 20, tzinfo=UTC), True),
        ],
    )
    def test_windows(self, window: dict[str, Any], moment: datetime, hit: bool) -> None:
        rules = expect(rules=[{"reason": "r", "time": window}])
        when = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert (classify(record(eventTime=when), rules).outcome is Outcome.EXPECTED) is hit

    def test_several_windows(self) -> None:
        rules = expect(rules=[{"reason": "r", "time": [{"to": "01:00"}, {"from": "11:00", "to": "13:00"}]}])
        assert classify(record(), rules).outcome is Outcome.EXPECTED

    def test_a_record_without_a_time_is_in_no_window(self) -> None:
        rules = expect(rules=[{"reason": "r", "time": {"from": "1970-01-01"}}])
        assert classify(record(eventTime="yesterday"), rules).outcome is Outcome.CHANGE


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (7, "init_config.expected: 7 is not allowed here; write a map with terraform, auto_scaling"),
        ({"terrafrom": True}, "init_config.expected.terrafrom: unknown key; known here: terraform, auto_scaling"),
        (
            {"terraform": {"identities": []}},
            "expected.terraform.identities: [] is not allowed here; write a text or a list",
        ),
        ({"terraform": "yes"}, "init_config.expected.terraform: 'yes' is not allowed here"),
        ({"auto_scaling": "no"}, "init_config.expected.auto_scaling: 'no' is not allowed here; write true or false"),
        ({"rules": {"reason": "x"}}, "init_config.expected.rules: {'reason': 'x'} is not allowed here; write a list"),
        ({"rules": ["x"]}, "init_config.expected.rules[0]: 'x' is not allowed here; write a map with reason"),
        ({"rules": [{"identity": "a"}]}, "init_config.expected.rules[0]: reason is missing; say why"),
        ({"rules": [{"reason": "x"}]}, "rules[0]: would expect every change; add at least one of identity"),
        ({"rules": [{"reason": "x", "identity": []}]}, "rules[0].identity: [] is not allowed here"),
        ({"rules": [{"reason": "x", "identity": [3]}]}, "rules[0].identity: [3] is not allowed here"),
        ({"rules": [{"reason": "x", "tag": {}}]}, "rules[0].tag: is empty; write Name: value"),
        ({"rules": [{"reason": "x", "time": {}}]}, "rules[0].time: {} is not allowed here"),
        ({"rules": [{"reason": "x", "time": {"timezone": "UTC"}}]}, "rules[0].time: says no time"),
        (
            {"rules": [{"reason": "x", "time": [{"days": "noday"}]}]},
            "rules[0].time[0].days: 'noday' is not a day; write mon, tue",
        ),
        (
            {"rules": [{"reason": "x", "time": {"from": "25:00"}}]},
            "rules[0].time.from: '25:00' is neither a time of day (22:30) nor a moment (2026-05-01T22:30)",
        ),
        ({"rules": [{"reason": "x", "time": {"from": "now"}}]}, "time.from: 'now' is neither a time of day"),
        (
            {"rules": [{"reason": "x", "time": {"from": "22:00", "to": "2024-05-01"}}]},
            "time: from and to have to be both times of day or both dates",
        ),
        (
            {"rules": [{"reason": "x", "time": {"from": "2024-05-02", "to": "2024-05-01"}}]},
            "to (2024-05-01) is not after from (2024-05-02); nothing would ever be expected",
        ),
        (
            {"rules": [{"reason": "x", "time": {"days": "mon", "timezone": "Mars/Base"}}]},
            "time.timezone: 'Mars/Base' is not a time zone; write a name such as Europe/Berlin, or UTC",
        ),
        ({"rules": [{"reason": "x", "time": {"days": "mon", "timezone": "../../etc/passwd"}}]}, "is not a time zone"),
    ],
)
def test_bad_expectations(expected: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Expectations.parse(expected)
    assert message in str(caught.value)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        expect(auto_scaling=1, rules=[{"reason": "x"}, {"identity": "a"}])
    assert len(str(caught.value).splitlines()) == 3


def test_the_schema_and_the_reader_agree() -> None:
    text = """
expected:
  terraform: {identities: ci, agents: ["*Pulumi/*"]}
  auto_scaling: true
  aws_services: false
  rules:
    - reason: nightly scaling
      identity: [scaler, "arn:aws:iam::*:role/x"]
      event: rds:*
      invoked_by: cloudformation.*
      agent: "*"
      account: 000123456789
      region: eu-*
      resource: aws_db_instance.*
      attribute: instance_class
      tag: {Env: dev, Shared: true}
      time: {from: 22:00, to: 06:00, days: mon-fri, timezone: Europe/Berlin}
"""
    rule = Expectations.parse(config.load(text).expected).rules[0]
    assert rule.account == {"000123456789"}
    assert rule.tag["Shared"].match("true")
    assert str(rule.time[0].start) == "22:00:00"
    assert all(getattr(rule, part.name) for part in fields(Rule))
    for bad in ("{terraform: {identities: []}}", "{rules: [{reason: x, identity: }]}", "{rules: [{identity: a}]}"):
        with pytest.raises(ConfigError):
            config.load(f"expected: {bad}")


def test_real_records() -> None:
    seen: Counter[Outcome] = Counter()
    for entry in corpus():
        call = Record(entry["record"])
        verdict = classify(call, ANY)
        seen[verdict.outcome] += 1
        if call.raw.get("readOnly") is True or call.raw.get("errorCode"):
            assert verdict.outcome is Outcome.NOT_A_CHANGE
        if "Terraform/" in call.user_agent:
            assert verdict.outcome is not Outcome.CHANGE
        if call.identity.get("invokedBy") in ("cloudformation.amazonaws.com", "signin.amazonaws.com"):
            assert verdict.outcome is not Outcome.EXPECTED
        if verdict.outcome is Outcome.EXPECTED and verdict.cause is Cause.AWS_SERVICE:
            assert call.identity.get("type") not in ("IAMUser", "Root")
    assert min(seen.values()) > least(100, 300)


def test_the_documented_configuration_is_read() -> None:
    text = (Path(__file__).parents[3] / "docs" / "identity.md").read_text(encoding="utf-8")
    example = text.partition("```yaml\n")[2].partition("```")[0]
    read = Expectations.parse(config.load(example).expected)
    assert len(read.rules) == 3
    assert read.terraform_identities is not None
    assert [bool(rule.needs_change) for rule in read.rules] == [True, True, True]
    assert [len(rule.time) for rule in read.rules] == [1, 0, 1]
