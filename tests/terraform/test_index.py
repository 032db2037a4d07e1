import orjson
import pytest

from tests.indexes import index_of
from tests.terraform.states import AWS, addresses, ec2, instance, resource, state, terraform
from tfdrift_core.terraform.configuration import module_path
from tfdrift_core.terraform.index import Index, State, key_text
from tfdrift_core.terraform.scan import StateError

A, B = "111111111111", "222222222222"


def test_addresses_of_modules_count_and_for_each():
    index = index_of(
        state(
            resource("aws_instance", "one", ec2("i-1")),
            resource("aws_instance", "n", instance(ec2("i-2"), index_key=0), instance(ec2("i-3"), index_key=1)),
            resource("aws_instance", "e", instance(ec2("i-4"), index_key='a"b.c')),
            resource("aws_instance", "m", ec2("i-5"), module='module.web["x"].module.db[0]'),
        )
    )
    assert addresses(index.all()) == [
        "aws_instance.one",
        "aws_instance.n[0]",
        "aws_instance.n[1]",
        r'aws_instance.e["a\"b.c"]',
        'module.web["x"].module.db[0].aws_instance.m',
    ]
    (found,) = index.find("aws_instance", "id", "i-5")
    assert (found.type, found.name, found.module) == ("aws_instance", "m", 'module.web["x"].module.db[0]')
    assert (found.state, found.workspace, found.file, found.line) == ("terraform.tfstate", "", "", 0)
    assert found.attributes["instance_type"] == "t3.micro"
    assert module_path('module.web["x.y[0]"].module.db[0]') == "web.db"
    assert module_path("") == ""


def test_find_by_id_arn_and_any_other_attribute():
    index = index_of(
        state(
            resource("aws_instance", "a", ec2("i-1", private_ip="10.0.0.1", cpu=2)),
            resource("aws_instance", "b", ec2("i-2", private_ip="10.0.0.1", cpu=4)),
            resource("aws_eip", "e", {"id": "eip-1", "instance": "i-1"}),
            resource("aws_s3_bucket", "x", {"id": "same", "arn": "arn:aws:s3:::same"}),
            resource("aws_s3_bucket_policy", "x", {"id": "same", "bucket": "same"}),
        )
    )
    assert addresses(index.find("aws_instance", "arn", f"arn:aws:ec2:eu-west-1:{A}:instance/i-2")) == ["aws_instance.b"]
    assert addresses(index.find("aws_instance", "private_ip", "10.0.0.1")) == ["aws_instance.a", "aws_instance.b"]
    assert addresses(index.find("aws_instance", "cpu", "4")) == ["aws_instance.b"]
    assert addresses(index.find("aws_eip", "instance", "i-1")) == ["aws_eip.e"]
    assert addresses(index.find("aws_s3_bucket", "id", "same")) == ["aws_s3_bucket.x"]
    assert addresses(index.find_any("same")) == ["aws_s3_bucket.x", "aws_s3_bucket_policy.x"]
    assert addresses(index.find_any("arn:aws:s3:::same")) == ["aws_s3_bucket.x"]
    assert not index.find("aws_instance", "id", "")
    assert not index.find("aws_instance", "tags", "x")
    assert not index.find("aws_vpc", "id", "i-1")
    assert not index.find_any("")
    assert index.has_type("aws_eip")
    assert not index.has_type("aws_vpc")
    assert len(index) == 5
    assert addresses(index.all("aws_eip")) == ["aws_eip.e"]


def test_account_and_region_restrict_only_where_both_sides_know_them():
    index = index_of(
        state(
            resource("aws_instance", "a", ec2("x", "eu-west-1", A)),
            resource("aws_instance", "b", ec2("x", "us-east-1", B), provider=AWS + ".us"),
            resource("aws_instance", "c", {"id": "x"}, provider=AWS + ".other"),
        )
    )
    names = lambda **scope: [i.name for i in index.find("aws_instance", "id", "x", **scope)]  # noqa: E731
    assert names() == ["a", "b", "c"]
    assert names(account=A) == ["a", "c"]
    assert names(region="us-east-1") == ["b", "c"]
    assert names(account=A, region="us-east-1") == ["c"]
    assert [i.name for i in index.find_any("x", account=B)] == ["b", "c"]


