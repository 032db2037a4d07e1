"""What every kind of drift tells its reader to do."""

import dataclasses
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.states import terraform
from tfdrift_core.drift.event import DriftEvent, Kind, Resource
from tfdrift_core.drift.present.hint import INVERSE, hint
from tfdrift_core.drift.present.imports import IMPORT_IDS, Import, block, import_id, import_of, templates
from tfdrift_core.records.record import Record

APP = Resource(
    type="aws_instance",
    address='module.web["a"].aws_instance.app[0]',
    name="app",
    file="app/web/main.tf",
    line=37,
    id="i-0a7c3e9d5f1b28460",
)


def event(
    kind: Kind = Kind.MODIFIED, resource: Resource = APP, record: dict[str, Any] | None = None, **more: Any
) -> DriftEvent:
    return DriftEvent(Record(record or {"eventName": "ModifyInstanceAttribute"}), kind, resource, "id", **more)


def unmanaged(resource: Resource, request: dict[str, Any] | None = None, **attributes: Any) -> DriftEvent:
    record = {"eventName": "Create", "requestParameters": request or {}}
    return event(Kind.UNMANAGED, resource, record, import_id=import_id(resource, request or {}, attributes))


def test_modified_names_the_apply_and_the_line() -> None:
    assert hint(event(attribute="instance_type", path="instance_type")) == (
        "Undo: terraform apply -target='module.web[\"a\"].aws_instance.app[0]'. "
        "Keep: set instance_type in app/web/main.tf:37."
    )


def test_without_configuration_the_address_is_the_place() -> None:
    resource = dataclasses.replace(APP, file="", line=0, workspace="prod eu")
    assert hint(event(resource=resource, path="tags.Name")) == (
        "Undo: TF_WORKSPACE='prod eu' terraform apply -target='module.web[\"a\"].aws_instance.app[0]'. "
        'Keep: set tags.Name in the configuration of module.web["a"].aws_instance.app[0].'
    )


def test_what_an_apply_may_not_take_away_has_its_own_command() -> None:
    record = {
        "eventName": "AuthorizeSecurityGroupIngress",
        "requestParameters": {"groupId": "sg-1"},
        "responseElements": {"securityGroupRuleSet": {"items": [{"securityGroupRuleId": "sgr-1"}]}},
    }
    resource = Resource(type="aws_security_group", address="aws_security_group.web", id="sg-1")
    assert "aws ec2 revoke-security-group-ingress --group-id sg-1 --security-group-rule-ids sgr-1" in hint(
        event(resource=resource, record=record, attribute="ingress")
    )
    del record["responseElements"]
    assert "revoke" not in hint(event(resource=resource, record=record, attribute="ingress"))


def test_deleted() -> None:
    resource = Resource(type="aws_instance", address="aws_instance.bastion", id="i-1")
    assert hint(event(Kind.DELETED, resource)) == (
        "Undo: terraform apply -target=aws_instance.bastion. Keep: remove it in the configuration of "
        "aws_instance.bastion, then terraform state rm aws_instance.bastion."
    )


