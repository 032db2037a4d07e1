"""Every backend, against the real thing where it can be had."""

import base64
import gzip
import hashlib
import importlib.util
import json
import sys
import time
from pathlib import Path

import pytest

from tests.real.parts import MissingPartError
from tests.terraform.conftest import serving
from tests.terraform.states import ec2, resource, state, terraform
from tfdrift_core.baseline.places import PlaceError, look
from tfdrift_core.config import Aws, Baseline, Config, ConfigError, load
from tfdrift_core.terraform import backends
from tfdrift_core.terraform.backends.base import Context
from tfdrift_core.terraform.configuration import Configuration
from tfdrift_core.terraform.discovery import discover
from tfdrift_core.terraform.scan import StateError
from tfdrift_core.terraform.store import StateStore

STATE = json.dumps(state(resource("aws_instance", "a", ec2("i-1")))).encode()
FAST = Context(timeout=0.3, deadline=0.6)

CONFIGURATION = """
terraform {
  backend "%s" {
%s
  }
}
resource "terraform_data" "one" { input = "a" }
"""


def make(spec, context=FAST):
    return backends.create(spec, context)


def fault(spec, context=FAST):
    """What the user is told."""
    backend = make(spec, context)
    with pytest.raises(StateError) as caught:
        [backend.read(ref, "") for ref in backend.refs()]
    backend.close()
    return str(caught.value)


def apply(directory: Path, backend: str, arguments: str, **environment: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "main.tf").write_text(CONFIGURATION % (backend, arguments))
    terraform(directory, "init", "-input=false", env=environment)
    terraform(directory, "apply", "-auto-approve", "-input=false", env=environment)


class TestSpecs:
    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ({"account": "1"}, "a state entry needs url, path or backend; add one"),
            ({"url": "ftp://x/y"}, "state 'ftp://x/y': unknown scheme; use a path or one of s3://, http://"),
            ({"backend": "s3"}, "state backend s3: bucket is missing; add it"),
            ({"backend": "s3", "bucket": ["b"]}, "state backend s3: bucket is a list; write text"),
            ({"backend": "s3", "bucket": "b", "key": {"a": 1}}, "state backend s3: key is a map; write text"),
            ({"backend": "s3", "bucket": None}, "state backend s3: bucket is missing; add it"),
            ({"backend": "s3", "bucket": "b", "use_path_style": 1}, "use_path_style is 1; write true or false"),
            ({"backend": "s3", "bucket": "b", "endpoint_url": "5"}, "endpoint_url '5' is not an http or https URL"),
            ({"url": "s3://["}, "state 's3://[' is not a URL: "),
            ({"url": "http://["}, "state 'http://[' is not a URL: "),
            ({"backend": "http", "address": "http://["}, "http: address 'http://[' is not an http or https URL"),
            ({"backend": "hcp", "organization": "o", "hostname": "a:b"}, "hostname 'https://a:b' is not an http"),
            ({"backend": "hcp", "organization": "o", "workspaces": [{}]}, "hcp: workspaces is a map; write text"),
            (
                {"backend": "hcp", "organization": "o", "workspaces": {"project": ["p"]}},
                "state backend hcp: workspaces.project is a list; write text",
            ),
            ({"backend": "consul", "path": "x", "address": "["}, "consul: address 'http://[' is not an http"),
            ({"backend": "azurerm", "container_name": "c", "key": "k"}, "state backend azure: adlfs says: "),
            ({"backend": "s3", "bucket": "b", "path": "x"}, "state backend s3: unknown option 'path'; it knows bucket"),
            ({"backend": "http", "address": "x"}, "address 'x' is not an http or https URL"),
            (
                {"url": "https://u:secret@h/x"},
                "the address holds a password; use username and password_env instead",
            ),
            (
                {"url": "https://h/x", "token_env": "MISSING"},
                "the environment variable MISSING (bearer token) is not set for the process that runs TFDrift",
            ),
            ({"url": "https://h/x", "username": "u"}, "the environment variable TF_HTTP_PASSWORD (password of u)"),
            ({"url": "https://h/x", "ca_file": "/nowhere"}, "ca_file /nowhere does not exist"),
            ({"url": "hcp://app.terraform.io/org"}, "no API token for app.terraform.io; set TF_TOKEN_app_terraform_io"),
            ({"url": "postgres://u:secret@h/db"}, "conn_str holds a password; use PGPASSWORD or PG_CONN_STR instead"),
            ({"backend": "pg", "conn_str": "nonsense"}, "state backend pg: conn_str: "),
            ({"backend": "kubernetes", "secret_suffix": "x"}, "check config_path"),
            ({"backend": "kubernetes", "secret_suffix": "x", "in_cluster_config": True}, "this is not a pod"),
            ({"backend": "consul", "address": "x"}, "state backend consul: path is missing; add it"),
            ({"backend": "azurerm", "key": "x"}, "state backend azurerm: container_name is missing"),
            ({"url": "s3:///prod/"}, "names no bucket; write s3://bucket/prefix/"),
        ],
    )
    def test_what_is_wrong_with_an_entry_is_said(self, spec, message):
        with pytest.raises(ConfigError) as caught:
            make(spec)
        assert message in str(caught.value)
        assert "secret" not in str(caught.value).replace("secret_suffix", "")

    @pytest.mark.parametrize(
        ("url", "origin"),
        [
            ("/x/y.tfstate", "/x/y.tfstate"),
            ("file:///x/y.tfstate", "/x/y.tfstate"),
            ("s3://b/a/k.tfstate", "s3://b/a/k.tfstate"),
            ("s3://b/a/", "s3://b/a/*.tfstate"),
            ("s3://b", "s3://b/*.tfstate"),
            ("https://h/x", "https://h/x"),
            ("https://h/x?name=a&access_token=s3cret#f", "https://h/x?name=a&access_token=***#f"),
            ("postgres://h/db", "pg://h:5432/db?schema=terraform_remote_state"),
            ("consul://h:8500/a/b", "consul://h:8500/a/b"),
        ],
    )
    def test_a_url_names_its_backend(self, url, origin):
        assert make({"url": url}).origin == origin


