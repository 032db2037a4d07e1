import json
import logging

import pytest

from tests.terraform.states import ec2, instance, resource, state, terraform, write
from tfdrift_core.config import load
from tfdrift_core.terraform import backends
from tfdrift_core.terraform.backends import Context, fsspec
from tfdrift_core.terraform.configuration import NO_BLOCK, Configuration, Provider
from tfdrift_core.terraform.discovery import discover
from tfdrift_core.terraform.hcl import UNKNOWN, HclError, parse, parse_json
from tfdrift_core.terraform.model import IgnoredTags
from tfdrift_core.terraform.store import StateStore

MAIN = """\
# a comment with resource "aws_x" "no" {}
provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["111111111111"]
}
provider "aws" {
  alias  = "us"
  region = var.region
  assume_role {
    role_arn = "arn:aws:iam::222222222222:role/deploy"
  }
}

resource "aws_instance" "app" {
  count         = 2
  ami           = data.aws_ami.x.id
  instance_type = var.size ? "a" : "b"
  tags = {
    Name  = "x"
    "Env" = "prod"
    (var.k) = "v"
  }

  root_block_device {
    volume_size = 8
  }
  dynamic "ebs_block_device" {
    for_each = var.disks
    content {
      device_name = ebs_block_device.value
    }
  }
  user_data = <<-EOT
    resource "aws_instance" "fake" {
    }
  EOT

  lifecycle {
    create_before_destroy = true
    ignore_changes = [
      ami, # comment
      tags["Env"],
      root_block_device[0].volume_size,
      tags.Name,
    ]
  }
}
resource "aws_instance" "all" {
  lifecycle { ignore_changes = all }
}
resource "aws_instance" "old" {
  lifecycle { ignore_changes = ["ami", "tags.%"] }
}
resource "aws_instance" "star" {
  lifecycle { ignore_changes = ["*"] }
}
module "web" {
  source   = "./modules/web"
  for_each = toset(["a"])
}
module "registry" {
  source = "terraform-aws-modules/vpc/aws"
}
module "computed" {
  source = var.source
}
"""
WEB = """
resource "aws_s3_bucket" "b" {
  bucket = "x"
}
module "deep" {
  source = "../deep"
}
"""
DEEP = 'resource "aws_sqs_queue" "q" {\n  name = "q"\n}\n'


@pytest.fixture
def directory(tmp_path):
    for name, text in (("main.tf", MAIN), ("modules/web/web.tf", WEB), ("modules/deep/q.tf", DEEP)):
        path = tmp_path / "infra" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "infra"


def line_of(text, part):
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


