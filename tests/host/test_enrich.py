"""The real ``libtfdrift_enrich.so`` in the real libsinsp, beside a plugin that brings CloudTrail's records.

That is Falco's own cloudtrail plugin where ``CLOUDTRAIL_PLUGIN`` names its ``libcloudtrail.so``, and always a small one
in C that gives the same payloads.
"""

import gzip
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tfdrift_plugin import build

from tests.host.test_plugin_in_libsinsp import CONFIG, TRAIL
from tests.plugin.conftest import compile_program
from tests.plugin.conftest import library as tfdrift_library
from tests.real.forky import REPO, Root
from tests.real.parts import MissingPartError
from tests.real.plugin import LIBRARIES, Plugin, borrow_python
from tests.real.sysdig import Result, Sysdig, put
from tfdrift_core.records.scan import scan

__all__ = ["tfdrift_library"]

HERE = Path(__file__).parent


def records() -> list[dict[str, Any]]:
    files = sorted(Path(TRAIL).iterdir())
    documents = [gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in files]
    return [dict(item.raw) for document in documents for item in scan(document, "x").records]


Items = Sequence[dict[str, Any]]


def lines(items: Items) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


class Enriched:
    """sysdig with a plugin that brings records and ours that adds to them."""

    def __init__(self, root: Root, cloudtrail: str, library: Path, *, one_a_line: bool) -> None:
        self._root = replace(borrow_python(root, library), env=(("LD_LIBRARY_PATH", str(LIBRARIES)),))
        self._cloudtrail, self._library, self.one_a_line = cloudtrail, library, one_a_line

    def run(self, *arguments: str, config: dict[str, object] = CONFIG) -> Result:
        ours = f"{self._library}:{json.dumps(config)}"
        return Sysdig(self._root, self._cloudtrail, "cloudtrail").run("-H", ours, *arguments)

    def written(self, items: Items, before: bytes = b"") -> str:
        """A file of records, as the plugin that brings them reads it."""
        name = f"/tmp/records-{os.getpid()}.json"
        content = before + lines(items) if self.one_a_line else json.dumps({"Records": items}).encode()
        self._root.inside(name).write_bytes(content)
        return name

    def live(self, items: Items, output: str, condition: str = "", before: bytes = b"") -> list[str]:
        """A line for each event, with ``<NA>`` for what it does not have."""
        filters = [condition] if condition else []
        found = self.run("-I", f"cloudtrail:{self.written(items, before)}", "-p", f"*{output}", *filters)
        assert found.code == 0, found.error
        return [line.decode() for line in found.lines if line]


@pytest.fixture(scope="module")
def library(tfdrift_library: Path) -> Path:
    return tfdrift_library.with_name(build.ENRICH.file)