@pytest.mark.parametrize(
    ("type", "id", "request_", "command"),
    [
        ("aws_instance", "i-0b6e2d8f", {}, "terraform import aws_instance.i_0b6e2d8f i-0b6e2d8f"),
        ("aws_iam_user", "support-tools", {}, "terraform import aws_iam_user.support_tools support-tools"),
        (
            "aws_iam_role_policy_attachment",
            "shop-app",
            {"roleName": "shop-app", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
            "terraform import aws_iam_role_policy_attachment.shop_app shop-app/arn:aws:iam::aws:policy/ReadOnlyAccess",
        ),
        (
            "aws_route",
            "0.0.0.0/0",
            {"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0"},
            "terraform import aws_route.imported_0 rtb-1_0.0.0.0/0",
        ),
        # Its name for an import has two parts, of which one is not known.
        ("aws_route", "0.0.0.0/0", {}, "Keep: declare it and import it. Undo: delete 0.0.0.0/0."),
        ("aws_of_tomorrow", "x", {}, "Keep: declare it and import it. Undo: delete x."),
    ],
)
def test_unmanaged(type: str, id: str, request_: dict[str, str], command: str) -> None:
    assert command in hint(unmanaged(Resource(type=type, id=id), request_))


def test_a_resource_without_id_or_type_gets_no_command() -> None:
    assert hint(event(Kind.UNMANAGED, Resource(type="aws_instance"))) == ""
    assert hint(event(Kind.EXPECTED)) == ""


@pytest.mark.parametrize("id", ["x; rm -rf /", "$(id)", "a'b", "a\nb", "`id`", "\x1b[2J"])
def test_hostile_names_stay_one_word(id: str) -> None:
    text = hint(unmanaged(Resource(type="aws_iam_user", id=id)))
    assert text.isprintable()
    command = text.partition("then ")[2].partition(". Undo")[0]
    assert len(shlex.split(command)) == 4


@pytest.mark.parametrize(
    ("type", "members", "attributes", "id"),
    [
        ("aws_vpc", {"id": "vpc-1"}, {}, "vpc-1"),
        ("aws_sqs_queue", {"id": "https://sqs/1/q"}, {}, "https://sqs/1/q"),
        ("aws_eks_addon", {"id": "a"}, {"cluster_name": "c", "addon_name": "a"}, "c:a"),
        ("aws_eks_addon", {"id": "a"}, {"addon_name": "a"}, ""),
        ("aws_api_gateway_model", {"id": "m", "name": "m"}, {"rest_api_id": "r"}, "r/m"),
        ("aws_glue_catalog_database", {"id": "d", "account": "1" * 12}, {"name": "d"}, "111111111111:d"),
        ("aws_glue_catalog_database", {"id": "d", "account": "1" * 12}, {"name": "d", "catalog_id": "c"}, "c:d"),
        ("aws_ecs_cluster", {"id": "arn:aws:ecs:x:1:cluster/c", "name": "c"}, {}, "c"),
        ("aws_imagebuilder_image_pipeline", {"id": "p", "arn": "arn:aws:imagebuilder:x"}, {}, "arn:aws:imagebuilder:x"),
        ("aws_imagebuilder_image_pipeline", {"id": "p"}, {}, ""),
        ("aws_wafv2_web_acl_association", {"id": "a"}, {"web_acl_arn": "x", "resource_arn": "arn:y"}, ""),
        ("aws_ec2_network_insights_path", {"id": "nip-1"}, {"protocol": True, "destination_port": None}, "nip-1"),
    ],
)
def test_the_name_for_an_import(type: str, members: dict[str, str], attributes: dict[str, Any], id: str) -> None:
    assert import_id(Resource(type=type, **members), {}, attributes) == id


def test_opentofu_has_a_command_of_its_own() -> None:
    resource = dataclasses.replace(APP, tool="tofu", workspace="prod")
    assert hint(event(resource=resource, path="tags")).startswith("Undo: TF_WORKSPACE=prod tofu apply -target=")
    assert "then tofu import aws_vpc.vpc_1 vpc-1" in hint(unmanaged(Resource(type="aws_vpc", id="vpc-1", tool="tofu")))


def test_the_identity_where_states_have_those_of_the_type() -> None:
    role = Resource(type="aws_iam_role", id="app", name="app", account="111122223333", region="eu-west-1")
    taken = import_of(role, {}, {}, ("account_id", "name"))
    assert taken.identity == (("account_id", "111122223333"), ("name", "app"))
    assert block(role, taken) == (
        'import {\n  to = aws_iam_role.app\n  identity = {\n    account_id = "111122223333"\n    name = "app"\n  }\n}'
    )
    # A member is not known: the id has to do.
    assert import_of(role, {}, {}, ("account_id", "path")) == Import("app")
    assert block(role, Import()) == ""


def test_real_terraform_takes_the_block(tmp_path: Path) -> None:
    """It reads it, and would import what it names."""
    id = 'a"${b}\\é\n%{c}'
    text = block(Resource(type="terraform_data", id="x"), Import(id))
    (tmp_path / "main.tf").write_text(f'resource "terraform_data" "x" {{}}\n{text}\n')
    terraform(tmp_path, "init", "-input=false")
    assert "1 to import" in terraform(tmp_path, "plan", "-no-color")


def test_templates_are_well_formed() -> None:
    assert len(templates()) > 850
    for template in (*IMPORT_IDS.values(), *INVERSE.values(), *templates().values()):
        assert re.search(r"\{\w+\}", template)
        assert "{" not in re.sub(r"\{\w+\}", "", template)


def test_terraform_takes_the_target(tmp_path: Path) -> None:
    """The real Terraform accepts the address as quoted here."""
    (tmp_path / "main.tf").write_text('resource "terraform_data" "x" {\n  for_each = toset(["a b"])\n}\n')
    resource = Resource(type="terraform_data", address='terraform_data.x["a b"]', id="1")
    text = hint(event(Kind.DELETED, resource))
    program, *arguments = shlex.split(text.partition("Undo: ")[2].partition(". Keep")[0])
    assert program == "terraform"
    terraform(tmp_path, "init", "-input=false")
    assert "1 added" in terraform(tmp_path, *arguments, "-auto-approve", "-no-color")