@pytest.mark.parametrize(
    ("type", "members", "account", "region"),
    [
        ("aws_instance", {"attributes": ec2("i", "cn-north-1", B)}, B, "cn-north-1"),
        ("aws_iam_role", {"attributes": {"id": "r", "arn": f"arn:aws:iam::{B}:role/r"}}, B, ""),
        ("aws_s3_bucket", {"attributes": {"id": "b", "arn": "arn:aws:s3:::b", "region": "us-west-2"}}, A, "us-west-2"),
        ("aws_s3_bucket", {"attributes": {"id": "b", "arn": "arn:aws:s3:::b"}}, A, ""),
        ("aws_route", {"attributes": {"id": "r"}}, A, "eu-west-1"),
        ("aws_vpc", {"attributes": {"id": "v", "owner_id": B}}, B, "eu-west-1"),
        ("aws_iam_role_policy", {"attributes": {"id": "r:p"}}, A, ""),
        ("aws_route53_record", {"attributes": {"id": "z_n_A"}}, A, ""),
        ("aws_s3_account_public_access_block", {"attributes": {"id": A}}, A, ""),
        ("aws_dx_gateway", {"attributes": {"id": "x"}}, A, ""),
        ("aws_route53_resolver_rule", {"attributes": {"id": "r"}}, A, "eu-west-1"),
        (
            "aws_sqs_queue_policy",
            {"attributes": {"id": "p"}, "identity": {"account_id": B, "region": "ap-south-1"}},
            B,
            "ap-south-1",
        ),
        ("aws_x", {"attributes": {"id": "p", "arn": "arn:aws:ec2:us-east-1::image/ami-1"}}, A, "us-east-1"),
        ("aws_x", {"attributes": {"id": "p", "arn": "nonsense", "owner_id": "amazon"}}, A, "eu-west-1"),
    ],
)
def test_account_and_region_come_from_the_resource_else_from_its_provider(type, members, account, region):
    index = index_of(
        state(resource("aws_instance", "known", ec2("known")), resource(type, "r", {"schema_version": 0, **members}))
    )
    found = next(i for i in index.all(type) if i.name == "r")
    assert (found.account, found.region) == (account, region)


def test_opentofu_may_have_a_provider_for_each_instance():
    tofu = 'provider["registry.opentofu.org/hashicorp/aws"].by_region'
    index = index_of(
        state(
            resource(
                "aws_instance",
                "web",
                instance(ec2("i-1", "eu-west-1"), index_key="a", provider=f'{tofu}["eu-west-1"]'),
                instance(ec2("i-2", "us-east-1"), index_key="b", provider=f'{tofu}["us-east-1"]'),
                provider="",
            ),
            resource(
                "aws_route", "r", instance({"id": "r"}, index_key=0, provider=f'{tofu}["us-east-1"]'), provider=""
            ),
            resource("aws_route", "s", {"id": "s"}, provider='provider["registry.terraform.io/hashicorp/aws"]'),
        )
    )
    (route,) = (i for i in index.all("aws_route") if i.name == "r")
    assert (route.region, route.tool, route.resource.alias) == ("us-east-1", "tofu", 'by_region["us-east-1"]')
    assert addresses(index.all("aws_instance")) == ['aws_instance.web["a"]', 'aws_instance.web["b"]']
    assert index.tool == "tofu"
    assert [i.tool for i in index.all("aws_route")] == ["tofu", "terraform"]


def test_the_form_of_an_identity_is_seen_in_resources_of_the_type():
    identity = {"account_id": A, "name": "r"}
    index = index_of(
        state(
            resource("aws_iam_role", "old", {"id": "o"}),
            resource("aws_iam_role", "r", instance({"id": "r"}, identity=identity, identity_schema_version=0)),
            resource("aws_vpc", "v", instance({"id": "v"}, identity=None)),
        )
    )
    assert index.identity("aws_iam_role") == ("account_id", "name")
    assert index.identity("aws_vpc") == index.identity("aws_eip") == ()


def test_a_provider_whose_resources_disagree_tells_nothing():
    index = index_of(
        state(
            resource("aws_instance", "a", ec2("a", "eu-west-1", A)),
            resource("aws_instance", "b", ec2("b", "eu-west-1", B)),
            resource("aws_route", "r", {"id": "r"}),
        )
    )
    (found,) = index.all("aws_route")
    assert (found.account, found.region) == ("", "eu-west-1")


