"""Whatever somebody writes into a repository: reading it ends, says what it leaves out, and never stops detection."""

import json
import os
from pathlib import Path

import pytest

from tests.terraform.states import resource, state, write
from tfdrift_core.config import load
from tfdrift_core.terraform import configuration as module
from tfdrift_core.terraform import hcl
from tfdrift_core.terraform.configuration import Configuration
from tfdrift_core.terraform.discovery import discover
from tfdrift_core.terraform.store import StateStore

GOOD = 'resource "aws_sqs_queue" "good" {\n  lifecycle {\n    ignore_changes = [tags]\n  }\n}\n'
LARGE = "9" * 5000

HCL = {
    "nul in a source": r'module "m" { source = "./\u0000x" }',
    "raw nul in a source": 'module "m" { source = "./\0x" }',
    "surrogate in a source": r'module "m" { source = "./\ud800" }',
    "large number": f"locals {{ a = {LARGE} }}",
    "large negative number": f"locals {{ a = -{LARGE} }}",
    "large exponent": f"locals {{ a = 1e{LARGE} }}",
    "large fraction": f"locals {{ a = 1.{LARGE}e-5 }}",
    "nul in a backend": r'terraform { backend "local" { path = "a\u0000b" } }',
    "nul in workspaces": r'terraform { backend "local" { workspace_dir = "a\u0000b" } }',
    "surrogate in a backend": r'terraform { backend "local" { path = "\udfff" } }',
    "maps for texts": 'terraform { backend "s3" { bucket = { a = 1 }\n key = [1] } }',
    "a backend nobody knows": 'terraform { backend "\\u0000" {} }',
    "a source of a megabyte": f'module "m" {{ source = "./{"x" * 1_000_000}" }}',
    "a source with many steps": f'module "m" {{ source = "./{"a/" * 5000}" }}',
    "deep lists": f"locals {{ a = {'[' * 5000}{']' * 5000} }}",
    "deep blocks": "a {\n" * 5000 + "}\n" * 5000,
    "deep templates": 'locals { a = "' + '${"' * 5000 + '"}' * 5000 + '" }',
    "comments without an end": "/*" * 100_000,
    "no text": "\xff\xfe\0\0",
}
JSON = {
    "large number": f'{{"locals": {{"a": {LARGE}}}}}',
    "large number in a provider": f'{{"provider": {{"aws": {{"region": {LARGE}}}}}}}',
    "surrogate in a source": r'{"module": {"m": {"source": "./\ud800"}}}',
    "nul in a source": r'{"module": {"m": {"source": "./\u0000x"}}}',
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 900 + "1" + "}" * 900,
    "lists for everything": '{"module": [], "resource": [[[]]], "terraform": [{"backend": [{"s3": []}]}]}',
    "numbers for everything": '{"module": 1, "resource": 2, "terraform": {"backend": 3}, "provider": {"aws": 4}}',
    "not finite": '{"locals": {"a": NaN, "b": 1e999, "c": -Infinity}}',
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "good.tf").write_text(GOOD)
    write(tmp_path / "terraform.tfstate", state(resource("aws_sqs_queue", "good", {"id": "q"})))
    return tmp_path


def _store(root: Path) -> StateStore:
    store = StateStore(load(json.dumps({"config": [str(root)]})))
    store.refresh(force=True)
    store.refresh(force=True)
    return store


def _holds(root: Path) -> None:
    """Detection goes on: the good file still counts."""
    store = _store(root)
    (instance,) = store.index.all("aws_sqs_queue")
    assert instance.ignore_changes == ("tags",)
    store.close()


@pytest.mark.parametrize("text", HCL.values(), ids=HCL.keys())
def test_a_file_of_any_content_leaves_the_others(root: Path, text: str) -> None:
    (root / "bad.tf").write_text(text, encoding="latin-1" if text.startswith("\xff") else "utf-8")
    if "backend" in text:
        configuration = Configuration(str(root))
        configuration.preload()
        assert discover(configuration).problem or discover(configuration).states
        assert configuration.block("", "aws_sqs_queue", "good").ignore_changes == ("tags",)
        _store(root).close()
    else:
        _holds(root)


