"""Carries single differences over to another version of the same attributes."""

from collections.abc import Iterable, Mapping
from typing import Any

from tfdrift_core.drift.compare.diff import Difference, Path
from tfdrift_core.drift.compare.values import difference as without


def patched(attributes: Mapping[str, Any], differences: Iterable[Difference]) -> dict[str, Any]:
    """``attributes`` with just these differences made: of a set, or a list whose length changed, element by element.

    What stands beside a difference stays as it is, so that what one call did to an attribute never brings with it what
    another did to the same attribute.
    """
    return _members(attributes, _by_step((difference.path, difference) for difference in differences))


_Changes = list[tuple[Path, Difference]]


def _by_step(changes: Iterable[tuple[Path, Difference]]) -> dict[str | int, _Changes]:
    """Changes by the first step of their paths, each with the rest of its path."""
    steps: dict[str | int, _Changes] = {}
    for (step, *rest), change in changes:
        steps.setdefault(step, []).append((tuple(rest), change))
    return steps


def _put(value: Any, changes: _Changes) -> Any:
    deeper = [(path, change) for path, change in changes if path]
    for path, change in changes:
        if not path:
            value = _changed(value, change)
    if not deeper:
        return value
    steps = _by_step(deeper)
    return _elements(value, steps) if any(isinstance(step, int) for step in steps) else _members(value, steps)


def _elements(value: Any, steps: Mapping[str | int, _Changes]) -> Any:
    elements = list(value) if isinstance(value, list) else []
    for step, changes in steps.items():
        # Where the other version lacks the element there is no place for what changed inside it.
        if isinstance(step, int) and step < len(elements):
            elements[step] = _put(elements[step], changes)
    return elements if elements else value


def _members(value: Any, steps: Mapping[str | int, _Changes]) -> dict[str, Any]:
    members = dict(value) if isinstance(value, Mapping) else {}
    for step, changes in steps.items():
        last = next((change for path, change in changes if not path), None)
        if last is not None and last.new is None and len(last.path) > 1:
            members.pop(str(step), None)
        else:
            members[str(step)] = _put(members.get(str(step)), changes)
    return members


def _changed(value: Any, change: Difference) -> Any:
    if isinstance(value, list) and (change.added or change.removed):
        kept = without(value, change.removed)
        return [*kept, *without(change.added, kept)]
    return change.new