class TestBlocks:
    def test_file_lines_and_ignored_changes(self, directory):
        block = Configuration(str(directory)).block("", "aws_instance", "app")
        assert block.file == str(directory / "main.tf")
        assert block.line == line_of(MAIN, '"aws_instance" "app"')
        for path, part in {
            "instance_type": "instance_type",
            "tags": "tags = {",
            "tags.Name": "Name  =",
            'tags["Env"]': '"Env" =',
            'tags["Other"]': "tags = {",
            "root_block_device": "root_block_device {",
            "root_block_device[0].volume_size": "volume_size = 8",
            "root_block_device[0].volume_type": "root_block_device {",
            "ebs_block_device[1].device_name": "device_name =",
            "user_data": "user_data",
        }.items():
            assert block.attribute_line(path) == line_of(MAIN, part), path
        assert block.attribute_line("monitoring") == 0
        assert block.ignore_changes == ("ami", 'tags["Env"]', "root_block_device[0].volume_size", "tags.Name")

    def test_all_and_the_old_spelling(self, directory):
        configuration = Configuration(str(directory))
        ignored = [configuration.block("", "aws_instance", name).ignore_changes for name in ("all", "old", "star")]
        assert ignored == [("all",), ("ami", "tags.%"), ("all",)]
        assert configuration.block("", "aws_instance", "fake") is NO_BLOCK

    def test_local_modules_are_followed_and_others_where_init_put_them(self, directory):
        configuration = Configuration(str(directory))
        assert configuration.block('module.web["a"]', "aws_s3_bucket", "b").file == str(
            directory / "modules/web/web.tf"
        )
        deep = configuration.block('module.web["x.y"].module.deep[0]', "aws_sqs_queue", "q")
        assert (deep.file, deep.line) == (str(directory / "modules/deep/q.tf"), 1)
        for unknown in ("module.registry", "module.computed", "module.none"):
            assert configuration.block(unknown, "aws_sqs_queue", "q") is NO_BLOCK
        installed = {"Modules": [{"Key": "", "Dir": "."}, {"Key": "registry", "Dir": ".terraform/modules/registry"}]}
        write(directory / ".terraform/modules/modules.json", installed)
        (directory / ".terraform/modules/registry").mkdir()
        (directory / ".terraform/modules/registry/q.tf").write_text(DEEP)
        assert Configuration(str(directory)).block("module.registry", "aws_sqs_queue", "q").line == 1

    def test_providers_tell_what_they_say_literally(self, directory):
        configuration = Configuration(str(directory))
        assert configuration.provider("") == Provider("111111111111", "eu-west-1")
        assert configuration.provider("us") == Provider("222222222222", "")
        assert configuration.provider("none") == Provider()

    def test_tags_that_a_provider_ignores(self, tmp_path, caplog):
        (tmp_path / "main.tf").write_text(
            'provider "aws" {\n ignore_tags {\n  keys = ["a", "b"]\n  key_prefixes = ["k/"]\n }\n}\n'
            'provider "aws" {\n alias = "x"\n ignore_tags { keys = ["a", var.b, "c${var.d}"] }\n}\n'
            'provider "aws" {\n alias = "y"\n ignore_tags { key_prefixes = local.p }\n}\n'
        )
        (tmp_path / "more.tf.json").write_text(
            json.dumps({"provider": {"aws": {"alias": "z", "ignore_tags": [{"keys": ["j"]}]}}})
        )
        configuration = Configuration(str(tmp_path))
        found = {alias: configuration.provider(alias).ignored_tags for alias in ("", "x", "y", "z", "none")}
        assert [key for key in ("a", "b", "c", "k/c", "k") if key in found[""]] == ["a", "b", "k/c"]
        assert [key for key in ("a", "b", "c", "cd") if key in found["x"]] == ["a"]
        assert found["y"] == found["none"] == IgnoredTags()
        assert found["z"] == IgnoredTags(frozenset({"j"}))
        assert [m.partition(": ")[2].partition(" of")[0] for m in caplog.messages] == ["keys", "key_prefixes"]

    def test_tags_that_a_provider_ignores_by_a_local_value(self, tmp_path):
        (tmp_path / "main.tf").write_text('provider "aws" {\n ignore_tags { keys = local.k }\n}\n')
        (tmp_path / "z.tf").write_text('locals {\n k = ["a"]\n}\n')
        assert Configuration(str(tmp_path)).provider("").ignored_tags == IgnoredTags(frozenset({"a"}))

    def test_tags_that_the_provider_of_a_module_ignores(self, tmp_path):
        (tmp_path / "main.tf").write_text('module "m" {\n source = "./m"\n}\n')
        (tmp_path / "m").mkdir()
        blocks = 'provider "aws" {\n ignore_tags { keys = ["a"] }\n}\nprovider "aws" {\n alias = "x"\n}\n'
        (tmp_path / "m" / "main.tf").write_text(blocks)
        configuration = Configuration(str(tmp_path))
        assert configuration.provider("module.m.").ignored_tags == IgnoredTags(frozenset({"a"}))
        others = ("module.m.x", "module.n.", 'module.m["a"].x', "module.m.y")
        assert {configuration.provider(alias).ignored_tags for alias in others} == {IgnoredTags()}

    def test_json_syntax(self, tmp_path):
        document = {
            "provider": {"aws": [{"region": "us-east-1"}, {"alias": "x", "region": "${var.r}"}]},
            "resource": {
                "aws_instance": {
                    "app": {
                        "ami": "x",
                        "tags": {"Name": "n"},
                        "lifecycle": {"ignore_changes": ["ami", 'tags["A"]']},
                    },
                    "all": [{"lifecycle": [{"ignore_changes": "all"}]}],
                }
            },
            "module": {"web": {"source": "./web"}},
        }
        text = json.dumps(document, indent="\t")
        (tmp_path / "main.tf.json").write_text(text)
        (tmp_path / "web").mkdir()
        (tmp_path / "web" / "q.tf").write_text(DEEP)
        configuration = Configuration(str(tmp_path))
        app = configuration.block("", "aws_instance", "app")
        assert app.line == line_of(text, '"app"')
        assert app.attribute_line("ami") == line_of(text, '"ami"')
        assert app.attribute_line("tags.Name") == line_of(text, '"Name"')
        assert app.ignore_changes == ("ami", 'tags["A"]')
        assert configuration.block("", "aws_instance", "all").ignore_changes == ("all",)
        assert configuration.block("module.web", "aws_sqs_queue", "q").line == 1
        assert configuration.provider("") == Provider(region="us-east-1")
        assert configuration.provider("x") == Provider()

    def test_override_and_tofu_files(self, tmp_path):
        (tmp_path / "a.tf").write_text('resource "aws_x" "y" {\n  name = 1\n}\n')
        (tmp_path / "a_override.tf").write_text(
            '\n\n\nresource "aws_x" "y" {\n lifecycle { ignore_changes = [name] }\n}'
        )
        (tmp_path / "b.tf").write_text('resource "aws_x" "old" {}')
        (tmp_path / "b.tofu").write_text('resource "aws_x" "new" {}')
        configuration = Configuration(str(tmp_path))
        block = configuration.block("", "aws_x", "y")
        assert (block.file, block.line, block.ignore_changes) == (str(tmp_path / "a.tf"), 1, ("name",))
        assert configuration.block("", "aws_x", "old") is NO_BLOCK
        assert configuration.block("", "aws_x", "new").line == 1

    def test_a_file_that_cannot_be_read_is_told_and_stops_nothing(self, tmp_path, caplog):
        (tmp_path / "bad.tf").write_text('resource "aws_x" "y" {\n  name = = 1\n}\n')
        (tmp_path / "bad.tf.json").write_text('{"resource": ')
        (tmp_path / "list.tf.json").write_text("[]")
        (tmp_path / "good.tf").write_text('resource "aws_x" "z" {}')
        configuration = Configuration(str(tmp_path))
        assert configuration.block("", "aws_x", "z").line == 1
        said = "\n".join(caplog.messages)
        assert (
            f"{tmp_path / 'bad.tf'}: line 2: not valid HCL; its resources have no file, line and ignore_changes" in said
        )
        assert f"{tmp_path / 'bad.tf.json'}: line 1: not valid JSON" in said
        assert f"{tmp_path / 'list.tf.json'}: not a JSON object" in said
        Configuration(str(tmp_path / "none")).block("", "aws_x", "z")
        assert f"configuration {tmp_path / 'none'}: No such file or directory; check the path" in caplog.messages

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ('"a"', "a"),
            ('"a\\n\\"\\u00e9$${x}%%{y}"', 'a\n"é${x}%{y}'),
            ('"${var.x}"', UNKNOWN),
            ('"a%{if x}b%{endif}"', UNKNOWN),
            ("1", 1),
            ("-2.5", -2.5),
            ("true", True),
            ("null", None),
            ('["a", 1]', ["a", 1]),
            ("[var.x]", UNKNOWN),
            ('{ a = 1, "b" : "c" }', {"a": 1, "b": "c"}),
            ("{ (var.k) = 1 }", UNKNOWN),
            ("var.x", UNKNOWN),
            ("1 + 2", UNKNOWN),
            ("!true", UNKNOWN),
            ("f(1)", UNKNOWN),
            ('true ? "a" : "b"', UNKNOWN),
            ("[for x in [1] : x]", UNKNOWN),
            ("<<E\nx\nE\n", UNKNOWN),
        ],
    )
    def test_literals_are_read_and_nothing_is_guessed(self, text, value):
        found = parse(f"a = {text}").attributes["a"].literal
        assert found is value if value is UNKNOWN else found == value

    def test_deep_nesting_is_refused(self):
        for read in (parse, parse_json):
            with pytest.raises(HclError):
                read('{"a":' * 5000)
        with pytest.raises(HclError):
            parse("a = " + "[" * 5000 + "]" * 5000)