@pytest.mark.parametrize("text", JSON.values(), ids=JSON.keys())
def test_a_json_file_of_any_content_leaves_the_others(root: Path, text: str) -> None:
    (root / "bad.tf.json").write_text(text)
    _holds(root)


def test_a_large_number_does_not_hide_the_rest_of_its_file(root: Path) -> None:
    (root / "good.tf").write_text(f"locals {{ a = -{LARGE} }}\n{GOOD}")
    _holds(root)


@pytest.mark.parametrize("name", ["manifest", "state", "partial", "terragrunt"])
@pytest.mark.parametrize(
    "text",
    [f'{{"a": {LARGE}}}', "[" * 100_000, '{"backend": {"type": ["x"], "config": []}}', '{"backend": 3}', "\0",
     '{"Modules": [{"Key": "m", "Dir": "\\u0000"}, {"Key": "n", "Dir": "\\ud800"}, {"Key": "o", "Dir": 3}]}'],
    ids=["number", "depth", "types", "no-object", "nul", "modules"],
)  # fmt: skip
def test_what_stands_beside_the_configuration_may_be_anything(root: Path, name: str, text: str) -> None:
    path = {
        "manifest": root / ".terraform" / "modules" / "modules.json",
        "state": root / ".terraform" / "terraform.tfstate",
        "partial": root / "x.tfbackend",
        "terragrunt": root / "terragrunt.hcl",
    }[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    _holds(root)


def test_links_that_lead_to_where_they_are_make_no_directories(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (root / name).symlink_to(".")
    (root / "loop").symlink_to("loop")
    sources = "\n".join(f'module "{name}" {{ source = "./{name}" }}' for name in ("a", "b", "loop"))
    (root / "modules.tf").write_text(sources)
    read: list[Path] = []
    whole = module.read_module
    monkeypatch.setattr(module, "read_module", lambda directory, warn: read.append(directory) or whole(directory, warn))
    configuration = Configuration(str(root))
    configuration.preload()
    assert len(read) == 2  # the root, and the link that leads nowhere
    deep = ".".join(f"module.{name}" for name in "ab" * 20)
    assert configuration.block(deep, "aws_sqs_queue", "good").ignore_changes == ("tags",)
    assert configuration.block(".".join(["module.a"] * 1000), "aws_sqs_queue", "good").line == 0
    assert len(read) == 2


def test_the_number_of_directories_is_bounded_and_said(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_MAX_DIRECTORIES", 5)
    for number in range(20):
        (root / f"m{number}").mkdir()
    (root / "modules.tf").write_text("".join(f'module "m{n}" {{ source = "./m{n}" }}\n' for n in range(20)))
    _holds(root)
    assert caplog.text.count("more than 5 module directories") == 1


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()])
def test_what_is_no_regular_file_is_left_out_loudly(root: Path, make: object, caplog: pytest.LogCaptureFixture) -> None:
    make(root / "odd.tf")  # type: ignore[operator]
    _holds(root)
    assert f"{root / 'odd.tf'}: it is no regular file" in caplog.text


def test_a_file_that_is_too_large_is_left_out_loudly(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (root / "large.tf").open("wb") as file:
        file.truncate(hcl._MAX_SIZE + 1)
    _holds(root)
    assert f"{root / 'large.tf'}: it has more than 16 MB" in caplog.text


def test_what_nobody_foresaw_keeps_what_was_read_before(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = StateStore(load(json.dumps({"config": [str(root)]})))
    store.refresh(force=True)

    def fails(self: Configuration) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(Configuration, "preload", fails)
    store.refresh(force=True)
    (instance,) = store.index.all("aws_sqs_queue")
    assert instance.ignore_changes == ("tags",)
    assert f"configuration {root}: KeyError" in caplog.text
    store.close()
