"""Takes out of a request what its response says has failed.

A call for several things can succeed though it failed for some of them.  The response then lists these: as texts, as
objects that say which and why, or as the keys of a map.  ``tests/drift/change/test_partial.py`` holds this to every
such list in botocore's models.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfdrift_core.drift.compare.values import as_list, same
from tfdrift_core.records.record import remembered

_FAILED = re.compile(
    r"fail(?!over)|unsuccessful|unprocessed|errors?|invalid|rejected|unfulfilled|unknown|not(?:deleted|found|processed|updated)",
    re.IGNORECASE,
)
"""Members of a response that hold what was not done."""

_WHY = re.compile(
    r"error|message|reason|exception|fault|cause$|description|details?$|codes?$|^status|^type$|result$", re.IGNORECASE
)
"""Members of a failure that tell why, or how it is now, and not what it was."""

_ENDS = ("id", "arn", "name", "key", "values")


def may_have_failed(response: Mapping[str, Any]) -> bool:
    """Whether it is worth while to look closer; a body may be wrapped in one object (EC2)."""
    names = [*response]
    if len(names) == 1 and isinstance(body := response[names[0]], dict):
        names += body
    # Responses of one call have the same members: they are asked about together.
    return _tells_failure("\0".join(names))


@remembered
def _tells_failure(name: str) -> bool:
    return _FAILED.search(name) is not None


def without_failed(request: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """The request as if it had asked only for what was done, and for nothing at all if all failed."""
    failures = list(_failures(response))
    if not failures:
        return _without_all(request, response)
    kept = {name: _kept(value, failures) for name, value in request.items()}
    if kept != request:
        # Of a list that is empty now all has failed, and with it the call.
        return kept if all(value or value == request[name] for name, value in kept.items()) else {}
    # A list of one is logged as its bare element by some calls.
    return {} if any(_is(value, failure) for value in request.values() for failure in failures) else dict(request)


def _without_all(request: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing when as many elements have failed as the only list of the request has, whichever they are."""
    counts = [value for name, value in response.items() if _counts_failures(name) and type(value) is int]
    lists = [name for name, value in request.items() if isinstance(value, list)]
    if len(lists) == 1 and counts and max(counts) >= len(request[lists[0]]) > 0:
        return {}
    return dict(request)


def _counts_failures(name: str) -> bool:
    """``failedEntryCount``, ``FailureCount``"""
    lowered = name.lower()
    return lowered.endswith("count") and "fail" in lowered.removesuffix("count")


def _failures(response: Mapping[str, Any]) -> Iterator[Any]:
    """A text or the telling members of an object for each thing that failed."""
    for name, value in response.items():
        if _tells_failure(name):
            yield from _listed(value)


def _listed(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and not any(_WHY.search(name) for name in value):
        # A map: its keys are what failed, unless they only group it.
        for key, member in value.items():
            yield from _listed(member) if isinstance(member, list) else (key,)
        return
    for element in as_list(value):
        if isinstance(element, str) and isinstance(value, list):
            yield element
        elif isinstance(element, dict):
            telling = {name: member for name, member in element.items() if not _WHY.search(name) and _says(member)}
            listed = {
                name: member for name, member in telling.items() if _FAILED.search(name) and isinstance(member, list)
            }
            # A batch that failed as a whole lists what was in it.
            yield from _failures(listed) if listed else (telling,) if telling else ()


def _says(value: Any) -> bool:
    return value not in (None, "", [], {})


def _kept(value: Any, failures: Sequence[Any], depth: int = 0) -> Any:
    if isinstance(value, list):
        return [element for element in value if not any(_is(element, failure) for failure in failures)]
    if isinstance(value, dict) and depth < 3:
        texts = {failure for failure in failures if isinstance(failure, str)}
        return {name: _kept(member, failures, depth + 1) for name, member in value.items() if name not in texts}
    return value


def _is(element: Any, failure: Any) -> bool:
    """Whether an element of the request is what a failure tells of."""
    if not isinstance(failure, dict):
        return _same_name(element, failure)
    if not isinstance(element, dict):
        return any(_same_name(element, told) for told in failure.values())
    pairs = [(_member(element, name), told) for name, told in failure.items()]
    known = [(own, told) for own, told in pairs if own is not None]
    if known:
        return all(_same_name(own, told) or _same_value(own, told) for own, told in known)
    # A failure may hold the whole element as one member.
    (whole, *more) = failure.values()
    return not more and isinstance(whole, dict) and _is(element, whole)


def _same_value(own: Any, told: Any) -> bool:
    return _is(own, told) if isinstance(own, dict) and isinstance(told, dict) and told else same(own, told)


def _member(element: Mapping[str, Any], name: str) -> Any:
    """An element's member of this name, or of its end: ``targetId`` of a failure is the element's ``id``."""
    members = {own.lower(): value for own, value in element.items()}
    wanted = name.lower()
    if wanted in members:
        return members[wanted]
    found = [own for own in members if wanted.endswith(own) and own in _ENDS]
    found = found or [own for own in members if own.endswith(wanted) and wanted in _ENDS]
    return members[found[0]] if len(found) == 1 else None


def _same_name(one: Any, other: Any) -> bool:
    """Whether two texts are one name, or one is the ARN that ends with the other."""
    scalars = isinstance(one, (str, int)) and isinstance(other, (str, int))
    if not scalars or isinstance(one, bool) or isinstance(other, bool):
        return False
    left, right = str(one), str(other)
    return left == right or _ends(left, right) or _ends(right, left)


def _ends(arn: str, name: str) -> bool:
    return arn.startswith("arn:") and name != "" and arn.endswith((f"/{name}", f":{name}"))