class TestS3:
    @pytest.fixture
    def bucket(self, aws):
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="states")
        return s3

    def spec(self, aws, **options):
        return {"backend": "s3", "bucket": "states", "endpoint_url": aws.url, "region": "us-east-1", **options}

    def test_terraforms_own_workspaces(self, aws, bucket, tmp_path):
        arguments = f"""
          bucket = "states"
          key = "app/terraform.tfstate"
          region = "us-east-1"
          endpoints = {{ s3 = "{aws.url}" }}
          use_path_style = true
          skip_credentials_validation = true
          skip_requesting_account_id = true
          skip_metadata_api_check = true
          skip_region_validation = true
          skip_s3_checksum = true
        """
        apply(tmp_path / "c", "s3", arguments)
        terraform(tmp_path / "c", "workspace", "new", "prod")
        terraform(tmp_path / "c", "apply", "-auto-approve", "-input=false")
        store = StateStore(load(json.dumps({"config": [str(tmp_path / "c")]})))
        store.refresh()
        assert store.errors == {}
        found = {(s.origin, s.workspace): [i.address for i in s.state.instances] for s in store.statuses}
        assert found == {
            ("s3://states/app/terraform.tfstate", "default"): ["terraform_data.one"],
            ("s3://states/env:/prod/app/terraform.tfstate", "prod"): ["terraform_data.one"],
        }
        (one, *_) = store.index.all()
        main = tmp_path / "c" / "main.tf"
        lines = main.read_text().splitlines()
        assert (one.file, lines[one.line - 1]) == (str(main), 'resource "terraform_data" "one" { input = "a" }')

    def test_a_whole_prefix_reads_only_what_changed(self, aws, bucket):
        for name in ("a/x.tfstate", "a/deep/y.tfstate", "b/z.tfstate", "a/x.tfstate.tflock", "a/readme"):
            bucket.put_object(Bucket="states", Key=name, Body=STATE)
        backend = make(self.spec(aws, prefix="a/"))
        refs = {ref.key: ref for ref in backend.refs()}
        assert sorted(refs) == ["a/deep/y.tfstate", "a/x.tfstate"]
        assert backend.read(refs["a/x.tfstate"], "").version == refs["a/x.tfstate"].version
        assert backend.locked(refs["a/x.tfstate"])
        assert not backend.locked(refs["a/deep/y.tfstate"])
        assert [r.key for r in make(self.spec(aws, key="*/z.tfstate")).refs()] == ["b/z.tfstate"]

    def test_one_key_is_read_again_only_when_it_changed(self, aws, bucket):
        bucket.put_bucket_versioning(Bucket="states", VersioningConfiguration={"Status": "Enabled"})
        bucket.put_object(Bucket="states", Key="k", Body=STATE, ServerSideEncryption="aws:kms")
        backend = make(self.spec(aws, key="k"))
        (ref,) = backend.refs()
        first = backend.read(ref, "")
        assert first.data == STATE
        assert backend.read(ref, first.version) is None
        bucket.put_object(Bucket="states", Key="k", Body=STATE + b" ")
        assert backend.read(ref, first.version).data == STATE + b" "
        assert not backend.locked(ref)
        bucket.put_object(Bucket="states", Key="k.tflock", Body=b"{}")
        assert backend.locked(ref)

    def test_terraforms_lock_in_a_table(self, aws, bucket, tmp_path, caplog):
        """What Terraform itself holds while it runs, seen from a program that it runs."""
        schema = [{"AttributeName": "LockID", "AttributeType": "S"}]
        aws.client("dynamodb").create_table(
            TableName="locks",
            AttributeDefinitions=schema,
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        config = tmp_path / "c"
        look = tmp_path / "look.py"
        look.write_text(f"""
import sys
from tfdrift_core.config import load
from tfdrift_core.terraform.store import StateStore
store = StateStore(load('{{"config": ["{config}"], "aws": {{"endpoint_url": "{aws.url}"}}}}'))
store.refresh()
print(store.applying())
""")
        arguments = f"""
          bucket = "states"
          key = "app/terraform.tfstate"
          region = "us-east-1"
          dynamodb_table = "locks"
          endpoints = {{ s3 = "{aws.url}", dynamodb = "{aws.url}" }}
          use_path_style = true
          skip_credentials_validation = true
          skip_requesting_account_id = true
          skip_metadata_api_check = true
          skip_region_validation = true
          skip_s3_checksum = true
        """
        apply(config, "s3", arguments)
        main = config / "main.tf"
        command = f"{sys.executable} {look} > {tmp_path}/seen"
        main.write_text(
            main.read_text()
            + f'resource "terraform_data" "two" {{\n provisioner "local-exec" {{\n command = "{command}"\n }}\n}}\n'
        )
        terraform(config, "apply", "-auto-approve", "-input=false")
        assert (tmp_path / "seen").read_text() == "True\n"
        settings = {"config": [str(config)], "aws": {"endpoint_url": aws.url}}
        store = StateStore(load(json.dumps(settings)))
        store.refresh()
        assert store.errors == {}
        assert not store.applying()
        aws.client("dynamodb").delete_table(TableName="locks")
        assert not store.applying()
        assert not store.applying()
        assert caplog.text.count("runs in progress are not seen: allow dynamodb:GetItem on it") == 1

    def test_one_workspace(self, aws, bucket):
        for key in ("k", "env:/a/k", "env:/b/k", "teams/c/k"):
            bucket.put_object(Bucket="states", Key=key, Body=STATE)
        keys = lambda **options: [(r.key, r.workspace) for r in make(self.spec(aws, key="k", **options)).refs()]  # noqa: E731
        assert keys() == [("k", "default")]
        assert keys(workspace="b") == [("env:/b/k", "b")]
        assert keys(workspace="c", workspace_key_prefix="teams") == [("teams/c/k", "c")]
        assert keys(workspace_key_prefix="env:") == [("k", "default"), ("env:/a/k", "a"), ("env:/b/k", "b")]

    def test_roles_are_assumed_with_their_external_id(self, aws, bucket):
        bucket.put_object(Bucket="states", Key="k", Body=STATE)
        iam = aws.client("iam")
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        arn = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        user = iam.create_user(UserName="falco")["User"]["UserName"]
        keys = iam.create_access_key(UserName=user)["AccessKey"]
        allow = lambda action: json.dumps(  # noqa: E731
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
        )
        iam.put_user_policy(UserName=user, PolicyName="assume", PolicyDocument=allow("sts:AssumeRole"))
        spec = self.spec(aws, key="k", role_arn=arn, external_id="xyz")
        with pytest.MonkeyPatch.context() as patch, aws.enforced():
            patch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
            patch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
            assert "allow s3:GetObject on arn:aws:s3:::states/k to this identity" in fault(self.spec(aws, key="k"))
            assert "allow s3:ListBucket on arn:aws:s3:::states to this identity" in fault(self.spec(aws, prefix="k"))
            assert "AccessDenied" in fault(spec)
        iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=allow("s3:GetObject"))
        aws.post("/moto-api/recorder/start-recording")
        with pytest.MonkeyPatch.context() as patch, aws.enforced():
            patch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
            patch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
            backend = make(spec)
            assert backend.read(backend.refs()[0], "").data == STATE
        aws.post("/moto-api/recorder/stop-recording")
        import urllib3

        recording = urllib3.request("GET", f"{aws.url}/moto-api/recorder/download-recording").data
        bodies = [base64.b64decode(json.loads(line)["body"] or "") for line in recording.splitlines()]
        assert any(b"ExternalId=xyz" in body for body in bodies)

    def test_without_the_right_to_list_the_default_workspace_is_loaded(self, aws, bucket, site):
        denied = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        site.routes["/states"] = (403, {}, denied)
        site.routes["/states/k"] = (200, {"ETag": '"1"'}, STATE)
        spec = {**self.spec(aws, key="k", workspace_key_prefix="env:"), "endpoint_url": site.url}
        backend = make(spec)
        (ref,) = backend.refs()
        assert backend.read(ref, "").data == STATE

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"bucket": "other", "key": "k"}, "NoSuchBucket: The specified bucket does not exist; check the name of"),
            ({"key": "none"}, "NoSuchKey: The specified key does not exist.; check the key; terraform apply writes it"),
            ({"prefix": "none/"}, "no state is there; check bucket, key and prefix"),
            ({"key": "k", "profile": "nobody"}, "The config profile (nobody) could not be found; check aws.profile"),
        ],
    )
    def test_what_is_wrong_is_said(self, aws, bucket, options, message):
        assert message in fault(self.spec(aws, **options))

    @pytest.mark.parametrize(
        ("status", "headers", "code", "message"),
        [
            (400, {}, "ExpiredToken", "the credentials have expired: renew them"),
            (403, {}, "InvalidAccessKeyId", "AWS does not know these credentials"),
            (403, {}, "SignatureDoesNotMatch", "the secret key is wrong, or the clock is"),
            (301, {"x-amz-bucket-region": "eu-west-3"}, "PermanentRedirect", "set region to eu-west-3"),
            (403, {}, "KMS.AccessDeniedException", "allow kms:Decrypt with the bucket's key to this identity"),
            (500, {}, "InternalError", "InternalError: said"),
            (503, {}, "SlowDown", "SlowDown: said"),
        ],
    )
    def test_what_aws_says_is_explained(self, site, status, headers, code, message):
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>said</Message></Error>".encode()
        site.routes["/states/k"] = (status, headers, body)
        site.routes["/states"] = (status, headers, b"")
        context = Context(Aws(max_attempts=1), timeout=0.3)
        spec = {"backend": "s3", "bucket": "states", "key": "k", "region": "us-east-1", "endpoint_url": site.url}
        assert message in fault(spec, context)

    def test_a_server_that_is_slow_away_or_not_trusted(self, site, certificate):
        spec = {"backend": "s3", "bucket": "states", "key": "k", "region": "us-east-1"}
        context = Context(Aws(max_attempts=1, timeout=0.2))
        site.routes["/states/k"] = lambda handler: time.sleep(0.6)
        assert "Read timeout" in fault({**spec, "endpoint_url": site.url}, context)
        assert "check endpoint_url, the region and the network" in fault(
            {**spec, "endpoint_url": "http://127.0.0.1:1"}, context
        )
        with serving(certificate) as secure:
            assert "check the certificate of the endpoint" in fault({**spec, "endpoint_url": secure.url}, context)

    def test_without_credentials(self, site, monkeypatch):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        spec = {"backend": "s3", "bucket": "states", "key": "k", "region": "us-east-1", "endpoint_url": site.url}
        assert "give credentials by profile, role, or the environment" in fault(spec)

    def test_a_large_object_is_refused_before_it_is_read(self, aws, bucket):
        bucket.put_object(Bucket="states", Key="k", Body=STATE)
        assert "the limit is 10 bytes; raise max_state_size" in fault(self.spec(aws, key="k"), Context(limit=10))


