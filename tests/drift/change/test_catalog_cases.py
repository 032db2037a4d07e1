"""What calls change, service by service: ``cases/SERVICE.yaml`` has the states, the calls and the drift that follows.

``source`` is the event source without its domain, ``state`` the resources that every case starts from.  A case has
``calls`` (event name, request and, where the call answers, response), ``with`` (resources laid over the state; a
resource that is null is not there) and ``drift``: what ``replayed.Change`` says, or address and path alone where the
values are long.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.drift.replayed import changes

FILES = sorted(Path(__file__).with_name("cases").glob("*.yaml"))


def _cases() -> Iterator[Any]:
    for file in FILES:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        for case in document["cases"]:
            yield pytest.param(document, case, id=f"{file.stem}-{case['name'].replace(' ', '_')}")


def _state(document: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    resources = dict(document["state"])
    for address, attributes in (case.get("with") or {}).items():
        if attributes is None:
            del resources[address]
        else:
            resources[address] = {**resources.get(address, {}), **attributes}
    return resources


def _sorted(drift: Iterable[Sequence[Any]]) -> list[str]:
    return sorted(json.dumps(change) for change in drift)


@pytest.mark.parametrize(("document", "case"), list(_cases()))
def test_case(document: Mapping[str, Any], case: Mapping[str, Any]) -> None:
    calls = [(call[0], *(part or {} for part in call[1:])) for call in case["calls"]]
    drift = changes(document["source"], _state(document, case), *calls)
    short = {(change[0], change[1]) for change in case["drift"] if len(change) == 2}
    assert _sorted(change[:2] if change[:2] in short else change for change in drift) == _sorted(case["drift"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_enough_cases_under_names_of_their_own(file: Path) -> None:
    names = [case["name"] for case in yaml.safe_load(file.read_text(encoding="utf-8"))["cases"]]
    assert len(names) >= 8
    assert len(names) == len(set(names))
