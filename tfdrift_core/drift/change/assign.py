"""Puts a value at the path of an attribute."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tfdrift_core.drift.change.convert import Renames, blank, convert
from tfdrift_core.drift.compare.diff import Path, is_reference
from tfdrift_core.drift.compare.schema import Block, Node

_NAME = re.compile(r"[\w+=,.@-]+")
_ARN = re.compile(r"(arn:[^:]*:[^:]*:[^:]*:([^:]*):[^:/]+[:/])[^:/]+")
_STEP = re.compile(r"([^.\[\]]+)|\[(-?\d+)\]")


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """``root_block_device[0].volume_size`` as steps."""
    return tuple(name or int(index) for name, index in _STEP.findall(text))


def node_of(block: Block | None, name: str) -> Node | None:
    """What the schema, where there is one, says of an attribute."""
    return block.attributes.get(name) if block else None


def assign(result: dict[str, Any], path: str, value: Any, block: Block | None, renames: Renames | None = None) -> None:
    """Set the attribute at ``path``; blocks on the way are made when they are missing."""
    steps = parse_path(path)
    top = str(steps[0])
    if len(steps) == 1 and isinstance(value, str):
        value = _as_arn(value, top, result)
    result[top] = _assigned(result.get(top), steps[1:], value, node_of(block, top), renames)


def _as_arn(name: str, attribute: str, held: Mapping[str, Any]) -> str:
    """A name as the ARN that it has, where the attribute holds the ARN of something else in the resource's account."""
    kind = _ARN.fullmatch(str(held.get(attribute)))
    if kind is None or not _NAME.fullmatch(name) or not is_reference(attribute):
        return name
    own = _ARN.match(str(held.get("arn")))
    return f"{kind[1]}{name}" if own is None or own[2] == kind[2] else name


def _assigned(current: Any, path: Path, value: Any, node: Node | None, renames: Renames | None) -> Any:
    """``current`` with ``value`` put at ``path``; blocks on the way are made when they are missing."""
    if not path:
        return convert(node, value, current, renames)
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        elements = list(current) if isinstance(current, list) else []
        if step >= len(elements):
            elements.append(blank(node.block) if node and node.block else {} if rest else None)
            step = len(elements) - 1
        element = node if node and node.block else node.element if node else None
        elements[step] = _assigned(elements[step], rest, value, element, renames)
        return elements
    if isinstance(current, list) or (current is None and node and node.kind in ("block_list", "block_set")):
        return _assigned(current, (0, *path), value, node, renames)
    members = dict(current) if isinstance(current, dict) else {}
    inner = node.nested.attributes.get(step) if node and node.nested else node.element if node else None
    members[step] = _assigned(members.get(step), rest, value, inner, renames)
    return members