class TestHttp:
    def test_terraform_with_basic_auth(self, site, tmp_path, monkeypatch):
        stored = {}

        def gate(handler):
            expected = "Basic " + base64.b64encode(b"ci:secret").decode()
            if handler.headers.get("Authorization") != expected:
                return 401, {}, b""
            body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
            if handler.command == "POST":
                stored["state"] = body
            if handler.command == "GET" and not stored:
                return 404, {}, b""
            return 200, {}, stored.get("state", b"") if handler.command == "GET" else b""

        site.routes["/api/state"] = gate
        arguments = f'address = "{site.url}/api/state"\nusername = "ci"'
        monkeypatch.setenv("TF_HTTP_PASSWORD", "secret")
        apply(tmp_path / "c", "http", arguments)
        store = StateStore(load(json.dumps({"config": [str(tmp_path / "c")], "credential_hosts": [site.url]})))
        store.refresh()
        assert [i.address for i in store.index.all()] == ["terraform_data.one"]
        monkeypatch.setenv("TF_HTTP_PASSWORD", "wrong")
        said = fault({"url": f"{site.url}/api/state", "username": "ci"})
        assert said == "the server answered 401 Unauthorized; the server does not accept the credentials: " + (
            "check TF_HTTP_PASSWORD"
        )

    def test_tokens_and_headers_come_from_the_environment(self, site, monkeypatch):
        monkeypatch.setenv("GITLAB", "g-1")
        monkeypatch.setenv("BEARER", "b-1")
        site.routes["/s"] = (200, {}, STATE)
        backend = make({"url": f"{site.url}/s", "headers_env": {"Private-Token": "GITLAB"}, "token_env": "BEARER"})
        assert backend.read(backend.refs()[0], "").data == STATE
        headers = site.requests[-1][2]
        assert (headers["Private-Token"], headers["Authorization"]) == ("g-1", "Bearer b-1")

    @pytest.mark.parametrize(
        ("sent", "asked"),
        [({"ETag": '"1"'}, ("If-None-Match", '"1"')), ({"Last-Modified": "now"}, ("If-Modified-Since", "now"))],
    )
    def test_validators_save_the_download(self, site, sent, asked):
        name, value = asked
        site.routes["/s"] = lambda h: (304, {}, b"") if h.headers.get(name) == value else (200, sent, STATE)
        backend = make({"url": f"{site.url}/s"})
        (ref,) = backend.refs()
        first = backend.read(ref, "")
        assert backend.read(ref, first.version) is None
        assert backend.read(ref, "").data == STATE

    def test_a_token_does_not_follow_a_redirect_to_another_host(self, site, monkeypatch):
        monkeypatch.setenv("T", "secret")
        with serving() as other:
            other.routes["/there"] = (200, {}, STATE)
            site.routes["/s"] = (302, {"Location": f"{other.url}/there"}, b"")
            backend = make({"url": f"{site.url}/s", "token_env": "T", "headers_env": {"X-Token": "T"}})
            assert backend.read(backend.refs()[0], "").data == STATE
            assert "secret" in str(site.requests)
            assert "secret" not in str(other.requests)

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ((403, {}, b""), "the server answered 403 Forbidden; the credentials may not read the state"),
            ((404, {}, b""), "the server answered 404 Not Found; check the address; terraform apply writes"),
            ((500, {}, b""), "the server answered 500 Internal Server Error; it is tried again later"),
            ((503, {}, b""), "the server answered 503 Service Unavailable; it is tried again later"),
            ((599, {}, b""), "the server answered 599 ; it is tried again later"),
            ((204, {}, b""), "the server has no state there; terraform apply writes it first"),
            ((200, {}, b""), "the server has no state there"),
            ((302, {"Location": "/s"}, b""), "the server redirects too often; check the address"),
            ((200, {"Content-Length": str(2 << 30)}, b""), "the state has 2,048 MB or more, the limit is 1,024 MB"),
        ],
    )
    def test_what_is_wrong_is_said(self, site, answer, message):
        site.routes["/s"] = answer
        assert message in fault({"url": f"{site.url}/s"})

    def test_a_slow_server(self, site):
        site.routes["/s"] = lambda handler: time.sleep(1)
        assert "the server is too slow: nothing came for 0 s; it is tried again later" in fault(
            {"url": f"{site.url}/s"}
        )

        def trickle(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            for _ in range(20):
                handler.wfile.write(b" ")
                time.sleep(0.1)

        site.routes["/s"] = trickle
        assert "the server is too slow: " in fault({"url": f"{site.url}/s"}, Context(timeout=1, deadline=0.3))

    def test_a_connection_that_breaks_is_not_a_state(self, site):
        def cut(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(STATE)))
            handler.end_headers()
            handler.wfile.write(STATE[:100])
            handler.close_connection = True

        site.routes["/s"] = cut
        assert "IncompleteRead" in fault({"url": f"{site.url}/s"})

    def test_no_server_and_no_host(self):
        assert "check the address and that the server runs" in fault({"url": "http://127.0.0.1:1/s"})
        assert "check the address" in fault({"url": "http://no-such-host.invalid/s"})

    def test_tls(self, certificate):
        with serving(certificate) as site:
            site.routes["/s"] = (200, {}, STATE)
            said = fault({"url": f"{site.url}/s"})
            assert "the TLS connection failed" in said
            assert "check the certificate, or name its authority with ca_file" in said
            for trusted in ({"ca_file": str(certificate[0])}, {"skip_cert_verification": True}):
                backend = make({"url": f"{site.url}/s", **trusted}, Context(timeout=5))
                assert backend.read(backend.refs()[0], "").data == STATE

    def test_https_is_not_left_for_http(self, site, certificate):
        site.routes["/s"] = (200, {}, STATE)
        with serving(certificate) as secure:
            secure.routes["/s"] = (302, {"Location": f"{site.url}/s"}, b"")
            said = fault({"url": f"{secure.url}/s", "ca_file": str(certificate[0])}, Context(timeout=5))
            assert "redirects from https to plain http" in said

    def test_a_proxy_is_used(self, site, monkeypatch):
        monkeypatch.setenv("http_proxy", site.url)
        site.routes["http://states.invalid/s"] = (200, {}, STATE)
        backend = make({"url": "http://states.invalid/s"})
        assert backend.read(backend.refs()[0], "").data == STATE


