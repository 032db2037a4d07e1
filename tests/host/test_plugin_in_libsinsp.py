"""The real ``libtfdrift.so`` in the real libsinsp, on the sample day of ``examples/``."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tfdrift_plugin.host import rules
from tfdrift_plugin.host.abi import Framework, Library
from tfdrift_plugin.host.condition import Check, Name, unparse, walk
from tfdrift_plugin.host.fields import Field, Spec
from tfdrift_plugin.host.output import compile_format
from tfdrift_plugin.host.rules import Rule

from tests.host import standin
from tests.plugin.conftest import library as tfdrift_library
from tests.real.forky import REPO, Root
from tests.real.plugin import Plugin, borrow_python
from tests.real.sysdig import Sysdig, put
from tfdrift_core.output.fields import Type

__all__ = ["tfdrift_library"]

TRAIL = str(REPO / "examples" / "trail")
CONFIG: dict[str, object] = {
    "state": sorted(map(str, (REPO / "examples" / "state").glob("*.tfstate"))),
    "config": sorted(map(str, (REPO / "examples" / "infrastructure").iterdir())),
}
# The guide explains the rules; the other library has rules of its own.
RULES = sorted(
    {*(REPO / "rules").rglob("*.yaml")}
    - {REPO / "rules" / name for name in ("guide.yaml", "tfdrift_enrich_rules.yaml")}
)


@dataclass(frozen=True)
class Seen:
    """What the embedded host makes of the sample day: rules by name with the numbers of the events they match."""

    rules: dict[str, Rule]
    matches: dict[str, list[int]]
    outputs: dict[str, list[bytes]]
    everything: list[bytes]
    values: list[dict[str, tuple[bytes | int, ...]]]


@pytest.fixture(scope="module")
def plugin(forky_root: Root, tfdrift_library: Path) -> Plugin:
    return Plugin(borrow_python(forky_root, tfdrift_library), tfdrift_library)


@pytest.fixture(scope="module")
def capture(plugin: Plugin) -> Iterator[tuple[Sysdig, str]]:
    """The sample day as a capture file, and a sysdig that reads it."""
    sysdig = plugin.sysdig(**CONFIG)
    file = f"/tmp/day-{os.getpid()}.scap"
    result = sysdig.record(TRAIL, file)
    assert result.code == 0, result.error
    yield sysdig, file
    sysdig.root.inside(file).unlink()


def loaded(library: Library, files: list[Path]) -> tuple[Rule, ...]:
    documents = [(str(file), file.read_text(encoding="utf-8")) for file in files]
    identity = library.identity
    return rules.load(documents, library.catalogue, identity.source, {identity.name: identity.version}).rules


def named(spec: Spec) -> str:
    """A field as a rule may ask for it."""
    return f"{spec.name}[Name]" if spec.required else spec.name


def every_field(library: Library) -> str:
    """An output line with every field that the plugin has, and a path."""
    # A latency is measured against the clock of the run, and authors are looked up beside it.
    left_out = ("tf.commit", "tf.author", "tf.owner")
    specs = (spec for spec in library.catalogue.classes[1] if spec.name not in left_out)
    names = [named(spec) for spec in specs if spec.type is not Type.RELTIME]
    return " | ".join(f"{name}=%{name}" for name in names) + " | %ct.request[instanceType.value]"


def _used_fields(library: Library, found: Iterable[Rule]) -> list[Field]:
    """Every field of the plugin without an argument, then those that rules use with one."""
    names: dict[str, None] = dict.fromkeys(map(named, library.catalogue.classes[1]))
    for rule in found:
        names |= dict.fromkeys(field.name for field in rule.format.keys)
        for check in walk(rule.condition):
            if isinstance(check, Check):
                names |= dict.fromkeys(one.text for one in (check.left, check.right) if isinstance(one, Name))
    fields = [library.catalogue.exact(name) for name in names if library.catalogue.has(name)]
    return [field for field in fields if field.spec.id is not None]


@pytest.fixture(scope="module")
def host(tfdrift_library: Path) -> Seen:
    library = Library(tfdrift_library)
    found = {rule.name: rule for file in RULES for rule in loaded(library, [file])}
    line = compile_format(every_field(library), library.catalogue)
    seen = Seen(found, {name: [] for name in found}, {name: [] for name in found}, [], [])
    used = _used_fields(library, found.values())
    with library.init(json.dumps(CONFIG), lambda *_: None) as plugin, plugin.open(TRAIL) as instance:
        for event in instance.events():
            seen.everything.append(line.text(event))
            seen.values.append({field.name: values for field in used if (values := event.get(field))})
            for rule in found.values():
                if rule.matches(event):
                    seen.matches[rule.name].append(event.number)
                    seen.outputs[rule.name].append(rule.format.text(event))
    return seen


def test_the_sample_day_shows_something(host: Seen) -> None:
    assert len(host.everything) >= 12
    assert sum(map(len, host.matches.values())) >= 12


def test_the_layout_of_an_older_falco(tfdrift_library: Path, host: Seen) -> None:
    library = Library(tfdrift_library, Framework.FALCO_0_39)
    line = compile_format(every_field(library), library.catalogue)
    with library.init(json.dumps(CONFIG), lambda *_: None) as plugin:
        with plugin.open(TRAIL) as instance:
            assert [line.text(event) for event in instance.events()] == host.everything
        assert plugin.metrics()["records_read"] > len(host.everything)


def test_every_field_of_every_event(plugin: Plugin, tfdrift_library: Path, host: Seen) -> None:
    result = plugin.sysdig(**CONFIG).live(TRAIL, "*" + every_field(Library(tfdrift_library)))
    assert result.error == ""
    assert result.code == 0
    assert b"\n".join(result.lines) == b"\n".join(host.everything).rstrip(b"\n")


def test_a_capture_holds_everything(capture: tuple[Sysdig, str], tfdrift_library: Path, host: Seen) -> None:
    sysdig, file = capture
    result = sysdig.replay(file, "*" + every_field(Library(tfdrift_library)))
    assert b"\n".join(result.lines) == b"\n".join(host.everything).rstrip(b"\n")


def test_every_rule(forky_root: Root, host: Seen, tfdrift_library: Path, tmp_path: Path) -> None:
    """Condition and output of every rule, in libsinsp.

    The events are given to it by the stand-in plugin, which has the fields and values of ours: libsinsp starts it in a
    hundredth of the time that Python takes.
    """
    fields = Library(tfdrift_library).identity.fields
    kinds = {entry["name"]: entry["type"] for entry in json.loads(fields)}
    library = standin.library(fields=fields)
    events = standin.write(tmp_path / "events", host.values, kinds)
    sysdig = Sysdig(forky_root, put(forky_root, library, f"/opt/mirror/{library.name}"), "standin")
    inside = put(forky_root, events, f"/opt/mirror/events-{library.stem}")

    def difference(rule: Rule) -> str | None:
        result = sysdig.live(inside, f"*%evt.num {rule.output}", unparse(rule.condition))
        numbers, texts = host.matches[rule.name], host.outputs[rule.name]
        expected = [b"%d %b" % pair for pair in zip(numbers, texts, strict=True)]
        if result.code == 0 and b"\n".join(result.lines) == b"\n".join(expected):
            return None
        return f"{rule.name}: host {expected}, libsinsp {list(result.lines)} {result.error}"

    differences = [text for rule in host.rules.values() if (text := difference(rule))]
    assert differences == []


def test_all_rules_together(capture: tuple[Sysdig, str], host: Seen) -> None:
    sysdig, file = capture
    condition = " or ".join(f"({unparse(rule.condition)})" for rule in host.rules.values())
    result = sysdig.replay(file, "*%evt.num", condition)
    assert [int(line) for line in result.lines] == sorted({n for found in host.matches.values() for n in found})


def test_the_overview_rule_fires(plugin: Plugin, host: Seen) -> None:
    rule = host.rules["ec2_instance_type_changed"]
    result = plugin.sysdig(**CONFIG).live(TRAIL, "*" + rule.output, unparse(rule.condition))
    assert len(result.lines) == 1
    assert b"from=t3.micro to=t3.small user=" in result.lines[0]
    assert list(result.lines) == host.outputs[rule.name]


def test_conditions_as_people_write_them(plugin: Plugin) -> None:
    condition = 'cloud.service = "ec2" and evt.name = "ModifyInstanceAttribute" and drift.attribute = "instance_type"'
    result = plugin.sysdig(**CONFIG).live(TRAIL, "*%resource %user %evt.name", condition)
    assert [line.split()[-1] for line in result.lines] == [b"ModifyInstanceAttribute"]


def test_the_summary_of_an_event_is_json(plugin: Plugin) -> None:
    result = plugin.sysdig(**CONFIG).live(TRAIL, "*%evt.plugininfo")
    assert all("drift.kind" in json.loads(line) for line in result.lines)
    assert result.lines


@pytest.mark.parametrize(
    ("config", "params", "message"),
    [
        ({"stat": []}, TRAIL, "stat"),
        ({"state": 5}, TRAIL, "state"),
        (CONFIG, "", "source"),
        (CONFIG, "/nowhere/trail", "/nowhere/trail"),
        (CONFIG, "ftp://x", "ftp://x"),
    ],
)
def test_bad_configuration(plugin: Plugin, config: dict[str, object], params: str, message: str) -> None:
    result = plugin.sysdig(**config).live(params, "*%evt.num", timeout=20)
    assert result.code != 0
    assert message in result.error
    assert "Traceback" not in result.error


def test_broken_text_stays_utf8(plugin: Plugin, tmp_path: Path) -> None:
    """A lone surrogate, as JSON can spell it, never reaches Falco: it would end it."""
    record = {
        "eventVersion": "1.08",
        "eventTime": "2026-03-17T10:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "agent \ud800",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/eve",
            "accountId": "111122223333",
            "userName": "eve\udfff",
        },
        "requestParameters": {"instanceType": "t3.micro\ud83d"},
        "responseElements": {"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}},
        "eventID": "8d9a7c1e-0000-4000-8000-000000000001",
        "readOnly": False,
        "recipientAccountId": "111122223333",
    }
    (tmp_path / "trail.json").write_text(json.dumps({"Records": [record]}))
    trail = put(plugin.root, tmp_path / "trail.json", "/tmp/broken.json")
    output = "*%drift.user %drift.useragent %ct.request %ct.request[instanceType] %evt.plugininfo"
    result = plugin.sysdig(**CONFIG).live(trail, output)
    assert result.code == 0, result.error
    assert result.lines
    for line in result.lines:
        line.decode("utf-8")
