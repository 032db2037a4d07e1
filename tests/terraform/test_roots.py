"""A directory above root modules, as ``config`` may name it."""

import json
from pathlib import Path

import pytest

from tests.terraform.states import ec2, resource, state, write
from tfdrift_core.config import load
from tfdrift_core.terraform.roots import below
from tfdrift_core.terraform.store import StateStore

WEB = 'resource "aws_instance" "web" {\n  lifecycle {\n    ignore_changes = [tags]\n  }\n}\n'


def _file(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _store(tmp_path: Path, directory: Path) -> StateStore:
    write(tmp_path / "app.tfstate", state(resource("aws_instance", "web", {"attributes": ec2("i-1")})))
    config = {"state": [str(tmp_path / "app.tfstate")], "config": [str(directory)]}
    store = StateStore(load(json.dumps(config)))
    store.refresh()
    return store


def test_root_modules_below_are_read_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _file(tmp_path / "infra/app/main.tf", WEB)
    _file(tmp_path / "infra/network/main.tf", 'provider "aws" {}\nresource "aws_vpc" "v" {}\n')
    _file(tmp_path / "infra/app/backend.tf", 'terraform {\n  backend "local" {}\n}\n')
    caplog.set_level("INFO")
    (instance,) = _store(tmp_path, tmp_path / "infra").index.all("aws_instance")
    assert instance.ignore_changes == ("tags",)
    assert (instance.file, instance.line) == (str(tmp_path / "infra/app/main.tf"), 1)
    told = f"configuration {tmp_path / 'infra'}: it has no Terraform files; read are the root modules in app, network"
    assert caplog.messages.count(told) == 1


def test_a_directory_without_any_is_told_although_the_state_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "infra/empty").mkdir(parents=True)
    store = _store(tmp_path, tmp_path / "infra")
    assert not store.errors
    (told,) = [record for record in caplog.records if "no Terraform configuration is there" in record.getMessage()]
    assert told.levelname == "WARNING"
    assert "ignore_changes, file and line are not known" in told.getMessage()


def test_what_is_called_or_says_nothing_is_no_root(tmp_path: Path) -> None:
    _file(tmp_path / "a/main.tf", 'terraform {\n  cloud {}\n}\nmodule "m" {\n  source = "../modules/m"\n}\n')
    _file(tmp_path / "modules/m/main.tf", 'provider "aws" {}\n' + WEB)
    _file(tmp_path / "modules/unused/main.tf", WEB)
    _file(tmp_path / "live/prod/terragrunt.hcl", "")
    _file(tmp_path / ".git/x/main.tf", 'provider "aws" {}\n')
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in below(tmp_path, print)] == ["a", "live/prod"]


def test_where_none_says_more_all_that_nobody_calls_are_taken(tmp_path: Path) -> None:
    _file(tmp_path / "a/main.tf", WEB)
    _file(tmp_path / "b/main.tf", 'module "c" {\n  source = "./c"\n}\n')
    _file(tmp_path / "b/c/main.tf", WEB)
    assert [path.name for path in below(tmp_path, print)] == ["a", "b"]