class Tfe:
    """The part of HCP Terraform's published API that reading state needs."""

    def __init__(self, site):
        self.site = site
        self.workspaces = []
        site.routes["/.well-known/terraform.json"] = (200, {}, b'{"tfe.v2": "/api/v2/"}')
        site.routes["/api/v2/organizations/acme/workspaces"] = self.list
        site.routes["/api/v2/organizations/acme/projects"] = self.authorized(
            {"data": [{"id": "prj-1", "type": "projects", "attributes": {"name": "web"}}], "meta": {}}
        )

    def authorized(self, document, status=200):
        def answer(handler):
            if handler.headers.get("Authorization") != "Bearer tok":
                return 401, {}, b'{"errors":[{"status":"401","title":"unauthorized"}]}'
            return status, {"Content-Type": "application/vnd.api+json"}, json.dumps(document).encode()

        return answer

    def add(self, name, data=STATE, serial=1, tags=(), locked=False, elsewhere=""):
        key, version = f"ws-{name}", f"sv-{name}-{serial}" if data else ""
        current = {"data": {"id": version, "type": "state-versions"} if version else None}
        self.workspaces = [w for w in self.workspaces if w["id"] != key]
        self.workspaces.append(
            {
                "id": key,
                "type": "workspaces",
                "attributes": {"name": name, "locked": locked, "tag-names": list(tags)},
                "relationships": {"current-state-version": current},
            }
        )
        url = f"{elsewhere or self.site.url}/download/{version}"
        attributes = {"serial": serial, "hosted-state-download-url": url}
        self.site.routes[f"/api/v2/workspaces/{key}/current-state-version"] = self.authorized(
            {"data": {"id": version, "type": "state-versions", "attributes": attributes}}
        )
        self.site.routes[f"/download/{version}"] = (200, {}, data or b"")

    def list(self, handler):
        from urllib.parse import parse_qs, urlsplit

        query = {k: v[0] for k, v in parse_qs(urlsplit(handler.path).query).items()}
        tags = set(query.get("search[tags]", "").split(",")) - {""}
        found = [w for w in self.workspaces if tags <= set(w["attributes"]["tag-names"])]
        size, number = 2, int(query["page[number]"])
        page = found[(number - 1) * size : number * size]
        following = number + 1 if number * size < len(found) else None
        return self.authorized({"data": page, "meta": {"pagination": {"next-page": following}}})(handler)


