"""``tfdrift state``, ``doctor`` and ``init``, as a user runs them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.terraform.states import ec2, resource, state, write
from tfdrift_core.cli import main
from tfdrift_core.cli.settings import file_text
from tfdrift_core.config import load

MAIN = """\
terraform {
  backend "s3" {
    bucket         = "states"
    key            = "app.tfstate"
    region         = "us-east-1"
    endpoints      = { s3 = "%s" }
    use_path_style = true
  }
}

resource "aws_instance" "app" {
  count         = 2
  instance_type = "t3.micro"
}
"""


@pytest.fixture
def infra(aws, tmp_path):
    directory = tmp_path / "infra"
    directory.mkdir()
    (directory / "main.tf").write_text(MAIN % aws.url)
    instances = [{"schema_version": 1, "index_key": n, "attributes": ec2(f"i-{n}")} for n in range(2)]
    document = state(resource("aws_instance", "app", *instances), serial=7, lineage="abc")
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="states")
    s3.put_object(Bucket="states", Key="app.tfstate", Body=json.dumps(document).encode())
    return directory


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


class TestState:
    def test_a_configuration_with_an_s3_backend(self, run, infra):
        code, out, _ = run("state", "--config", infra)
        assert code == 0
        lines = out.splitlines()
        assert lines[0] == "s3://states/app.tfstate"
        assert lines[1].startswith(
            "  workspace default, serial 7, lineage abc, Terraform 1.11.4, 1 resource, 2 instances, checked "
        )
        assert [line.split() for line in lines[2:4]] == [
            ["aws_instance.app[0]", "i-0", "infra/main.tf:11"],
            ["aws_instance.app[1]", "i-1", "infra/main.tf:11"],
        ]
        assert lines[4] == "1 state, 2 resource instances"

    def test_as_json(self, run, infra):
        code, out, _ = run("state", "--json", "--config", infra)
        (found,) = json.loads(out)["states"]
        assert code == 0
        assert (found["source"], found["serial"], found["error"]) == ("s3://states/app.tfstate", 7, None)
        assert found["instances"][0] == {
            "address": "aws_instance.app[0]",
            "id": "i-0",
            "account": "111111111111",
            "region": "eu-west-1",
            "tainted": False,
            "file": str(infra / "main.tf"),
            "line": 11,
            "ignore_changes": [],
        }

    def test_types_and_summary(self, run, tmp_path):
        write(
            tmp_path / "a.tfstate", state(resource("aws_vpc", "v", {"id": "v"}), resource("aws_eip", "e", {"id": "e"}))
        )
        assert "aws_vpc.v" not in run("state", "a.tfstate", "-t", "aws_eip")[1]
        assert "aws_eip.e" in run("state", "a.tfstate", "-t", "aws_eip")[1]
        assert "aws_" not in run("state", "a.tfstate", "--summary")[1]

    def test_what_fails_is_in_the_list_and_in_the_exit_status(self, run, tmp_path):
        write(tmp_path / "a.tfstate", state(resource("aws_vpc", "v", {"id": "v"})))
        (tmp_path / "b.tfstate").write_text("hello")
        code, out, err = run("state", "a.tfstate", "b.tfstate")
        assert code == 1
        assert "b.tfstate\n  error: this is not JSON, so not a Terraform state; check the location\n" in out
        assert "aws_vpc.v" in out
        assert out.endswith("1 state, 1 resource instance, 1 failing\n")
        assert "not JSON" not in err

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "no state: name one, or a configuration with --config"),
            (["--config", "none.yaml"], "none.yaml: No such file or directory; check the path"),
            (["--config", "bad.yaml"], "bad.yaml, line 1, column 2: cannot be read"),
            (
                ["--config", "other.yaml"],
                "other.yaml: plugins: has no entry named tfdrift; add one, tfdrift init writes",
            ),
            (["--config", "wrong.yaml"], "init_config.stat: unknown key; did you mean 'state'?"),
            (["--config", "bad.yaml", "--config", "other.yaml"], "--config names 2 configuration files; give one"),
            (["ftp://x"], "unknown scheme; use a path or one of s3://"),
        ],
    )
    def test_what_is_wrong_is_said(self, run, tmp_path, arguments, message):
        (tmp_path / "bad.yaml").write_text("{")
        (tmp_path / "other.yaml").write_text("plugins: [{name: json}]")
        (tmp_path / "wrong.yaml").write_text("stat: x")
        code, out, err = run("state", *arguments)
        assert (code, out) == (1, "")
        assert f"tfdrift: error: {message}" in err or message in err

    def test_a_falco_yaml_with_variables(self, run, tmp_path, monkeypatch):
        write(tmp_path / "a.tfstate", state(resource("aws_vpc", "v", {"id": "v"})))
        monkeypatch.setenv("WHERE", str(tmp_path))
        (tmp_path / "falco.yaml").write_text(
            "plugins:\n  - name: tfdrift\n    init_config:\n      state: ['${WHERE}/a.tfstate']\n    open_params: x\n"
        )
        assert "aws_vpc.v" in run("state", "--config", "falco.yaml")[1]
        assert json.loads(file_text(tmp_path / "falco.yaml")) == {"state": [f"{tmp_path}/a.tfstate"]}


class TestInit:
    def test_a_fragment_that_doctor_and_falco_can_read(self, run, infra, tmp_path):
        code, out, _ = run("init", infra, "--source", "sqs://queue")
        assert code == 0
        assert "# State found there: s3 (bucket=states, key=app.tfstate)" in out
        document = yaml.safe_load(out)
        assert document["load_plugins"] == ["tfdrift"]
        (plugin,) = document["plugins"]
        config = load(json.dumps(plugin["init_config"]))
        assert config.config == (str(infra),)
        assert config.aws.region == "us-east-1"
        assert [s.url for s in config.sources] == ["sqs://queue"]
        assert run("init", infra, "-o", tmp_path / "x.yaml")[0] == 0
        assert run("state", "--config", tmp_path / "x.yaml")[1].splitlines()[0] == "s3://states/app.tfstate"

    def test_a_source_that_is_none_writes_nothing(self, run, infra):
        code, out, err = run("init", infra, "--source", "sqs://a b")
        assert (code, out) == (1, "")
        assert err.startswith("tfdrift: error: --source sqs://a b: not a queue; write sqs://name")

    def test_what_is_wrong_is_said(self, run, tmp_path):
        assert "no Terraform configuration is there (*.tf, *.tf.json); check the path" in run("init", tmp_path)[2]
        (tmp_path / "main.tf").write_text('terraform {\n backend "s3" {}\n}')
        code, out, err = run("init", tmp_path)
        assert code == 1
        assert "# State found there: none yet" in out
        assert "no state was found; name it under state:" in err
        assert "its s3 backend does not say its bucket and key literally; run terraform init there" in out

    def test_it_names_the_states_and_where_checkpoints_are_kept(self, run, infra):
        code, out, err = run("init", infra, "--source", "sqs://queue", "--data-dir", "/srv/kept")
        assert code == 0
        assert (
            "tfdrift: found state: s3 (bucket=states, key=app.tfstate); it is read by itself, state: need not name it\n"
            in err
        )
        assert "lookup" not in out  # no word of a source that was not asked for
        assert load(json.dumps(yaml.safe_load(out)["plugins"][0]["init_config"])).data_dir == "/srv/kept"
        assert "# lookup:// asks CloudTrail" in run("init", infra)[1]

    def test_nothing_is_replaced_unasked(self, run, infra, tmp_path):
        (tmp_path / "x.yaml").write_text("mine")
        code, _, err = run("init", infra, "-o", tmp_path / "x.yaml")
        assert code == 1
        assert "x.yaml is there already; give another name, or --force" in err
        assert (tmp_path / "x.yaml").read_text() == "mine"
        assert run("init", infra, "-o", tmp_path / "x.yaml", "--force")[0] == 0
        assert (tmp_path / "x.yaml").read_text() != "mine"

    @pytest.fixture
    def estate(self, infra):
        """Two root modules below ``infra``, and modules: one that is called, one that nobody calls."""
        top = infra.parent / "estate"
        for name in ("net", "shop/prod"):
            (top / name).mkdir(parents=True)
            (top / name / "main.tf").write_text(
                (infra / "main.tf").read_text()
                + f'module "m" {{\n  source = "{"../" * (name.count("/") + 1)}modules/m"\n}}\n'
            )
        for name in ("m", "unused"):
            (top / "modules" / name).mkdir(parents=True)
            (top / "modules" / name / "main.tf").write_text(
                'resource "aws_vpc" "v" {\n  lifecycle {\n    ignore_changes = [tags]\n  }\n}\n'
            )
        return top

    def test_root_modules_below(self, run, estate):
        code, out, err = run("init", estate)
        assert (code, out) == (1, "")
        assert f"{estate}: no Terraform configuration is there, but below it in net, shop/prod; name" in err
        code, out, _ = run("init", estate, "--recursive")
        assert code == 0
        (plugin,) = yaml.safe_load(out)["plugins"]
        assert plugin["init_config"]["config"] == [str(estate / "net"), str(estate / "shop/prod")]

    def test_a_bundle_is_what_the_pod_reads(self, run, estate, tmp_path):
        assert run("init", estate, "-R", "--bundle", tmp_path / "k8s", "--source", "sqs://queue")[0] == 0
        maps = list(yaml.safe_load_all((tmp_path / "k8s/configmap.yaml").read_text()))
        values = yaml.safe_load((tmp_path / "k8s/values.yaml").read_text())
        data = {document["metadata"]["name"]: document["data"] for document in maps}
        (volume,) = [v for v in values["mounts"]["volumes"] if "projected" in v]
        (mount,) = [m for m in values["mounts"]["volumeMounts"] if m["name"] == volume["name"]]
        for source in volume["projected"]["sources"]:
            for item in source["configMap"]["items"]:
                assert re.fullmatch("[-._a-zA-Z0-9]{1,253}", item["key"])
                path = tmp_path / "pod" / item["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(data[source["configMap"]["name"]][item["key"]])
        (plugin,) = values["falco"]["plugins"]
        text = plugin["init_config"].replace(mount["mountPath"], str(tmp_path / "pod"))
        assert [s.url for s in load(text).sources] == ["sqs://queue"]
        (tmp_path / "init.json").write_text(text)
        code, out, _ = run("state", "--config", tmp_path / "init.json")
        assert code == 0
        assert "aws_instance.app[0]" in out
        assert "s3://states/app.tfstate" in out
        assert (tmp_path / "pod/modules/m/main.tf").exists()
        assert not (tmp_path / "pod/modules/unused").exists()

    def test_a_state_on_this_machine_cannot_be_in_a_bundle(self, run, tmp_path):
        (tmp_path / "infra").mkdir()
        (tmp_path / "infra/main.tf").write_text('resource "aws_vpc" "v" {}')
        write(tmp_path / "infra/terraform.tfstate", state(resource("aws_vpc", "v", {"id": "v"})))
        code, _, err = run("init", tmp_path / "infra", "--bundle", tmp_path / "out")
        assert code == 1
        assert "terraform.tfstate: a pod cannot read this file; keep the state in a backend such as s3" in err
        assert not (tmp_path / "out").exists()


class TestDoctor:
    def findings(self, run, *arguments):
        code, out, _ = run("doctor", "--no-plugin", *arguments)
        found = [tuple(line.split(maxsplit=1)) for line in out.splitlines()]
        assert code == (1 if any(level == "FAILED" for level, _ in found) else 0)
        return found

    def write(self, tmp_path, aws, **more):
        document = {"aws": {"endpoint_url": aws.url, "region": "us-east-1", "max_attempts": 1}, **more}
        path = tmp_path / "tfdrift.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def test_all_is_well(self, run, infra, aws, tmp_path):
        url = aws.client("sqs").create_queue(QueueName="trail")["QueueUrl"]
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a.json").write_text("{}")
        (tmp_path / "my trail.jsonl").write_text("")
        log = f"{tmp_path}/my%20trail.jsonl"
        aws.client("s3").put_object(Bucket="states", Key="logs/x.json", Body=b"{}")
        path = self.write(
            tmp_path,
            aws,
            config=[str(infra)],
            sources=[
                "sqs://trail",
                f"sqs://{url}",
                "s3://states/logs",
                str(tmp_path / "in"),
                f"file://{log}?follow=true",
            ],
            data_dir=str(tmp_path / "new" / "data"),
        )
        found = self.findings(run, "--config", path)
        assert ("ok", "configuration: valid") in found
        assert any(text.startswith("aws: is arn:aws:") for _, text in found)
        assert ("ok", "state s3://states/app.tfstate: serial 7, 2 resource instances") in found
        assert ("ok", "source sqs://trail: about 0 messages wait") in found
        assert ("ok", "source s3://states/logs: readable") in found
        assert ("ok", f"source {tmp_path}/in: readable") in found
        assert ("ok", f"source file://{log}?follow=true: readable") in found
        assert ("ok", f"data_dir: {tmp_path}/new/data can be written") in found
        assert not (tmp_path / "new").exists()
        assert not [f for f in found if f[0] == "FAILED"]

    def test_what_is_wrong_is_said_with_what_to_fix(self, run, aws, tmp_path):
        role = "arn:aws:iam::222222222222:role/r"
        path = self.write(
            tmp_path,
            aws,
            state=["/none.tfstate", "s3://none/x.tfstate"],
            accounts=[{"id": "333333333333", "role_arn": role}],
            sources=["sqs://none", "s3://none/x", "/no/trail/*.json", "kafka://x", "sqs://a b"],
            data_dir="/dev/null/x",
        )
        failed = {text for level, text in self.findings(run, "--config", path) if level == "FAILED"}
        for part in (
            "state /none.tfstate: No such file or directory; check the path",
            "state s3://none/x.tfstate: NoSuchBucket:",
            f"account 333333333333: role_arn is of another account: is {role.replace('iam', 'sts')[:20]}",
            "source sqs://none: AWS.SimpleQueueService.NonExistentQueue",
            "source s3://none/x: NoSuchBucket:",
            "source /no/trail/*.json: /no/trail/*.json: no such file or directory, and no file matches it as a pattern",
            "source kafka://x: unknown kind of source",
            "source sqs://a b: not a queue; write",
            "data_dir: /dev/null/x: Not a directory; give a directory that the user that runs Falco may write",
        ):
            assert any(text.startswith(part) for text in failed), (part, failed)

    def test_what_open_params_names_is_checked(self, run, aws, tmp_path):
        """As the README has it: init_config without sources, and what is read in open_params."""
        init = {"aws": {"endpoint_url": aws.url, "region": "us-east-1", "max_attempts": 1}, "state": []}
        plugin = {"name": "tfdrift", "library_path": "x", "init_config": init, "open_params": "lookup://"}
        (tmp_path / "falco.yaml").write_text(yaml.safe_dump({"plugins": [plugin]}))
        found = self.findings(run, "--config", tmp_path / "falco.yaml")
        assert any(text.startswith("aws: is arn:aws:") for _, text in found)
        assert ("warning", "data_dir: not set: a restart begins anew; name a directory that stays") in found
        plugin["open_params"] = "lookup://?regoin=x"
        (tmp_path / "falco.yaml").write_text(yaml.safe_dump({"plugins": [plugin]}))
        found = self.findings(run, "--config", tmp_path / "falco.yaml")
        assert any(text.startswith("source lookup://?regoin=x: unknown option regoin;") for _, text in found)

    def test_a_data_dir_is_tried(self, run, tmp_path):
        (tmp_path / "x.yaml").write_text("data_dir: /proc/tfdrift\n")
        found = self.findings(run, "--config", tmp_path / "x.yaml")
        assert any(level == "FAILED" and text.startswith("data_dir: /proc/tfdrift: ") for level, text in found)

    def test_a_role_that_may_not_be_assumed(self, run, aws, tmp_path, monkeypatch, caplog):
        iam = aws.client("iam")
        iam.create_user(UserName="u")
        key = iam.create_access_key(UserName="u")["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        role = "arn:aws:iam::123456789012:role/r"
        path = self.write(tmp_path, aws, state=[{"backend": "s3", "bucket": "b", "key": "k", "role_arn": role}])
        caplog.set_level("DEBUG")
        with aws.enforced():
            found = dict(text.split(": ", 1) for _, text in self.findings(run, "--config", path))
        said = found["state s3://b/k"]
        assert said.startswith("AccessDenied: ")
        assert said.endswith(
            "allow sts:AssumeRole on the role of role_arn, here and in that role's trust policy, to this identity"
        )
        assert "s3:GetObject" not in said
        assert not any(record.exc_info for record in caplog.records if record.name.startswith("botocore.credentials"))

    def test_permissions_that_are_not_held(self, run, aws, tmp_path, monkeypatch):
        s3, iam = aws.client("s3"), aws.client("iam")
        s3.create_bucket(Bucket="trail")
        s3.put_object(Bucket="trail", Key="x", Body=b"")
        iam.create_user(UserName="falco")
        keys = iam.create_access_key(UserName="falco")["AccessKey"]
        path = self.write(tmp_path, aws, state=[], sources=["s3://trail", "lookup://"])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
        with aws.enforced():
            found = self.findings(run, "--config", path)
        text = "\n".join(text for level, text in found if level == "FAILED")
        assert "source s3://trail: AccessDenied" in text
        assert "allow s3:ListBucket on arn:aws:s3:::trail to this identity" in text
        assert "allow cloudtrail:LookupEvents to this identity" in text

    @pytest.mark.parametrize(
        ("decision", "level", "text"),
        [
            ("allowed", "ok", "sqs:DeleteMessage are allowed"),
            ("implicitDeny", "FAILED", "allow sqs:DeleteMessage on arn:q to arn:aws:iam::111111111111:role/falco"),
        ],
    )
    def test_the_policy_simulator_is_asked_for_what_must_not_be_tried(self, site, decision, level, text):
        from tfdrift_core.cli.doctor import _simulated
        from tfdrift_core.config import Aws

        identity = "<Arn>arn:aws:sts::111111111111:assumed-role/falco/s</Arn>"
        result = f"<EvalActionName>sqs:DeleteMessage</EvalActionName><EvalDecision>{decision}</EvalDecision>"
        asked = []

        def answer(handler):
            body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
            asked.append(body)
            if "Action=GetCallerIdentity" in body:
                inner = f"<GetCallerIdentityResult>{identity}</GetCallerIdentityResult>"
                return 200, {}, f"<GetCallerIdentityResponse>{inner}</GetCallerIdentityResponse>".encode()
            member = f"<EvaluationResults><member>{result}</member></EvaluationResults>"
            inner = f"<SimulatePrincipalPolicyResult>{member}</SimulatePrincipalPolicyResult>"
            return 200, {}, f"<SimulatePrincipalPolicyResponse>{inner}</SimulatePrincipalPolicyResponse>".encode()

        site.routes["/"] = answer
        access = Aws(endpoint_url=site.url, region="us-east-1")
        found = _simulated("source", access, ["sqs:DeleteMessage"], "arn:q")
        assert (found.level, found.text) == (level, text)
        assert "PolicySourceArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Ffalco" in asked[-1]

    def test_what_looks_odd_is_a_warning(self, run, tmp_path):
        write(tmp_path / "infra" / "terraform.tfstate", state(resource("aws_route", "r", {"id": "r"})))
        Path(tmp_path / "infra" / "main.tf").write_text("")
        found = self.findings(run, "--config", tmp_path / "infra")
        warnings = [text for level, text in found if level == "warning"]
        assert any("the account of 1 is not known: add accounts" in text for text in warnings)
        assert "config: no resource of the state is in these directories; check the paths" in warnings
        assert "sources: none; Falco's open_params must name one" in warnings
        (tmp_path / "x.yaml").write_text(
            "sources: ['lookup://']\naws: {endpoint_url: 'http://127.0.0.1:1', max_attempts: 1}"
        )
        found = self.findings(run, "--config", tmp_path / "x.yaml")
        assert ("warning", "data_dir: not set: a restart begins anew; name a directory that stays") in found
        assert any("state: none is configured" in text for _, text in found)
        assert any(level == "FAILED" and "check endpoint_url, the region and the network" in t for level, t in found)

    def test_what_falco_yaml_names_is_what_is_checked(self, run, tmp_path):
        write(tmp_path / "a.tfstate", state(resource("aws_vpc", "v", {"id": "v"})))
        (tmp_path / "there.yaml").write_text("[]")
        text = "plugins: [{name: tfdrift, library_path: %s, init_config: {state: [a.tfstate]}}]\nrules_files: [%s]\n"
        (tmp_path / "falco.yaml").write_text(text % ("/no/lib.so", "/no/rules.yaml"))
        code, out, _ = run("doctor", "-c", "falco.yaml")
        assert code == 1
        assert "FAILED   plugin: library_path /no/lib.so is not there, so Falco will not start" in out
        assert "FAILED   rules: /no/rules.yaml is not there; Falco passes over it" in out
        assert "loads" not in out
        (tmp_path / "falco.yaml").write_text(text % ("tfdrift-none.so", "there.yaml, /no/rules.yaml"))
        _, out, _ = run("doctor", "-c", "falco.yaml")
        assert "library_path /usr/share/falco/plugins/tfdrift-none.so is not there" in out
        assert "warning  rules: /no/rules.yaml is not there" in out

    @pytest.mark.parametrize(
        "text",
        [
            "aws: {role_arn: nope}",
            "accounts: [{id: '333333333333', role_arn: 'arn:aws:iam::333333333333:user/x'}]",
            "sources: [{url: 'sqs://q', role_arn: nope}]",
            "sources: ['lookup://?role_arn=role/x']",
        ],
    )
    def test_a_role_that_is_none(self, run, tmp_path, text):
        (tmp_path / "x.yaml").write_text(text)
        found = [text for level, text in self.findings(run, "--config", "x.yaml") if level == "FAILED"]
        assert any("is not the ARN of a role: write arn:aws:iam::ACCOUNT:role/NAME" in text for text in found)

    def test_as_json(self, run, tmp_path):
        (tmp_path / "x.yaml").write_text("state: /none.tfstate")
        code, out, _ = run("doctor", "--no-plugin", "--json", "-c", "x.yaml")
        assert code == 1
        text = "No such file or directory; check the path"
        found = [json.loads(line) for line in out.splitlines()]
        assert {"level": "FAILED", "subject": "state /none.tfstate", "text": text} in found

    def test_a_broken_configuration_ends_it(self, run, tmp_path):
        (tmp_path / "x.yaml").write_text("stat: 1\nrefresh_interval: x")
        found = self.findings(run, "--config", tmp_path / "x.yaml")
        assert [level for level, _ in found] == ["FAILED", "FAILED"]
        (tmp_path / "x.yaml").write_text(f"catalog: {tmp_path / 'none.yaml'}")
        problem = f"configuration: catalog {tmp_path / 'none.yaml'}: No such file or directory; check the path"
        assert self.findings(run, "--config", tmp_path / "x.yaml") == [("FAILED", problem)]


def test_the_examples_of_the_documentation_are_valid():
    text = (Path(__file__).parents[2] / "docs" / "state.md").read_text()
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 5
    for example in examples:
        load(example)
