"""Plans in all forms in which Terraform, OpenTofu and HCP Terraform give them, and what is taken for one."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.blame.test_blame import SINCE, document
from tests.drift.test_engine import timeout
from tfdrift_core.blame.plan import Plan, PlanError, load, parse
from tfdrift_core.blame.trace import blame
from tfdrift_core.cli import main
from tfdrift_core.drift.change.catalog import load as load_catalog

QUEUE = "module.shop.aws_sqs_queue.orders[0]"

# What each writer puts around resource_drift: https://developer.hashicorp.com/terraform/internals/json-format and the
# types in internal/command/jsonplan of the tags v1.5.7, v1.8.5 and v1.11.4; OpenTofu's jsonplan of v1.6.3 and v1.9.0.
_OLD = {"format_version": "1.2", "planned_values": {"root_module": {}}, "configuration": {"root_module": {}}}
WRITERS: dict[str, dict[str, Any]] = {
    "0.15.4": {"format_version": "0.1", "terraform_version": "0.15.4"},
    "1.0": {"format_version": "0.2", "terraform_version": "1.0.11"},
    "1.5": {**_OLD, "terraform_version": "1.5.7", "relevant_attributes": [], "timestamp": "2026-03-17T12:00:00Z"},
    "1.8": {
        **_OLD,
        "terraform_version": "1.8.5",
        "errored": False,
        "applyable": True,
        "complete": True,
        "deferred_changes": [],
    },
    "1.11": {**_OLD, "terraform_version": "1.11.4", "errored": False, "applyable": True, "complete": True},
    "1.14": {**_OLD, "terraform_version": "1.14.0", "action_invocations": [], "complete": True},
    "OpenTofu 1.6": {**_OLD, "terraform_version": "1.6.3"},
    "OpenTofu 1.9": {**_OLD, "terraform_version": "1.9.0", "errored": False},
}


def read(told: dict[str, Any]) -> Plan:
    return parse(json.dumps(told).encode(), "plan.json")


def causes(plan: Plan) -> list[tuple[str, bool]]:
    parts = blame(plan, [timeout(60)], load_catalog(), SINCE)
    return [(part.path, part.cause is not None) for part in parts]


@pytest.mark.parametrize("writer", WRITERS)
def test_every_version_of_terraform_and_opentofu(writer: str) -> None:
    told = {**document({"visibility_timeout_seconds": 60}), **WRITERS[writer]}
    if writer.startswith("OpenTofu"):
        told["resource_drift"][0]["provider_name"] = "registry.opentofu.org/hashicorp/aws"
    plan = read(told)
    assert causes(plan) == [("visibility_timeout_seconds", True)]
    assert plan.notes == ()


def test_members_come_in_any_order() -> None:
    told = document({"visibility_timeout_seconds": 60})
    told["prior_state"] = {"values": {"root_module": {"child_modules": [{"resources": [], "address": "module.shop"}]}}}
    assert causes(read(dict(sorted(told.items())))) == causes(read(dict(sorted(told.items(), reverse=True))))


@pytest.mark.parametrize(
    ("members", "note"),
    [
        ({"errored": True}, "the plan ended with an error, and may not tell all drift"),
        ({"deferred_changes": [{"reason": "resource_config_unknown"}], "complete": False}, "deferred 1 changes"),
        ({"terraform_version": "0.14.11", "format_version": "0.1"}, "Terraform 0.14.11 wrote the plan, which tells no"),
    ],
)
def test_what_may_be_missing_is_said(
    members: dict[str, Any], note: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {**document({"visibility_timeout_seconds": 60}), **members}
    assert note in read(told).notes[0]
    (tmp_path / "plan.json").write_text(json.dumps(told))
    (tmp_path / "trail.json").write_text(json.dumps({"Records": []}))
    assert main(["blame", str(tmp_path / "plan.json"), "--source", str(tmp_path / "trail.json")]) == 0
    printed = capsys.readouterr()
    assert note in printed.err
    assert "there is no record that could name it" in printed.out


def test_no_drift_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"format_version": "1.2", "planned_values": {}}))
    (tmp_path / "trail.json").write_text(json.dumps({"Records": [timeout(60).raw]}))
    arguments = ["blame", str(tmp_path / "plan.json"), "--source", str(tmp_path / "trail.json"), "--detailed-exitcode"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == "The plan shows no drift.\n"


def test_the_rest_of_the_state_helps_to_find_what_a_call_names() -> None:
    """Default tags are told apart by other resources, which only prior_state has."""
    told = document(None)
    known = {**told["resource_drift"][0]["change"]["before"], "id": "other", "arn": "arn:x", "name": "other"}
    resource = {"address": 'module.shop["a.b"].aws_sqs_queue.other["x"]', "mode": "managed", "type": "aws_sqs_queue",
                "name": "other", "index": "x", "provider_name": "aws", "values": known}  # fmt: skip
    child = {"resources": [resource], "address": 'module.shop["a.b"]'}
    told["prior_state"] = {"values": {"root_module": {"child_modules": [child]}}}
    found = {instance.address: instance.module for instance in read(told).index.all()}
    assert found == {QUEUE: "module.shop", resource["address"]: 'module.shop["a.b"]'}


def test_a_resource_that_is_about_to_be_destroyed_is_not_the_one_that_replaced_it() -> None:
    told = document({"visibility_timeout_seconds": 60})
    deposed = json.loads(json.dumps({**told["resource_drift"][0], "deposed": "0a1b2c3d"}))
    told["resource_drift"].append(deposed)
    assert len(read(told).drifted) == 1


HERE = "make a plan with: terraform plan -refresh-only -out=drift.plan && terraform show -json drift.plan > plan.json"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", f"plan.json: is empty: what should have written it has failed; {HERE}"),
        (b"  \n", "is empty"),
        (b"Terraform will perform the following actions:", f"this is not JSON, so not a Terraform plan; {HERE}"),
        (json.dumps({"format_version": "1.2"}).encode("utf-16"), "this is UTF-16, which PowerShell's > writes"),
        (gzip.compress(b"{}"), f"is not JSON: this is not JSON, so not a Terraform plan; {HERE}"),
        (b'{"format_version": "1.2", "resource_drift": [{"address": "a"', "the plan is cut off"),
        (b'{"format_version": "1.0", "terraform_version": "1.11.4", "values": {}}', f"is a state; {HERE}"),
        (b'{"@level":"info","@message":"Terraform 1.11.4"}\n{"@level":"info"}', "is the log that -json makes"),
        (b'{"format_version": "1.0", "provider_schemas": {}}', f"is not a plan; {HERE}"),
        (b'{"format_version": 7}', f"is not a plan; {HERE}"),
        (b'{"format_version": "2.0"}', "has format 2.0, which is newer than this TFDrift knows (1); update TFDrift"),
        (b'{"format_version": "x"}', "has format x, which is newer"),
        (json.dumps(document(None)).encode() + b" {}", "expected the end at byte"),
        (json.dumps(document(None)).encode("utf-8-sig"), "begins with a byte order mark; save it without"),
        (b'{"data": {"id": "plan-1", "type": "plans"}}', "the plan is at /api/v2/plans/ID/json-output"),
        (b'{"data": {"type": "assessment-results"}}', "the plan is at /api/v2/assessment-results/ID/json-output"),
        (b'{"data": [{"type": "runs"}]}', "is what HCP Terraform's API says about a plan"),
    ],
)
def test_what_is_no_plan_is_told_what_it_is(data: bytes, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse(data, "plan.json")
    assert message in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "is a directory; make a plan in it with: "), (tmp_path / "x", "No such file")):
        with pytest.raises(PlanError, match=message):
            load(path)
    (tmp_path / "empty").touch()
    with pytest.raises(PlanError, match="is empty"):
        load(tmp_path / "empty")


@pytest.mark.parametrize(
    "told",
    [
        {"prior_state": 1},
        {"prior_state": {"values": []}},
        {"prior_state": {"values": {"root_module": {"resources": {}, "child_modules": None}}}},
        {"prior_state": {"values": {"root_module": {"resources": [1, {"mode": "managed"}, {"mode": "data"}]}}}},
        {"prior_state": {"values": {"root_module": {"resources": [{"mode": "managed", "address": "a.b"}]}}}},
        {"configuration": []},
        {"configuration": {"root_module": {"resources": 5, "module_calls": []}, "provider_config": 3}},
        {
            "variables": [1],
            "configuration": {"provider_config": {"aws": {"expressions": {"region": {"references": 1}}}}},
        },
        {"deferred_changes": {}, "errored": "yes", "terraform_version": 1},
    ],
)
def test_members_of_any_other_form_change_nothing(told: dict[str, Any]) -> None:
    plan = read({**document({"visibility_timeout_seconds": 60}), **told})
    assert [one.instance.address for one in plan.drifted] == [QUEUE]


def large(path: Path, megabytes: int) -> None:
    """A plan of that size: everything is in it several times, and little of it has drifted."""
    told = document({"visibility_timeout_seconds": 60})
    drift, head = told.pop("resource_drift"), json.dumps(told)[:-1]
    values = {"description": "x" * 900, "nested": [{"a": ["]", "}", '"', 1.5e3, None, True]}]}

    def resources() -> Iterator[str]:
        for number in range(megabytes * 1000):
            name = f"r{number}"
            told = {"address": f"aws_thing.{name}", "mode": "managed", "type": "aws_thing", "name": name}
            yield json.dumps({**told, "provider_name": "aws", "values": {**values, "id": name}})

    with path.open("w", encoding="utf-8") as file:
        file.write(head + ', "planned_values": {"root_module": {"resources": [')
        file.writelines(text if not number else f", {text}" for number, text in enumerate(resources()))
        file.write(f']}}}}, "resource_drift": {json.dumps(drift)}}}')


@pytest.mark.slow
def test_a_plan_of_a_hundred_megabytes(tmp_path: Path) -> None:
    """It is walked through: what is held is its drift, and never all of it."""
    path = tmp_path / "plan.json"
    large(path, 100)
    assert path.stat().st_size > 100 << 20
    tracemalloc.start()
    try:
        plan = load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [one.instance.address for one in plan.drifted] == [QUEUE]
    assert peak < 24 << 20


def test_a_plan_beyond_all_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdrift_core.blame.plan.MAX_BYTES", 20 << 20)
    path = tmp_path / "plan.json"
    with path.open("wb") as file:
        file.truncate((20 << 20) + 1)
    with pytest.raises(PlanError, match="is larger than 20 MB; make plans of fewer resources with -target"):
        load(path)


def test_a_file_of_windows_tools(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document({"visibility_timeout_seconds": 60})) + "\r\n", encoding="utf-8-sig")
    assert causes(load(path)) == [("visibility_timeout_seconds", True)]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.dumps(document({"visibility_timeout_seconds": 60})).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(told)))
    plan = load(Path("-"))
    assert (plan.origin, causes(plan)) == ("standard input", [("visibility_timeout_seconds", True)])
