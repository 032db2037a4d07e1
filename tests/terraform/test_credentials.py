"""Credentials of Falco's environment go where Falco's own side sends them, and not where a repository says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tfdrift_core.config import ConfigError, load
from tfdrift_core.terraform import backends
from tfdrift_core.terraform.backends import Context
from tfdrift_core.terraform.backends.sent import server_of
from tfdrift_core.terraform.store import StateStore

SECRET = "planted-secret"
CREDENTIALS = {
    "TFE_TOKEN": SECRET,
    "TF_HTTP_PASSWORD": SECRET,
    "TF_HTTP_USERNAME": "falco",
    "CONSUL_HTTP_TOKEN": SECRET,
    "PGPASSWORD": SECRET,
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": SECRET,
}
EVIL = {
    "http": 'backend "http" { address = "URL/state" }',
    "http with a user": 'backend "http" {\n address = "URL/state"\n username = "x"\n}',
    "remote": 'backend "remote" {\n hostname = "URL"\n organization = "acme"\n}',
    "cloud": 'cloud {\n hostname = "URL"\n organization = "acme"\n}',
    "consul": 'backend "consul" {\n address = "URL"\n path = "p"\n}',
    "s3": 'backend "s3" {\n bucket = "b"\n key = "k"\n region = "us-east-1"\n endpoints = { s3 = "URL" }\n}',
    "pg": 'backend "pg" { conn_str = "postgres://u@HOST/db" }',
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def evil(site: Any) -> Any:
    for path in ("/state", "/.well-known/terraform.json", "/v1/kv/p", "/b"):
        site.routes[path] = (200, {}, b"{}")
    return site


def _store(root: Path, text: str, site: Any, **more: Any) -> Iterator[StateStore]:
    root.mkdir(exist_ok=True)
    host = site.url.removeprefix("http://")
    (root / "main.tf").write_text(f"terraform {{\n{text.replace('URL', site.url).replace('HOST', host)}\n}}\n")
    store = StateStore(load(json.dumps({"config": [str(root)], **more})))
    store.refresh(force=True)
    yield store
    store.close()


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL.keys())
def test_a_repository_does_not_choose_who_sees_a_credential(tmp_path: Path, evil: Any, text: str) -> None:
    for store in _store(tmp_path / "c", text, evil):
        (error,) = store.errors.values()
        assert "only the repository names" in error
        host = evil.url if "conn_str" not in text else evil.url.removeprefix("http://")
        assert f"credential_hosts: ['{host}']" in error
        assert SECRET not in error
    assert evil.requests == []


@pytest.mark.parametrize("name", ["http", "http with a user", "remote", "consul", "s3"])
def test_a_host_that_falco_names_is_asked(tmp_path: Path, evil: Any, name: str) -> None:
    for _ in _store(tmp_path / "c", EVIL[name], evil, credential_hosts=[evil.url]):
        assert evil.requests


def test_a_state_that_falco_names_names_its_host(tmp_path: Path, evil: Any) -> None:
    for store in _store(tmp_path / "c", EVIL["http"], evil, state=[f"{evil.url}/other"]):
        assert not any("only the repository names" in error for error in store.errors.values())


def test_a_plain_host_is_not_one_without_encryption(tmp_path: Path, evil: Any) -> None:
    host = evil.url.removeprefix("http://")
    for store in _store(tmp_path / "c", EVIL["http"], evil, credential_hosts=[host]):
        (error,) = store.errors.values()
        assert "only the repository names" in error
    assert evil.requests == []


def test_what_needs_no_credential_is_read(tmp_path: Path, evil: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_HTTP_USERNAME")
    for _ in _store(tmp_path / "c", EVIL["http"], evil):
        assert evil.requests


@pytest.mark.parametrize(
    ("hostname", "sent"),
    [
        ("tfe.example.com", True),
        ("TFE.example.com", True),
        ("tfe.example.com:8443", False),
        ("http://tfe.example.com", False),
    ],
)
def test_a_token_of_a_host_goes_to_that_host(hostname: str, sent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TF_TOKEN_tfe_example_com", "TF_TOKEN_TFE_example_com"):
        monkeypatch.setenv(name, SECRET)
    backend = backends.create({"backend": "cloud", "hostname": hostname, "organization": "acme"}, Context())
    assert (backend.sent.objection(()) == "") is sent


def test_a_token_without_a_host_goes_to_the_usual_one_only(tmp_path: Path) -> None:
    usual = backends.create({"backend": "cloud", "organization": "acme"}, Context())
    assert usual.sent.objection({"https://app.terraform.io"}) == ""
    other = backends.create({"backend": "cloud", "hostname": "tfe.example.com", "organization": "acme"}, Context())
    assert "TFE_TOKEN would be sent" in other.sent.objection({"https://app.terraform.io"})


@pytest.mark.parametrize(
    "hostname",
    ["app_terraform.io", "app..terraform.io", "app.terraform.io@evil.example", "evil.example\\@app.terraform.io",
     "evil.example/app.terraform.io", "evil.example#app.terraform.io", "a b", "", ".", "evil.example\n"],
)  # fmt: skip
def test_a_hostname_that_two_readers_read_in_two_ways_is_none(hostname: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_TOKEN_app_terraform_io", SECRET)
    with pytest.raises(ConfigError):
        backends.create({"backend": "cloud", "hostname": hostname, "organization": "acme"}, Context())


@pytest.mark.parametrize("option", ["skip_cert_verification = true", 'ca_file = "CA"'])
def test_a_repository_does_not_choose_whose_certificate_is_trusted(tmp_path: Path, option: str) -> None:
    (tmp_path / "ca.pem").write_text("x")
    name, value = option.replace("CA", str(tmp_path / "ca.pem")).split(" = ")
    spec = {"backend": "http", "address": "https://h.example/s", name: json.loads(value)}
    assert "whose certificate to trust" in backends.create(spec, Context()).sent.objection({"https://h.example"})


def test_a_repository_does_not_choose_a_kubeconfig(tmp_path: Path, evil: Any) -> None:
    """A kubeconfig names files whose content is sent as a token, and the server that it is sent to."""
    (tmp_path / "token").write_text(SECRET)
    kubeconfig = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": evil.url}}],
        "users": [{"name": "u", "user": {"tokenFile": str(tmp_path / "token")}}],
    }
    (tmp_path / "kube").write_text(json.dumps(kubeconfig))
    text = f'backend "kubernetes" {{\n secret_suffix = "s"\n config_path = "{tmp_path / "kube"}"\n}}'
    for store in _store(tmp_path / "c", text, evil):
        (error,) = store.errors.values()
        assert "names the kubeconfig" in error
    assert evil.requests == []


@pytest.mark.parametrize("name", ["evil.example/x?", "A", "a" * 25, "acme\n"])
def test_a_storage_account_is_no_other_host(name: str) -> None:
    spec = {"backend": "azurerm", "container_name": "c", "key": "k", "storage_account_name": name}
    with pytest.raises(ConfigError, match="storage_account_name"):
        backends.create(spec, Context())


def test_parameters_that_lead_a_password_elsewhere_are_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD")
    for more in ("hostaddr=192.0.2.1", "passfile=/etc/other", "sslkey=/etc/key"):
        backend = backends.create({"backend": "pg", "conn_str": f"host=db.example.com dbname=x {more}"}, Context())
        assert backend.sent.objection({"pg://192.0.2.2"})
    plain = backends.create({"backend": "pg", "conn_str": "host=db.example.com dbname=x"}, Context())
    assert plain.sent.objection(()) == ""


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://H.example/x", "https://h.example"),
        ("https://h.example:443", "https://h.example"),
        ("http://h.example:80/a?b#c", "http://h.example"),
        ("https://h.example:8443/", "https://h.example:8443"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"),
        ("https://u@h.example/", ""),
        ("https://u:p@h.example/", ""),
        ("ftp://h.example", ""),
        ("", ""),
    ],
)
def test_the_server_of_an_address(url: str, server: str) -> None:
    assert server_of(url) == server


def test_what_is_no_host_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="credential_hosts: 'a/b@c' is no host"):
        StateStore(load(json.dumps({"config": ["x"], "credential_hosts": ["a/b@c"]})))
