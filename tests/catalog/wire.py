"""The names under which CloudTrail logs what botocore's service models describe.

Built from the models alone, without the code that reads records.  The shape is the one that catalog expressions see:
EC2's ``{"items": [...]}`` and CloudFront's ``{"quantity": 1, "items": [...]}`` are plain lists, an EC2 request wrapper
is gone, and the body of an API Gateway v1 call is ``input``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jmespath
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.session import Session

from tests.judge import serializer
from tests.shared import corpus

Path = tuple[str, ...]

READS = (
    "BatchCheck",
    "BatchDescribe",
    "BatchGet",
    "Can",
    "Check",
    "Describe",
    "Discover",
    "Download",
    "Estimate",
    "Export",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Preview",
    "Query",
    "Receive",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "Test",
    "Validate",
    "Verify",
)
_EVENTS = {(service, event): call for (service, call), event in serializer.EVENT_NAMES.items()}


@cache
def model(service: str) -> ServiceModel | None:
    try:
        return Session().get_service_model(service)
    except UnknownServiceError:
        return None


def operation(service: str, event: str) -> OperationModel | None:
    """The operation behind an event name, None where the service has no such operation."""
    found = model(service)
    name = _EVENTS.get((service, event), event)
    return found.operation_model(name) if found and name in found.operation_names else None


def mutating(service: str) -> list[str]:
    """Event names of the operations of a service that may change something."""
    found = model(service)
    if found is None:
        return []
    renamed = {call: event for (owner, call), event in serializer.EVENT_NAMES.items() if owner == service}
    return sorted({renamed.get(name, name) for name in found.operation_names if not name.startswith(READS)})


# --- what is below a name


@dataclass(frozen=True)
class Place:
    """A place in a record: the names below it come from ``members``; without that, anything may be below."""

    path: Path
    members: Callable[[], Iterable[tuple[str, "Place"]]] | None = None


ANYTHING = Place(())
Places = list[Place]


def root(service: str, call: OperationModel, part: str) -> Place:
    """``request`` or ``response`` of a call."""
    return Place((part,), lambda: _top(service, call, part))


def _shape(service: str, shape: Shape | None, path: Path) -> Place:
    if shape is None or isinstance(shape, MapShape):
        return Place(path)
    return Place(path, lambda: _members(service, shape, path))


def _members(service: str, shape: Shape, path: Path) -> Iterator[tuple[str, Place]]:
    def entry(name: str, below: Shape | None) -> tuple[str, Place]:
        return name, _shape(service, below, (*path, name))

    if isinstance(shape, ListShape):
        yield from _members(service, shape.member, path)
        if service in ("s3", "s3control") and not shape.serialization.get("flattened"):
            yield entry(shape.member.serialization.get("name", "member"), shape.member)
        if service == "ec2" and not isinstance(shape.member, StructureShape):
            yield from (entry(wrapper, None) for _, wrapper in serializer.EC2_LISTS.values() if wrapper)
    if not isinstance(shape, StructureShape):
        return
    for name, member in shape.members.items():
        yield entry(name, member)
        serialized = member.serialization.get("name")
        if service in ("s3", "s3control", "ec2") and serialized:
            yield entry(serialized, member)
        if service == "ec2" and name in serializer.EC2_LISTS:
            yield entry(serializer.EC2_LISTS[name][0], member)
            if shape.name == "TagSpecification":
                yield entry("tags", member)
        elif member.serialization.get("location") == "uri" and serialized:
            yield entry(serialized, member)  # EKS logs the label of the path
        if name == "Items":
            yield from _members(service, member, path)


def _top(service: str, call: OperationModel, part: str) -> Iterator[tuple[str, Place]]:
    shape = call.output_shape if part == "response" else call.input_shape
    if service == "kms" and part == "response":
        yield "keyId", Place((part, "keyId"))  # also where the API answers nothing
    if shape is None:
        return

    def entry(name: str, below: Shape | None = None) -> tuple[str, Place]:
        return name, _shape(service, below, (part, name))

    yield from _members(service, shape, (part,))
    if part == "response":
        if service in serializer.BARE_RESPONSES and len(shape.members) == 1:
            (inner,) = shape.members.values()
            yield from _members(service, inner, (part,))
        if service == "ec2":
            yield entry("_return")
    elif service == "ec2":
        for (event, member), logged in serializer.EC2_NAMES.items():
            if event == call.name:
                yield entry(logged, shape.members[member])
    elif service == "apigateway":
        yield "input", Place((part, "input"), lambda: _members(service, shape, (part, "input")))
        yield entry("template")
    elif service in ("s3", "s3control"):
        yield from (entry(name) for name in ("bucketName", "key", "bucketPolicy", *serializer.S3_FLAGS.values()))
        wrapper = shape.serialization.get("name")
        if wrapper:
            yield entry(wrapper, shape)


# --- expressions over places


class Walk:
    """Follows an expression over places instead of values; ``unknown`` collects the paths that do not exist."""

    def __init__(self, scope: Mapping[str, Places]) -> None:
        self.scope = scope
        self.unknown: list[Path] = []

    def expression(self, text: str) -> Places:
        scope = dict(self.scope)
        top = Place((), lambda: [(name, place) for name, places in scope.items() for place in places])
        return self._visit(jmespath.compile(text).parsed, [top])

    def _visit(self, node: Mapping[str, Any], at: Places) -> Places:
        children = node.get("children", [])
        match node["type"]:
            case "field":
                return self._field(node["value"], at)
            case "subexpression" | "index_expression" | "pipe" | "projection" | "flatten" | "value_projection":
                for child in children:
                    at = self._visit(child, at)
                return [ANYTHING] if node["type"] == "value_projection" else at
            case "filter_projection":
                base = self._visit(children[0], at)
                self._visit(children[2], base)
                return self._visit(children[1], base)
            case "or_expression":
                return self._either(children, at)
            case "and_expression":
                return [place for child in children for place in self._visit(child, at)]
            case "identity" | "current" | "index" | "slice":
                return at
            case "multi_select_dict":
                return [self._dict(node, at)]
            case "function_expression" if node["value"] in (
                "list",
                "not_null",
                "sort",
                "sort_by",
                "reverse",
                "to_array",
            ):
                return [place for child in children[:4] for place in self._visit(child, at)]
            case "literal":
                return [ANYTHING]
            case _:
                for child in children:
                    if isinstance(child, dict):
                        self._visit(child, at)
                return [ANYTHING]

    def _either(self, children: Sequence[Mapping[str, Any]], at: Places) -> Places:
        """Alternatives, as entries that several events share have them: one that exists is enough."""
        before, found, good = list(self.unknown), [], False
        for child in children:
            known = len(self.unknown)
            found += self._visit(child, at)
            good = good or len(self.unknown) == known
        if good:
            self.unknown = before
        return found

    def _dict(self, node: Mapping[str, Any], at: Places) -> Place:
        made = [(pair["value"], self._visit(pair["children"][0], at)) for pair in node["children"]]
        return Place((), lambda: [(name, place) for name, places in made for place in places])

    def _field(self, name: str, at: Places) -> Places:
        if name == "null":  # no field has this name: it is how JMESPath spells the value
            return [ANYTHING]
        found: Places = []
        for place in at:
            if place.members is None:
                return [ANYTHING]
            found += [below for logged, below in place.members() if _alike(logged, name)]
        if not found and at:
            self.unknown.append((*at[0].path, name))
            return [ANYTHING]
        return found


def _alike(logged: str, name: str) -> bool:
    """Equal but for the case of the first letter."""
    return logged[1:] == name[1:] and logged[:1].lower() == name[:1].lower()


# --- real records


@cache
def _shapes() -> Mapping[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in corpus():
        record = entry["record"]
        if record.get("readOnly"):
            continue
        paths = found[record["eventSource"], record["eventName"]]
        for part in ("requestParameters", "responseElements"):
            paths.update(_paths(record.get(part), ""))
    return dict(found)


def _paths(value: Any, path: str) -> Iterator[str]:
    """``a.b[].c`` for everything below a value, and for itself."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _paths(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for element in value:
            yield from _paths(element, f"{path}[]")


def requests() -> dict[tuple[str, str], set[str]]:
    """Event source and name to the keys at the top of real requests; reads are left out."""
    return {
        key: {path.partition(".")[0].removesuffix("[]") for path in paths}
        for key, paths in _shapes().items()
        if not key[1].startswith(READS)
    }


def logged(source: str, event: str) -> bool:
    """Whether there is a real record of the event."""
    return (source, event) in _shapes()


def seen(source: str, event: str, chain: Sequence[str]) -> bool:
    """Whether a real record of the event has such a path."""
    wanted = [name[:1].lower() + name[1:] for name in chain]
    for path in _shapes().get((source, event), ()):
        steps = [step.removesuffix("[]") for step in path.split(".")]
        plain = [step[:1].lower() + step[1:] for step in steps if step not in ("items", "item", "content")]
        if any(plain[start : start + len(wanted)] == wanted for start in (0, 1)):
            return True
    return False