class TestHcp:
    @pytest.fixture
    def tfe(self, site, monkeypatch):
        monkeypatch.setenv("TF_TOKEN_127_0_0_1", "tok")
        return Tfe(site)

    def spec(self, site, **options):
        return {"backend": "cloud", "hostname": site.url, "organization": "acme", **options}

    def names(self, site, **options):
        return [r.workspace for r in make(self.spec(site, **options)).refs()]

    def test_the_last_health_assessment_of_each_workspace(self, site, tfe):
        for name, succeeded in (("web", True), ("db", False), ("bare", None)):
            tfe.add(name)
            if succeeded is None:
                continue
            id = f"asmtres-{name}"
            tfe.workspaces[-1]["relationships"]["current-assessment-result"] = {"data": {"id": id}}
            attributes = {"succeeded": succeeded, "drifted": True, "created-at": "2026-11-30T02:00:00Z"}
            site.routes[f"/api/v2/assessment-results/{id}"] = tfe.authorized(
                {"data": {"id": id, "type": "assessment-results", "attributes": attributes}}
            )
            site.routes[f"/api/v2/assessment-results/{id}/json-output"] = tfe.authorized({"format_version": "1.2"})
        backend = make(self.spec(site))
        (made,) = backend.assessments()
        assert (made.origin.rpartition("/")[2], made.id, made.created) == ("web", "asmtres-web", "2026-11-30T02:00:00Z")
        assert json.loads(backend.assessed(made.id)) == {"format_version": "1.2"}
        entry = Baseline("hcp://app.terraform.io/acme/w*", options={"hostname": site.url})
        (found,) = look(entry, Config())
        assert (found.version, found.moment) == ("asmtres-web", 1796004000 * 10**9)
        assert found.read() == backend.assessed(made.id)
        site.routes["/api/v2/assessment-results/asmtres-web"] = (200, {}, b"[]")
        with pytest.raises(PlaceError, match="not one of HCP Terraform's API"):
            look(entry, Config())

    def test_workspaces_by_name_pattern_prefix_tag_and_project(self, site, tfe):
        tfe.add("web-prod", tags=["prod"])
        tfe.add("web-dev")
        tfe.add("db-prod", tags=["prod", "db"])
        tfe.add("empty", data=None)
        assert self.names(site) == ["web-prod", "web-dev", "db-prod"]
        assert self.names(site, workspaces=["web-*", "db-prod"]) == ["web-prod", "web-dev", "db-prod"]
        assert self.names(site, workspaces={"name": "web-dev"}) == ["web-dev"]
        assert self.names(site, workspaces={"prefix": "web-"}) == ["web-prod", "web-dev"]
        assert self.names(site, workspaces={"tags": ["prod"]}) == ["web-prod", "db-prod"]
        assert self.names(site, workspaces={"project": "web"}) == ["web-prod", "web-dev", "db-prod"]
        assert any("filter%5Bproject%5D%5Bid%5D=prj-1" in path for _, path, _ in site.requests)
        assert self.names(site, workspaces={"tags": {"env": "x"}})
        assert any("filter%5Btagged%5D%5B0%5D%5Bkey%5D=env" in path for _, path, _ in site.requests)

    def test_the_current_state_version_is_read_once(self, site, tfe):
        tfe.add("web")
        store = StateStore(load(json.dumps({"state": [self.spec(site)]})))
        store.refresh()
        assert store.errors == {}
        assert [i.workspace for i in store.index.all()] == ["web"]
        site.requests.clear()
        assert not store.refresh(force=True)
        assert [path.partition("?")[0] for _, path, _ in site.requests] == ["/api/v2/organizations/acme/workspaces"]
        tfe.add("web", STATE.replace(b"i-1", b"i-2"), serial=2, locked=True)
        assert store.refresh(force=True)
        assert [i.id for i in store.index.all()] == ["i-2"]
        assert store.applying()

    def test_the_token_goes_to_the_api_only(self, site, tfe):
        with serving() as archive:
            tfe.add("web", elsewhere=archive.url)
            archive.routes["/download/sv-web-1"] = (200, {}, STATE)
            backend = make(self.spec(site))
            assert backend.read(backend.refs()[0], "").data == STATE
            assert "tok" not in str(archive.requests)

    def test_a_token_of_terraform_login(self, site, tfe, monkeypatch):
        tfe.add("web")
        monkeypatch.delenv("TF_TOKEN_127_0_0_1")
        file = Path("~/.terraform.d/credentials.tfrc.json").expanduser()
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"credentials": {site.url.removeprefix("http://"): {"token": "tok"}}}))
        assert self.names(site) == ["web"]
        monkeypatch.setenv("MINE", "other")
        assert "the server does not accept the credentials: check MINE" in fault(self.spec(site, token_env="MINE"))

    def test_what_is_wrong_is_said(self, site, tfe):
        assert "no workspace matches; check organization and workspaces" in fault(self.spec(site))
        assert "the server answered 404 Not Found" in fault({**self.spec(site), "organization": "other"})
        assert "no project 'nope' is in acme; check its name" in fault(self.spec(site, workspaces={"project": "nope"}))
        tfe.add("web")
        site.routes["/api/v2/workspaces/ws-web/current-state-version"] = (200, {}, b"<html>")
        assert "the answer is not one of HCP Terraform's API; check hostname" in fault(self.spec(site))
        site.routes["/api/v2/workspaces/ws-web/current-state-version"] = (200, {}, b'{"data":{"id":"x"}}')
        assert "the token may see the workspace, but not its state" in fault(self.spec(site))
        site.routes["/.well-known/terraform.json"] = (200, {}, b'{"tfe.v2": "http://evil.invalid/"}')
        assert "names an API on another host" in fault(self.spec(site))


