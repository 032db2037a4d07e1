"""The samples in libsinsp itself: every rule matches there what it is meant to match.

The stand-in plugin of the host's tests brings our fields and the samples' values into libsinsp: it starts there in a
hundredth of the time that Python takes.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tfdrift_plugin.host.condition import Check, Name, unparse, walk

from tests.host import standin
from tests.real.fixtures import forky_root
from tests.real.forky import Root
from tests.real.sysdig import Sysdig, put
from tests.rules.example_day import rules
from tests.rules.sample_events import SampleEvent, catalogue, samples
from tfdrift_core.output.fields import FIELDS

__all__ = ["forky_root"]

KINDS = {field.name: field.type.value for field in FIELDS}


def _declared() -> str:
    return json.dumps(
        [
            {
                "name": field.name,
                "type": field.type.value,
                "desc": "x",
                "isList": field.is_list,
                **({"arg": {"isKey": True, "isRequired": field.key}} if field.path or field.key else {}),
            }
            for field in FIELDS
        ]
    )


def _paths() -> set[str]:
    """Every ``field[path]`` that a rule asks for."""
    checks = (check for rule in rules() for check in walk(rule.condition) if isinstance(check, Check))
    names = (one.text for check in checks for one in (check.left, check.right) if isinstance(one, Name))
    return {name for name in names if "[" in name}


def _event(values: dict[str, Any], paths: set[str]) -> standin.Event:
    known = catalogue()
    event = dict(values)
    for path in paths:
        found = SampleEvent(values).get(known.exact(path))
        if found is not None:
            event[path] = [one if isinstance(one, int) else one.decode() for one in found]
    return event


@pytest.fixture(scope="module")
def firsts(forky_root: Root, tmp_path_factory: pytest.TempPathFactory) -> list[str | None]:
    """For every sample, the first rule that libsinsp says matches it."""
    library = standin.library(fields=_declared())
    paths = _paths()
    found: list[str | None] = [None] * len(samples())
    events = [_event(sample.values, paths) for sample in samples()]
    file = standin.write(tmp_path_factory.mktemp("samples") / "events", events, KINDS)
    sysdig = Sysdig(forky_root, put(forky_root, library, f"/opt/samples/{library.name}"), "standin")
    inside = put(forky_root, Path(file), f"/opt/samples/events-{library.stem}")
    for rule in rules():
        result = sysdig.live(inside, "*%evt.num", unparse(rule.condition))
        assert result.code == 0, f"{rule.name}: {result.error}"
        for number in map(int, result.lines):
            found[number - 1] = found[number - 1] or rule.name
    return found


def test_every_sample_meets_its_rule_first(firsts: list[str | None]) -> None:
    wrong = [
        f"{sample}: {first}"
        for sample, first in zip(samples(), firsts, strict=True)
        if (first == sample.rule) != sample.matches
    ]
    assert wrong == []


def test_no_drift_is_silent(firsts: list[str | None]) -> None:
    assert None not in firsts