@pytest.fixture(scope="module", params=["stand-in", "real"])
def enriched(
    request: pytest.FixtureRequest, forky_root: Root, library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Enriched:
    if request.param == "real":
        real = os.environ.get("CLOUDTRAIL_PLUGIN", "")
        if not real:
            raise MissingPartError(
                "CLOUDTRAIL_PLUGIN names no libcloudtrail.so",
                "https://download.falco.org/plugins/stable",
                required=False,
            )
        source = Path(real)
    else:
        target = tmp_path_factory.mktemp("cloudtrail") / "libcloudtrail.so"
        source = compile_program(HERE / "cloudtrail.c", target, [], "-shared", "-fPIC")
    copy = put(forky_root, source, f"/opt/tfdrift-tests/{request.param}-{os.getpid()}.so")
    return Enriched(forky_root, copy, library, one_a_line=request.param != "real")


@pytest.fixture(scope="module")
def day() -> Items:
    return records()


def by_the_plugin(forky_root: Root, tfdrift_library: Path, output: str) -> list[str]:
    plugin = Plugin(borrow_python(forky_root, tfdrift_library), tfdrift_library)
    config = {**CONFIG, "emit_expected": True, "coalesce": False, "apply_wait": 0}
    found = plugin.sysdig(**config).live(TRAIL, f"*{output}")
    assert found.code == 0, found.error
    return [line.decode() for line in found.lines if line]


def test_both_ways_give_the_same_drift(enriched: Enriched, day: Items, forky_root: Root, tfdrift_library: Path) -> None:
    # Spaces, for libsinsp looks for an argument's bracket up to the next one.
    shown = " | ".join(("%drift.kind", "%tf.address", "%drift.path", "%drift.new_value", "%tf.tags[Name]"))
    expected = by_the_plugin(forky_root, tfdrift_library, f"%ct.id | {shown}")
    calls = {line.split(" | ")[0]: line.split(" | ", 1)[1] for line in reversed(expected)}
    found = enriched.live(day, shown)
    assert sorted(line for line in found if not line.startswith("<NA>")) == sorted(calls.values())
    assert len(calls) > 10
    assert [line for line in found if line.endswith(" | shop-app-0")]


def test_a_rule_of_the_cloudtrail_plugins_kind_uses_it(enriched: Enriched, day: Items) -> None:
    condition = "tf.address exists and drift.kind != expected"
    found = enriched.live(day, "%tf.address %drift.changes", condition)
    assert "module.web.aws_instance.app[0] (instance_type: t3.micro → t3.small)" in found
    assert not [line for line in found if "LastBackup" in line]


def test_lists_speak_of_all_drifts_and_scalars_of_the_first(enriched: Enriched, day: Items) -> None:
    condition = "drift.paths intersects (restrict_public_buckets)"
    found = enriched.live(day, "%drift.path %drift.paths %drift.old_values", condition)
    assert found == ["block_public_policy (block_public_policy,restrict_public_buckets) (true,true)"]


@pytest.fixture
def change(day: Items) -> dict[str, Any]:
    return next(item for item in day if item["eventName"] == "ModifyInstanceAttribute")


def test_what_cannot_matter_has_no_fields(enriched: Enriched, change: dict[str, Any]) -> None:
    items = [
        {**change, "readOnly": True},
        {**change, "eventName": "DescribeInstances", "requestParameters": {"x": '"readOnly":false'}, "readOnly": True},
        {**change, "errorCode": "Client.UnauthorizedOperation"},
        {**change, "requestParameters": {"instanceId": "i-of-nobody"}},
    ]
    assert enriched.live(items, "%tf.address %drift.kind %drift.paths") == ["<NA> <NA> <NA>"] * 4


def test_what_was_denied_has_fields_where_that_is_wanted(enriched: Enriched, change: dict[str, Any]) -> None:
    config = {**CONFIG, "emit_attempts": True}
    file = enriched.written([{**change, "errorCode": "Client.UnauthorizedOperation"}])
    found = enriched.run("-I", f"cloudtrail:{file}", "-p", "*%tf.address %drift.kind %drift.paths", config=config)
    assert found.lines[0] == b"module.web.aws_instance.app[0] attempted (instance_type)"


def test_two_events_alike_have_the_same_fields(enriched: Enriched, change: dict[str, Any]) -> None:
    found = enriched.live([change, change, change], "%tf.address %drift.id %drift.changes")
    assert len(found) == 3
    assert len(set(found)) == 1
    assert found[0].startswith("module.web.aws_instance.app[0] ")


def test_a_capture_is_read_back(enriched: Enriched, day: Items) -> None:
    capture, output = f"/tmp/day-{os.getpid()}.scap", "%drift.kind %tf.address %drift.changes"
    written = enriched.run("-I", f"cloudtrail:{enriched.written(day)}", "-w", capture)
    assert written.code == 0, written.error
    found = enriched.run("-r", capture, "-p", f"*{output}", "tf.address exists")
    assert found.code == 0, found.error
    assert [line.decode() for line in found.lines if line] == enriched.live(day, output, "tf.address exists")
    assert len(found.lines) > 10


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"null", b'{"eventName":', b"\xff\xfe", b'{"Records":[]}', b"[" * 9000]
)
def test_no_payload_does_harm(enriched: Enriched, change: dict[str, Any], payload: bytes) -> None:
    if not enriched.one_a_line:
        pytest.skip("the real plugin gives nothing but records")
    assert enriched.live([change], "%tf.address", before=payload + b"\n")[-1] == "module.web.aws_instance.app[0]"


def test_settings_of_sources_are_refused(enriched: Enriched) -> None:
    found = enriched.run("-I", "cloudtrail:/dev/null", config={**CONFIG, "data_dir": "/var/lib/tfdrift"})
    assert found.code != 0
    assert "data_dir: leave it out; it is a setting of the plugin tfdrift" in found.error


def test_both_libraries_may_be_loaded_at_once(enriched: Enriched, day: Items, tfdrift_library: Path) -> None:
    """sysdig takes a field from whichever library has it first; Falco keeps sources apart."""
    ours, file = f"{tfdrift_library}:{json.dumps(CONFIG)}", enriched.written(day)
    found = enriched.run("-H", ours, "-I", f"cloudtrail:{file}", "-p", "%tf.address", "tf.address exists")
    assert found.code == 0, found.error
    assert len(found.lines) > 10


def test_the_shipped_rules_fire_on_the_day(enriched: Enriched, day: Items) -> None:
    if enriched.one_a_line:
        pytest.skip("the stand-in has no fields of its own")
    document = yaml.safe_load((REPO / "rules" / "tfdrift_enrich_rules.yaml").read_text())
    macros = {item["macro"]: item["condition"] for item in document if "macro" in item}
    fired = {}
    for rule in (item for item in document if "rule" in item):
        condition = rule["condition"]
        for name, text in macros.items():
            condition = condition.replace(name, f"({text})")
        fired[rule["rule"]] = enriched.live(day, rule["output"].strip(), condition)
    deleted, changed = fired.values()
    assert [line.split(" behind")[0] for line in deleted] == ["TerminateInstances deleted aws_instance.bastion"]
    assert len(changed) > 8
    assert not [line for line in changed if "<NA>" in line.split("state=")[0]]
