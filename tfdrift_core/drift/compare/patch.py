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
    result: Any = dict(attributes)
    for difference in differences:
        result = _put(result, difference.path, difference)
    return dict(result)


def _put(value: Any, path: Path, change: Difference) -> Any:
    if not path:
        return _changed(value, change)
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        elements = list(value) if isinstance(value, list) else []
        if step >= len(elements):
            # The other version lacks the element: there is no place for what changed inside it.
            return value
        elements[step] = _put(elements[step], rest, change)
        return elements
    members = dict(value) if isinstance(value, Mapping) else {}
    if not rest and change.new is None and len(change.path) > 1:
        members.pop(step, None)
        return members
    members[step] = _put(members.get(step), rest, change)
    return members


def _changed(value: Any, change: Difference) -> Any:
    if isinstance(value, list) and (change.added or change.removed):
        kept = without(value, change.removed)
        return [*kept, *without(change.added, kept)]
    return change.new