def test_the_users_mapping_wins_over_what_others_of_the_provider_show():
    raw = state(resource("aws_instance", "a", ec2("a")), resource("aws_route", "r", {"id": "r"}, provider=AWS + ".x"))
    found = State(orjson.dumps(raw), "s", scopes=lambda origin, alias: (B, "sa-east-1") if alias == "x" else ("", ""))
    assert [(i.account, i.region) for i in found.instances] == [(A, "eu-west-1"), (B, "sa-east-1")]


def test_only_managed_objects_that_stay_are_indexed():
    index = index_of(
        state(
            resource("aws_ami", "data", {"id": "ami-1"}, mode="data"),
            resource("aws_instance", "a", instance(ec2("i-old"), deposed="a1b2c3d4"), instance(ec2("i-new"))),
            resource("aws_instance", "t", instance(ec2("i-tainted"), status="tainted")),
            resource("aws_instance", "partial", {"schema_version": 0, "attributes": None}),
            resource("aws_old", "flat", {"attributes_flat": {"id": "f-1", "tags.%": "1", "tags.A": "b"}}),
        )
    )
    assert [(i.address, i.id) for i in index.all()] == [
        ("aws_instance.a", "i-new"),
        ("aws_instance.t", "i-tainted"),
        ("aws_instance.partial", ""),
        ("aws_old.flat", "f-1"),
    ]
    assert [i.tainted for i in index.all("aws_instance")] == [False, True, False]
    assert index.find("aws_old", "id", "f-1")[0].attributes == {"id": "f-1"}
    assert index.states[0].notes == ["aws_instance.partial has no id; it is found by its other attributes only"]


def test_sensitive_paths():
    step = {"type": "get_attr", "value": "environment"}
    paths = [
        [{"type": "get_attr", "value": "password"}],
        [step, {"type": "index", "value": {"value": 0, "type": "number"}}, {"type": "get_attr", "value": "variables"}],
        [{"type": "get_attr", "value": "tags"}, {"type": "index", "value": {"value": "K", "type": "string"}}],
        "nonsense",
        [],
    ]
    index = index_of(state(resource("x", "y", instance({"id": "1"}, sensitive_attributes=paths))))
    (found,) = index.all()
    assert found.sensitive == (("password",), ("environment", 0, "variables"), ("tags", "K"))


def test_an_object_of_several_states_is_kept_once():
    lambda_permission = {"id": "AllowS3", "function_name": "f"}
    first = state(
        resource("aws_instance", "a", ec2("i-1")),
        resource("aws_route", "r", {"id": "r-1"}),
        resource("aws_lambda_permission", "p", lambda_permission),
    )
    second = state(
        resource("aws_instance", "b", ec2("i-1", instance_type="t3.large")),
        resource("aws_route", "s", {"id": "r-1"}),
        resource("aws_lambda_permission", "q", {**lambda_permission, "function_name": "other"}),
        resource("aws_instance", "own", ec2("i-9")),
    )
    index = Index([State(orjson.dumps(first), "one"), State(orjson.dumps(second), "two")])
    assert addresses(index.find("aws_instance", "id", "i-1")) == ["aws_instance.a"]
    assert addresses(index.find("aws_instance", "instance_type", "t3.large")) == []
    assert addresses(index.find("aws_route", "id", "r-1")) == ["aws_route.r"]
    assert addresses(index.find("aws_lambda_permission", "id", "AllowS3")) == [
        "aws_lambda_permission.p",
        "aws_lambda_permission.q",
    ]
    assert {t.address: f.address for t, f in index.duplicates.items()} == {
        "aws_instance.b": "aws_instance.a",
        "aws_route.s": "aws_route.r",
    }
    assert len(index) == 5


def test_the_next_index_hashes_the_attributes_that_were_asked_for():
    index = index_of(state(resource("aws_eip", "e", {"id": "1", "instance": "i-1"})))
    index.find("aws_eip", "instance", "i-1")
    assert index.used == (("aws_eip", "instance"),)
    assert Index(index.states, index.used).used == index.used


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (state({"mode": "managed", "name": "x", "instances": []}), "a resource has no type; the state is damaged"),
        (state({"mode": "managed", "type": ["x"], "instances": []}), "a resource has no type; the state is damaged"),
    ],
)
def test_damaged_resources_are_said(document, message):
    with pytest.raises(StateError, match=message):
        index_of(document)