class TestPg:
    def test_terraforms_own_tables(self, postgres, tmp_path, monkeypatch):
        monkeypatch.setenv("PGPASSWORD", "secret")
        target = f"postgres://tfdrift@127.0.0.1:{postgres.port}/postgres?sslmode=disable"
        apply(tmp_path / "c", "pg", f'conn_str = "{target}"\nschema_name = "app"')
        terraform(tmp_path / "c", "workspace", "new", "prod")
        terraform(tmp_path / "c", "apply", "-auto-approve", "-input=false")
        hosts = [f"127.0.0.1:{postgres.port}"]
        store = StateStore(load(json.dumps({"config": [str(tmp_path / "c")], "credential_hosts": hosts})))
        store.refresh()
        assert store.errors == {}
        assert sorted(i.workspace for i in store.index.all()) == ["default", "prod"]
        loaded = {s.origin: s.loaded_at for s in store.statuses}
        assert not store.refresh(force=True)
        assert not store.applying()
        (tmp_path / "c" / "main.tf").write_text((tmp_path / "c" / "main.tf").read_text().replace('"a"', '"b"'))
        terraform(tmp_path / "c", "apply", "-auto-approve", "-input=false")
        assert store.refresh(force=True)
        changed = [s.workspace for s in store.statuses if s.loaded_at != loaded[s.origin]]
        assert changed == ["prod"]

    def test_a_lock_is_seen(self, postgres, monkeypatch):
        import psycopg

        monkeypatch.setenv("PGPASSWORD", "secret")
        with psycopg.connect(postgres.conn_str, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA locks")
            connection.execute("CREATE TABLE locks.states (id int PRIMARY KEY, name text, data text)")
            connection.execute("INSERT INTO locks.states VALUES (7, 'default', %s)", [STATE.decode()])
            backend = make({"backend": "pg", "conn_str": postgres.conn_str, "schema_name": "locks"}, Context())
            (ref,) = backend.refs()
            assert backend.read(ref, "").data == STATE
            assert not backend.locked(ref)
            connection.execute("SELECT pg_advisory_lock(7)")
            assert backend.locked(ref)

    def test_a_table_of_another_name(self, postgres, monkeypatch, tmp_path):
        import psycopg

        monkeypatch.setenv("PGPASSWORD", "secret")
        with psycopg.connect(postgres.conn_str, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA named")
            connection.execute('CREATE TABLE named."App""States" (id int PRIMARY KEY, name text, data text)')
            connection.execute("""INSERT INTO named."App""States" VALUES (8, 'default', %s)""", [STATE.decode()])
        spec = {"backend": "pg", "conn_str": postgres.conn_str, "schema_name": "named"}
        backend = make({**spec, "table_name": 'App"States'}, Context())
        (ref,) = backend.refs()
        assert ref.origin.endswith('/postgres?schema=named&table=App"States#default')
        assert backend.read(ref, "").data == STATE
        assert not backend.locked(ref)
        assert "no table states is in schema named" in fault(spec, Context())
        block = 'terraform {\n backend "pg" {\n schema_name = "named"\n table_name = "app"\n }\n}\n'
        (tmp_path / "main.tf").write_text(block)
        (found,) = discover(Configuration(str(tmp_path))).states
        assert found["table_name"] == "app"

    def test_what_is_wrong_is_said(self, postgres, monkeypatch):
        import psycopg

        monkeypatch.setenv("PGPASSWORD", "secret")
        spec = {"backend": "pg", "conn_str": postgres.conn_str}
        assert "no table states is in schema none; check schema_name" in fault(
            {**spec, "schema_name": "none"}, Context()
        )
        with psycopg.connect(postgres.conn_str, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA empty CREATE TABLE states (id int, name text, data text)")
            connection.execute("CREATE ROLE guest LOGIN PASSWORD 'secret'")
        assert "no state is there; check schema_name" in fault({**spec, "schema_name": "empty"}, Context())
        guest = {**spec, "conn_str": postgres.conn_str.replace("user=tfdrift", "user=guest"), "schema_name": "empty"}
        assert "grant USAGE on schema empty and SELECT on its table states" in fault(guest, Context())
        monkeypatch.setenv("PGPASSWORD", "wrong")
        said = fault(spec, Context())
        assert "password authentication failed" in said
        assert "check conn_str, PGPASSWORD and that the server runs" in said
        assert "check conn_str, PGPASSWORD" in fault({"backend": "pg", "conn_str": "host=127.0.0.1 port=1"})


class TestConsul:
    def kv(self, site, entries):
        """Consul's KV API over ``entries``."""
        index = {key: str(number) for number, key in enumerate(entries, 1)}
        site.routes["/v1/kv/app/state"] = lambda handler: (
            (200, {}, json.dumps(sorted(k for k in entries if k.startswith("app/state"))).encode())
            if "keys" in handler.path
            else self.entry("app/state", entries, index)
        )
        for key in entries.keys() - {"app/state"}:
            site.routes[f"/v1/kv/{key.replace(':', '%3A')}"] = (*self.entry(key, entries, index),)
        return {"backend": "consul", "address": site.url.removeprefix("http://"), "path": "app/state"}

    def entry(self, key, entries, index):
        value = base64.b64encode(entries[key]).decode()
        return 200, {}, json.dumps([{"Key": key, "Value": value, "ModifyIndex": int(index[key])}]).encode()

    def test_an_answer_that_nobody_expects_keeps_no_other_state_from_being_read(self, site, tmp_path):
        site.routes["/v1/kv/app/state"] = (200, {}, b"<html>please sign in</html>")
        spec = {"backend": "consul", "address": site.url.removeprefix("http://"), "path": "app/state"}
        (tmp_path / "good.tfstate").write_bytes(STATE)
        store = StateStore(load(json.dumps({"state": [spec, str(tmp_path / "good.tfstate")]})))
        store.refresh()
        assert len(store.index) == 1
        (error,) = store.errors.values()
        assert "check the location, and if it is right, please report this" in error

    def test_plain_compressed_and_in_parts(self, site, monkeypatch):
        monkeypatch.setenv("CONSUL_HTTP_TOKEN", "tok")
        digest = hashlib.md5(STATE).hexdigest()
        parts = [f"app/state-env:big/tfstate.{digest}/{n}" for n in range(2)]
        packed = gzip.compress(STATE)
        spec = self.kv(
            site,
            {
                "app/state": STATE,
                "app/state/.lockinfo": b"{}",
                "app/state-env:prod": packed,
                "app/state-env:big": json.dumps({"chunks": parts, "current-hash": digest}).encode(),
                parts[0]: packed[:50],
                parts[1]: packed[50:],
            },
        )
        backend = make(spec)
        refs = backend.refs()
        assert sorted(r.workspace for r in refs) == ["big", "default", "prod"]
        for ref in refs:
            content = backend.read(ref, "")
            assert content.data == STATE
            assert backend.read(ref, content.version) is None
            assert backend.locked(ref) == (ref.workspace == "default")
        assert site.requests[-1][2]["X-Consul-Token"] == "tok"
        assert [r.workspace for r in make({**spec, "workspace": "prod"}).refs()] == ["prod"]

    def test_what_is_wrong_is_said(self, site):
        spec = {"backend": "consul", "address": site.url, "path": "app/state"}
        assert "no state is there; check path and workspace, and that the token may read the key" in fault(spec)
        broken = self.kv(site, {"app/state": gzip.compress(STATE)[:60]})
        assert "the compressed state is damaged" in fault(broken)


class TestKubernetes:
    KUBECONFIG = """
current-context: test
contexts: [{name: test, context: {cluster: c, user: u, namespace: infra}}]
clusters: [{name: c, cluster: {server: "%s"}}]
users: [{name: u, user: %s}]
"""

    def spec(self, site, tmp_path, user="{token: tok}"):
        path = tmp_path / "kubeconfig"
        path.write_text(self.KUBECONFIG % (site.url, user))
        return {"backend": "kubernetes", "secret_suffix": "app", "config_path": str(path)}

    def secrets(self, site, parts):
        base = "/api/v1/namespaces/infra/secrets"
        items = []
        for (workspace, name), data in parts.items():
            labels = {"tfstate": "true", "tfstateSecretSuffix": "app", "tfstateWorkspace": workspace}
            metadata = {"name": name, "labels": labels, "resourceVersion": str(len(items))}
            items.append({"metadata": metadata})
            value = {"tfstate": base64.b64encode(data).decode()} if data else {}
            site.routes[f"{base}/{name}"] = (200, {}, json.dumps({"metadata": metadata, "data": value}).encode())
        site.routes[base] = (200, {}, json.dumps({"items": items}).encode())

    def test_workspaces_and_parts(self, site, tmp_path):
        packed = gzip.compress(STATE)
        self.secrets(
            site,
            {
                ("default", "tfstate-default-app"): packed,
                ("big", "tfstate-big-app-part-10"): packed[100:],
                ("big", "tfstate-big-app-part-2"): packed[50:100],
                ("big", "tfstate-big-app"): packed[:50],
            },
        )
        backend = make(self.spec(site, tmp_path))
        refs = backend.refs()
        assert [(r.workspace, r.key.split()) for r in refs] == [
            ("big", ["tfstate-big-app", "tfstate-big-app-part-2", "tfstate-big-app-part-10"]),
            ("default", ["tfstate-default-app"]),
        ]
        assert [backend.read(r, "").data for r in refs] == [STATE, STATE]
        assert site.requests[0][1].endswith("?labelSelector=tfstate%3Dtrue%2CtfstateSecretSuffix%3Dapp")
        assert site.requests[0][2]["Authorization"] == "Bearer tok"
        backend.close()

    def test_what_is_wrong_is_said(self, site, tmp_path):
        self.secrets(site, {})
        assert "no state is there; check secret_suffix, namespace and workspace" in fault(self.spec(site, tmp_path))
        self.secrets(site, {("default", "tfstate-default-app"): b""})
        assert "the secret tfstate-default-app holds no tfstate" in fault(self.spec(site, tmp_path))
        site.routes["/api/v1/namespaces/infra/secrets"] = (403, {}, b"")
        assert "it needs get and list on secrets in infra" in fault(self.spec(site, tmp_path))
        with pytest.raises(ConfigError, match="runs a program for its credentials, which TFDrift does not"):
            make(self.spec(site, tmp_path, "{exec: {command: aws}}"))
        (tmp_path / "kubeconfig").write_text("contexts: 5")
        with pytest.raises(ConfigError, match="is not a usable kubeconfig"):
            make({"backend": "kubernetes", "secret_suffix": "app", "config_path": str(tmp_path / "kubeconfig")})


class TestGcs:
    """The real gcsfs, against the part of Cloud Storage's JSON API that it uses."""

    @pytest.fixture
    def spec(self, site, monkeypatch):
        if importlib.util.find_spec("gcsfs") is None:
            raise MissingPartError("gcsfs", "pip install gcsfs")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", site.url)
        names = ["p/default.tfstate", "p/prod.tfstate", "p/prod.tflock", "p/deep/x.tfstate"]
        items = [{"name": n, "bucket": "b", "size": str(len(STATE)), "generation": "17"} for n in names[:3]]
        listing = {"kind": "storage#objects", "items": items, "prefixes": ["p/deep/"]}
        site.routes["/storage/v1/b/b/o"] = (200, {"Content-Type": "application/json"}, json.dumps(listing).encode())
        for name in names:
            site.routes[f"/download/storage/v1/b/b/o/{name.replace('/', '%2F')}"] = self.media
        return {"backend": "gcs", "bucket": "b", "prefix": "p"}

    def media(self, handler):
        start, _, end = handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        return 206, {}, STATE[int(start) : int(end or len(STATE)) + 1]

    def test_workspaces(self, site, spec):
        backend = make(spec, Context())
        refs = backend.refs()
        assert [(r.origin, r.workspace) for r in refs] == [
            ("gs://b/p/default.tfstate", "default"),
            ("gs://b/p/prod.tfstate", "prod"),
        ]
        assert refs[0].version.startswith("17 ")
        assert backend.read(refs[0], "").data == STATE
        assert [r.workspace for r in make({**spec, "workspace": "prod"}, Context()).refs()] == ["prod"]
        assert make({"url": "gs://b/p"}, Context()).refs() == refs

    def test_what_is_wrong_is_said(self, site, spec):
        site.routes["/storage/v1/b/b/o"] = (403, {}, b'{"error": {"code": 403, "message": "no"}}')
        assert "check the credentials and that they may list and read there" in fault(spec, Context())
        site.routes["/storage/v1/b/b/o"] = (404, {}, b'{"error": {"code": 404, "message": "no"}}')
        assert "check the bucket or container, and prefix or key" in fault(spec, Context())


class TestAzure:
    """The real adlfs, against the part of Blob Storage's REST API that it uses."""

    @pytest.fixture
    def spec(self, site, monkeypatch):
        if importlib.util.find_spec("adlfs") is None:
            raise MissingPartError("adlfs", "pip install adlfs")
        key = base64.b64encode(b"key").decode()
        target = f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={key};BlobEndpoint={site.url}/acc;"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", target)
        names = ["a/app.tfstate", "a/app.tfstateenv:prod", "a/other.tfstate"]
        blob = (
            "<Blob><Name>%s</Name><Properties><Etag>0x1</Etag><Last-Modified>Mon, 05 Jan 2026 00:00:00 GMT"
            f"</Last-Modified><Content-Length>{len(STATE)}</Content-Length><BlobType>BlockBlob</BlobType>"
            "</Properties></Blob>"
        )
        blobs = "".join(blob % name for name in names)
        listing = (
            f"<?xml version='1.0'?><EnumerationResults ContainerName='c'><Blobs>{blobs}</Blobs></EnumerationResults>"
        )
        site.routes["/acc/c"] = (200, {"Content-Type": "application/xml"}, listing.encode())
        for name in names:
            site.routes[f"/acc/c/{name}"] = site.routes[f"/acc/c/{name.replace(':', '%3A')}"] = self.blob
        return {"backend": "azurerm", "storage_account_name": "acc", "container_name": "c", "key": "a/app.tfstate"}

    def blob(self, handler):
        headers = {"ETag": "0x1", "Last-Modified": "Mon, 05 Jan 2026 00:00:00 GMT", "x-ms-blob-type": "BlockBlob"}
        if handler.command == "HEAD":
            return 200, {**headers, "Content-Length": str(len(STATE))}, b""
        asked = handler.headers.get("x-ms-range") or handler.headers.get("Range") or "bytes=0-"
        start, _, end = asked.removeprefix("bytes=").partition("-")
        part = STATE[int(start) : int(end or len(STATE)) + 1]
        place = f"bytes {start}-{int(start) + len(part) - 1}/{len(STATE)}"
        return 206, {**headers, "Content-Range": place}, part

    def test_workspaces(self, site, spec):
        backend = make(spec, Context())
        refs = backend.refs()
        assert [(r.origin, r.workspace) for r in refs] == [
            ("az://c/a/app.tfstate", "default"),
            ("az://c/a/app.tfstateenv:prod", "prod"),
        ]
        assert [backend.read(ref, "").data for ref in refs] == [STATE, STATE]
        site.routes["/acc/c"] = (403, {}, b"<?xml version='1.0'?><Error><Code>AuthorizationFailure</Code></Error>")
        assert "check the credentials and that they may list and read there" in fault(spec, Context())
