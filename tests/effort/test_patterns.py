"""No pattern that a record's text comes to takes more than its share when the text grows: counted, not timed."""

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import tfdrift_core.drift
import tfdrift_core.records
from tests.effort.steps import Steps

_REPEATS = 40
_ANCHORED = {"names._HOST", "names._QUEUE_PATH", "values._CIDR", "places._KEY"}
"""Those that are only asked whether they are a text, or its beginning."""
_BOUNDED = {
    # Only the last 200 characters of a name are looked at.
    *("redact.names", "redact.harmless", "redact.texts", "redact.environments", "redact.tags", "redact.telling"),
    "redact.own_headers",
    # Texts of at most 50 characters.
    "forms._ADDRESS",
    # Names of at most 128 characters.
    *("convert._WORD", "convert._PLURAL_ACRONYM"),
}


def _patterns_in(value: Any, name: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield name, value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for part in dataclasses.fields(value):
            yield from _patterns_in(getattr(value, part.name), f"{name.rpartition('.')[0]}.{part.name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _patterns_in(item, f"{name}[{index}]")


def patterns() -> list[Any]:
    """Every pattern that a module holds, in a global or in the data that it has read."""
    found: dict[str, re.Pattern[str]] = {}
    for package in (tfdrift_core.drift, tfdrift_core.records):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            short = info.name.rpartition(".")[2]
            for name, value in vars(module).items():
                of_cache = name in ("_data", "_patterns") and getattr(value, "__module__", "") == module.__name__
                found.update(_patterns_in(value() if of_cache else value, f"{short}.{name}"))
    return [pytest.param(name, pattern, id=name) for name, pattern in sorted(found.items())]


@pytest.mark.parametrize(("name", "pattern"), patterns())
def test_twice_the_text_takes_twice_the_steps(name: str, pattern: re.Pattern[str]) -> None:
    if name in _BOUNDED:
        pytest.skip("it is only asked about short texts")
    steps = Steps(pattern.pattern, pattern.flags & ~re.UNICODE)
    for piece in steps.pieces():
        once, twice = (steps.over(piece * count, name in _ANCHORED) for count in (_REPEATS, 2 * _REPEATS))
        assert twice <= 2.6 * once + 200, f"{piece!r} repeated: {once} steps become {twice}"


def test_the_steps_of_a_known_square_are_seen() -> None:
    steps = Steps(r"([A-Z]+)([A-Z][a-z])")
    assert steps.over("A" * 400) > 3.5 * steps.over("A" * 200)