class TestDiscovery:
    def found(self, tmp_path, text, files=None):
        (tmp_path / "main.tf").write_text(text)
        for name, content in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        return discover(Configuration(str(tmp_path)))

    @pytest.mark.parametrize(
        ("block", "spec"),
        [
            (
                'backend "s3" {\nbucket = "b"\nkey = "k"\nregion = "eu-west-1"\naccess_key = "AKIA"\n}',
                {"backend": "s3", "bucket": "b", "key": "k", "region": "eu-west-1", "workspace_key_prefix": "env:"},
            ),
            (
                'backend "s3" {\nbucket = "b"\nkey = "k"\nworkspace_key_prefix = "w"\nassume_role = {\n'
                'role_arn = "arn:aws:iam::111122223333:role/r"\nexternal_id = "x"\n}\n'
                'endpoints = { s3 = "http://e" }\nuse_path_style = true\n}',
                {
                    "backend": "s3",
                    "bucket": "b",
                    "key": "k",
                    "workspace_key_prefix": "w",
                    "role_arn": "arn:aws:iam::111122223333:role/r",
                    "external_id": "x",
                    "endpoint_url": "http://e",
                    "use_path_style": True,
                },
            ),
            (
                'backend "http" {\naddress = "https://h/s"\nusername = "u"\npassword = "p"\n}',
                {"backend": "http", "address": "https://h/s", "username": "u"},
            ),
            ('backend "gcs" {\nbucket = "b"\nprefix = "p"\n}', {"backend": "gcs", "bucket": "b", "prefix": "p"}),
            (
                'backend "azurerm" {\nstorage_account_name = "a"\ncontainer_name = "c"\nkey = "k"\naccess_key = "s"\n}',
                {"backend": "azurerm", "storage_account_name": "a", "container_name": "c", "key": "k"},
            ),
            ('backend "pg" {}', {"backend": "pg"}),
            ('backend "consul" {\npath = "p"\naccess_token = "s"\n}', {"backend": "consul", "path": "p"}),
            (
                'backend "kubernetes" {\nsecret_suffix = "x"\nin_cluster_config = true\n}',
                {"backend": "kubernetes", "secret_suffix": "x", "in_cluster_config": True},
            ),
            (
                'backend "remote" {\norganization = "o"\nworkspaces { prefix = "p-" }\n}',
                {"backend": "remote", "organization": "o", "workspaces": {"prefix": "p-"}},
            ),
            (
                'cloud {\nhostname = "tfe"\norganization = "o"\nworkspaces {\ntags = ["a"]\nproject = "p"\n}\n}',
                {
                    "backend": "cloud",
                    "hostname": "tfe",
                    "organization": "o",
                    "workspaces": {"tags": ["a"], "project": "p"},
                },
            ),
        ],
    )
    def test_backend_and_cloud_blocks(self, tmp_path, monkeypatch, block, spec):
        monkeypatch.delenv("AWS_REGION", raising=False)
        assert self.found(tmp_path, f"terraform {{\n{block}\n}}\n").states == [spec]
        load(json.dumps({"state": [spec]}))

    def test_the_environment_completes_a_block(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TF_HTTP_ADDRESS", "https://h/s")
        found = self.found(tmp_path, 'terraform {\n backend "http" {}\n}')
        assert found.states == [{"backend": "http", "address": "https://h/s"}]

    def test_a_partial_block_is_completed_by_each_tfbackend_file(self, tmp_path):
        files = {"env/dev.s3.tfbackend": 'key = "dev"', "env/prod.s3.tfbackend": 'key = "prod"\nregion = "us-east-1"'}
        found = self.found(tmp_path, 'terraform {\n backend "s3" {\n  bucket = "b"\n }\n}', files)
        assert [(s["bucket"], s["key"], s.get("region")) for s in found.states] == [
            ("b", "dev", None),
            ("b", "prod", "us-east-1"),
        ]

    def test_what_init_recorded_wins(self, tmp_path):
        recorded = {"version": 3, "backend": {"type": "s3", "config": {"bucket": "b", "key": "real", "region": None}}}
        found = self.found(
            tmp_path,
            'terraform {\n backend "s3" {\n  bucket = "b"\n }\n}',
            {".terraform/terraform.tfstate": json.dumps(recorded), "x.tfbackend": 'key = "other"'},
        )
        assert [s["key"] for s in found.states] == ["real"]

    @pytest.mark.parametrize(
        ("type", "config", "spec"),
        [
            (
                "cloud",
                {"organization": "o", "hostname": None, "token": "s", "workspaces": {"name": "w", "tags": None}},
                {"organization": "o", "workspaces": {"name": "w"}},
            ),
            (
                "remote",
                {"organization": "o", "workspaces": [{"name": None, "prefix": "p-"}]},
                {"organization": "o", "workspaces": {"prefix": "p-"}},
            ),
            (
                "s3",
                {
                    "bucket": "b",
                    "key": "k",
                    "assume_role": {"role_arn": "arn:aws:iam::111122223333:role/r"},
                    "endpoints": {"s3": "http://e"},
                },
                {
                    "bucket": "b",
                    "key": "k",
                    "role_arn": "arn:aws:iam::111122223333:role/r",
                    "endpoint_url": "http://e",
                    "workspace_key_prefix": "env:",
                },
            ),
        ],
    )
    def test_the_forms_that_init_records(self, tmp_path, monkeypatch, type, config, spec):
        monkeypatch.delenv("AWS_REGION", raising=False)
        write(tmp_path / ".terraform/terraform.tfstate", {"version": 3, "backend": {"type": type, "config": config}})
        assert self.found(tmp_path, "").states == [{"backend": type, **spec}]

    def test_terragrunt_where_it_is_literal(self, tmp_path, caplog):
        text = 'remote_state {\n backend = "s3"\n config = {\n  bucket = "b"\n  key = %s\n }\n}\n'
        (tmp_path / "terragrunt.hcl").write_text(text % '"k"')
        assert discover(Configuration(str(tmp_path))).states[0]["key"] == "k"
        caplog.set_level(logging.DEBUG, "tfdrift")
        (tmp_path / "terragrunt.hcl").write_text(text % '"${path_relative_to_include()}/x"  ')
        assert discover(Configuration(str(tmp_path))).states == ()
        assert any("remote_state's config is not literal" in m for m in caplog.messages)

    def test_local_files_and_workspaces(self, tmp_path):
        write(tmp_path / "terraform.tfstate", state())
        write(tmp_path / "terraform.tfstate.d" / "prod" / "terraform.tfstate", state())
        expected = [str(tmp_path / "terraform.tfstate"), str(tmp_path / "terraform.tfstate.d/prod/terraform.tfstate")]
        assert [s["path"] for s in self.found(tmp_path, "").states] == expected
        write(tmp_path / "own" / "x.tfstate", state())
        found = self.found(tmp_path, 'terraform {\n backend "local" {\n  path = "own/x.tfstate"\n }\n}')
        assert found.states[0] == {"path": str(tmp_path / "own/x.tfstate")}

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ('terraform {\n backend "s3" {\n  key = var.k\n }\n}', "its s3 backend does not say its bucket and key"),
            ('terraform {\n backend "oss" {\n }\n}', "its state backend oss is not supported; name the state under"),
            ("", "it names no backend, and "),
        ],
    )
    def test_why_there_is_none(self, tmp_path, text, problem):
        found = self.found(tmp_path, text)
        assert found.states == () or found.states == []
        assert problem in found.problem
        store = StateStore(load(json.dumps({"config": [str(tmp_path)]})))
        store.refresh()
        assert problem in store.errors[str(tmp_path)]

    def test_an_empty_directory(self, tmp_path):
        assert "no Terraform configuration is there" in discover(Configuration(str(tmp_path))).problem

    @pytest.mark.parametrize(
        ("block", "error"),
        [
            ('backend "s3" {\nbucket = "b"\nkey = ["k"]\n}', "state backend s3: key is a list; write text"),
            ('backend "s3" {\nbucket = "b"\nkey = "k"\nendpoint = 5\n}', "endpoint_url '5' is not an http"),
            ('backend "http" {\naddress = 5\n}', "state backend http: address '5' is not an http or https URL"),
            ("cloud {\norganization = {a = 1}\n}", "state backend hcp: organization is a map; write text"),
        ],
    )
    def test_a_literal_of_another_type_stops_no_other_state(self, tmp_path, block, error):
        (tmp_path / "odd").mkdir()
        (tmp_path / "odd" / "main.tf").write_text(f"terraform {{\n{block}\n}}\n")
        write(tmp_path / "good" / "terraform.tfstate", state(resource("aws_instance", "a", ec2())))
        (tmp_path / "good" / "main.tf").write_text("")
        store = StateStore(load(json.dumps({"config": [str(tmp_path / "odd"), str(tmp_path / "good")]})))
        store.refresh()
        assert len(store.index) == 1
        assert error in store.errors[str(tmp_path / "odd")]

    def test_terraform_converts_numbers_to_text(self, tmp_path, monkeypatch):
        seen = []
        monkeypatch.setattr(fsspec, "_filesystem", lambda *_: None)
        for value in ("5", "5.0", "0.5", "true"):
            (tmp_path / "main.tf").write_text(
                f'terraform {{\n backend "gcs" {{\n bucket = "b"\n prefix = {value}\n }}\n}}'
            )
            (spec,) = discover(Configuration(str(tmp_path))).states
            seen.append(backends.create(spec, Context()).origin)
        assert seen == ["gs://b/5/", "gs://b/5/", "gs://b/0.5/", "gs://b/true/"]

    def test_a_backend_that_cannot_be_made_stops_no_other(self, tmp_path):
        text = 'terraform {\n cloud {\n  organization = "o"\n }\n}'
        (tmp_path / "cloud").mkdir()
        (tmp_path / "cloud" / "main.tf").write_text(text)
        (tmp_path / "local").mkdir()
        (tmp_path / "local" / "main.tf").write_text("")
        write(tmp_path / "local" / "terraform.tfstate", state(resource("aws_instance", "a", ec2())))
        store = StateStore(load(json.dumps({"config": [str(tmp_path / "cloud"), str(tmp_path / "local")]})))
        store.refresh()
        assert len(store.index) == 1
        assert (
            "no API token for app.terraform.io; set TF_TOKEN_app_terraform_io" in store.errors[str(tmp_path / "cloud")]
        )


