"""API Gateway's patch operations (https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html)."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from tfdrift_core.drift.change.assign import assign
from tfdrift_core.drift.change.convert import convert, merge, snake_case
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.change.transforms.base import Attribute, Transform, with_options
from tfdrift_core.drift.compare.schema import Block, Node
from tfdrift_core.drift.compare.values import as_list, same
from tfdrift_core.terraform.model import Attributes


def _operations(scope: Scope) -> Iterator[tuple[str, list[str], Any]]:
    """Operation, path segments and value; a segment's ``~1`` is a slash (RFC 6901)."""
    for operation in as_list((scope.request.get("input") or {}).get("patchOperations")):
        if isinstance(operation, dict) and isinstance(operation.get("path"), str):
            segments = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
            if segments:
                yield str(operation.get("op", "replace")), segments, operation.get("value")


@with_options
class Patch(Transform):
    """The attributes that the operations name: by ``paths`` (a slash path to an attribute path), else by convention.

    What follows the named path is the key of a map or an element of a list.
    """

    name = "patch"

    paths: Mapping[str, Attribute] = field(default_factory=dict)
    """Slash path of an operation to the attribute."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        result = dict(attributes)
        for operation, segments, value in _operations(scope):
            target, rest = _target(segments, self.paths)
            name = target.partition("[")[0]
            node = block.attributes.get(name) if block else None
            if name not in result and node is None:
                continue
            if name == target and not rest and value is None and operation == "remove":
                result[name] = (
                    [] if isinstance(result.get(name), list) else {} if isinstance(result.get(name), dict) else None
                )
            elif name == target and (rest or operation != "replace") and isinstance(result.get(name), (list, dict)):
                result[name] = _edited(result[name], node, operation, rest, value)
            elif not rest:
                assign(result, target, None if operation == "remove" else value, block)
        return {name: value for name, value in result.items() if value is not attributes.get(name)}


def _target(segments: list[str], paths: Mapping[str, str]) -> tuple[str, str]:
    """The attribute path that the longest known beginning of a path names, and what follows it."""
    for length in range(len(segments), 0, -1):
        known = paths.get("/" + "/".join(segments[:length]))
        if known:
            return known, "/".join(segments[length:])
    return snake_case(segments[0]), "/".join(segments[1:])


def _edited(current: Any, node: Node | None, operation: str, rest: str, value: Any) -> Any:
    if isinstance(current, dict):
        others = {key: item for key, item in current.items() if key != rest}
        inner = node.element if node else None
        return others if operation == "remove" else {**others, rest: convert(inner, value)}
    if node is not None and node.block is not None:
        return _blocks(current, node.block, operation, rest, value)
    element = rest if value is None or operation == "remove" else value
    kept = [item for item in current if not same(item, element) and not (operation == "replace" and same(item, rest))]
    return kept if operation == "remove" else [*kept, element]


def _blocks(current: list[Any], block: Block, operation: str, rest: str, value: Any) -> list[Any]:
    """The stages of a usage plan, which are named ``api:stage``."""
    api, _, stage = str(value or rest).partition(":")
    kept = [item for item in current if not (item.get("api_id") == api and item.get("stage") == stage)]
    return kept if operation == "remove" else [*kept, merge(block, {"apiId": api, "stage": stage}, None)]


@with_options
class MethodSettings(Transform):
    """The settings of the methods that a stage's operations name: ``/{resource}/{method}/{setting}``."""

    name = "method_settings"

    paths: Mapping[str, str]
    """What follows resource and method in the path of an operation, to the member of ``settings``."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        own = str(attributes.get("method_path") or "").strip("/")
        result = {"settings": attributes.get("settings")}
        for operation, segments, value in _operations(scope):
            if len(segments) < 4:
                continue
            path = "/".join((segments[0].strip("/"), segments[1])) if segments[0].strip("/") else segments[1]
            setting = self.paths.get("/" + "/".join(segments[2:]))
            if setting and own in (path, f"/{path}"):
                assign(result, f"settings[0].{setting}", None if operation == "remove" else value, block)
        return result