def test_an_instance_with_broken_json_inside_is_said():
    raw = b'{"version":4,"resources":[{"mode":"managed","type":"t","name":"n","instances":[{"attributes":{"a":tru}}]}]}'
    with pytest.raises(StateError, match="an instance at byte 79 is not valid JSON"):
        index_of(raw)


@pytest.mark.parametrize(
    ("provider", "alias"),
    [
        ('provider["registry.terraform.io/hashicorp/aws"]', ""),
        ('provider["registry.opentofu.org/hashicorp/aws"].us', "us"),
        ('module.m["x"].provider["registry.terraform.io/hashicorp/aws"].us', 'module.m["x"].us'),
        ("provider.aws", ""),
        ("provider.aws.us", "us"),
        ("module.m.provider.aws.us", "module.m.us"),
        ("nonsense", ""),
    ],
)
def test_provider_addresses_of_every_version(provider, alias):
    index = index_of(state(resource("aws_x", "y", {"id": "1"}, provider=provider)))
    (found,) = index.all()
    assert found.resource.alias == alias


@pytest.mark.parametrize("members", [{"resources": None}, {"resources": []}, {}])
def test_a_state_without_resources(members):
    document = {"version": 4, "terraform_version": "0.12.0", "serial": 1, "lineage": "x", **members}
    assert len(index_of(document)) == 0


CONFIGURATION = """
resource "terraform_data" "one" { input = "a" }
resource "terraform_data" "many" {
  count = 2
  input = { nested = [count.index] }
}
module "m" {
  for_each = toset(["x", "y.z"])
  source   = "./m"
}
"""
MODULE = """
variable "secret" {
  default   = "s"
  sensitive = true
}
resource "terraform_data" "inner" {
  for_each = toset(["a\\"b"])
  input    = var.secret
}
"""


def test_a_state_that_terraform_wrote(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "main.tf").write_text(CONFIGURATION)
    (tmp_path / "m" / "main.tf").write_text(MODULE)
    terraform(tmp_path, "init", "-input=false")
    terraform(tmp_path, "apply", "-auto-approve", "-input=false")
    listed = terraform(tmp_path, "state", "list").splitlines()
    index = index_of((tmp_path / "terraform.tfstate").read_bytes())
    assert sorted(addresses(index.all())) == sorted(listed)
    inner = next(i for i in index.all() if i.name == "inner")
    assert module_path(inner.module) == "m"
    assert ("input",) in [path[:1] for path in inner.sensitive]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (3, "3"),
        ("plain", '"plain"'),
        ("ü${v}", '"ü$${v}"'),
        ("$%{if}%$", '"$%%{if}%$"'),
        ('a"\\b', r'"a\"\\b"'),
        ("\n\r\t\x07\u200b", r'"\n\r\t\u0007\u200b"'),
        ("\U000e0001", r'"\U000e0001"'),
    ],
)
def test_a_key_is_written_as_terraform_writes_it(key: int | str, text: str) -> None:
    assert key_text(key) == text


def test_default_tags_are_seen_in_other_resources_of_the_provider() -> None:
    def tagged(name: str, own: dict[str, str], added: dict[str, str], alias: str = "") -> dict[str, object]:
        attributes = {**ec2(f"i-{name}"), "tags": own, "tags_all": {**own, **added}}
        return resource("aws_instance", name, instance(attributes), provider=f"{AWS}{alias}")

    index = index_of(
        state(
            tagged("own", {"Team": "a"}, {"Cost": "7"}),
            tagged("plain", {}, {"Team": "b", "Cost": "7", "Build": "1"}),
            tagged("older", {}, {"Team": "b", "Cost": "7", "Build": "2"}),
            tagged("elsewhere", {}, {"Team": "c"}, ".west"),
        )
    )
    found = {i.name: dict(i.default_tags) for i in index.all()}
    assert found["own"] == {"Team": "b", "Cost": "7"}
    assert found["elsewhere"] == {"Team": "c"}