class TestTogether:
    def test_instances_of_count_share_their_block_and_its_provider(self, directory):
        one, two = (instance(ec2(f"i-{n}"), index_key=n) for n in range(2))
        aws = 'provider["registry.terraform.io/hashicorp/aws"]'
        document = state(
            resource("aws_instance", "app", one, two),
            resource("aws_route", "r", {"id": "r-1"}, provider=f"{aws}.us"),
            resource("aws_route", "m", {"id": "r-2"}, provider=f"module.web.{aws}.us", module='module.web["a"]'),
        )
        write(directory / "terraform.tfstate", document)
        store = StateStore(load(json.dumps({"config": [str(directory)]})))
        store.refresh()
        found = list(store.index.all("aws_instance"))
        assert {(i.file, i.line) for i in found} == {
            (str(directory / "main.tf"), line_of(MAIN, '"aws_instance" "app"'))
        }
        assert found[0].attribute_line("instance_type") == line_of(MAIN, "instance_type")
        assert found[1].ignore_changes[0] == "ami"
        assert [(i.account, i.region) for i in store.index.all("aws_route")] == [("222222222222", ""), ("", "")]

    def test_an_edited_configuration_is_read_again(self, directory):
        write(directory / "terraform.tfstate", state(resource("aws_instance", "app", ec2())))
        store = StateStore(load(json.dumps({"config": [str(directory)]})))
        store.refresh()
        (found,) = store.index.all()
        line = found.line
        (directory / "main.tf").write_text("\n\n" + MAIN)
        store.refresh(force=True)
        assert found.line == line + 2

    def test_a_state_of_its_own_is_matched_where_only_one_configuration_has_the_block(self, directory, tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        (other / "x.tf").write_text('resource "aws_instance" "all" {}\nresource "aws_instance" "mine" {}\n')
        document = state(*(resource("aws_instance", name, ec2(f"i-{name}")) for name in ("app", "mine", "all")))
        path = write(tmp_path / "x.tfstate", document)
        store = StateStore(load(json.dumps({"state": [str(path)], "config": [str(directory), str(other)]})))
        store.refresh()
        assert store.errors == {}
        files = {i.name: i.file for i in store.index.all()}
        assert files == {"app": str(directory / "main.tf"), "mine": str(other / "x.tf"), "all": ""}

    def test_terraform_and_tfdrift_read_the_same_configuration(self, tmp_path):
        (tmp_path / "main.tf").write_text(
            'terraform {\n  backend "local" {\n    path = "own/terraform.tfstate"\n  }\n}\n'
            'module "m" {\n  source = "./m"\n  count = 2\n}\n'
        )
        (tmp_path / "m").mkdir()
        (tmp_path / "m" / "main.tf").write_text(
            'resource "terraform_data" "one" {\n  input = "a"\n  lifecycle {\n    ignore_changes = [input]\n  }\n}\n'
        )
        terraform(tmp_path, "init", "-input=false")
        terraform(tmp_path, "apply", "-auto-approve", "-input=false")
        terraform(tmp_path, "workspace", "new", "w")
        terraform(tmp_path, "apply", "-auto-approve", "-input=false")
        store = StateStore(load(json.dumps({"config": [str(tmp_path)]})))
        store.refresh()
        assert store.errors == {}
        found = [(i.workspace, i.address, i.file, i.line, i.ignore_changes) for i in store.index.all()]
        place = (str(tmp_path / "m" / "main.tf"), 1, ("input",))
        assert sorted(found) == sorted(
            (workspace, f"module.m[{n}].terraform_data.one", *place) for workspace in ("default", "w") for n in (0, 1)
        )
