"""Turns logged values into attribute values, led by the provider's schema and the value that state holds.

The naming convention lives here: a logged member whose snake_case name is an attribute is that attribute.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from tfdrift_core.drift.compare import forms
from tfdrift_core.drift.compare.schema import Block, Kind, Node, default
from tfdrift_core.drift.compare.values import UNKNOWN, as_bool, as_list, as_number, render

INSIDE: Final = "."
"""The name of a member that is no attribute itself: what is in it belongs where the member is."""

KEY: Final = "@key"
"""Stands for the keys of a map whose values are blocks; its name is the attribute that they are there."""

_BLOCKS: Final = ("block_list", "block_set")
_KINDS: Final[Mapping[type, Kind]] = {str: "string", bool: "bool", int: "number", float: "number", dict: "map"}
"""Kinds of attributes by their values, a truth before the numbers."""

Renames = Mapping[str, str | None]
"""Logged name (or dotted path of logged names below an attribute) to attribute name; ``None``: not an attribute."""

_PLACEHOLDERS = frozenset({"****", "***", "HIDDEN_DUE_TO_SECURITY_REASONS", "<sensitiveDataRemoved>"})
_WORD = re.compile(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])")
_PLURAL_ACRONYM = re.compile(r"([A-Z]{2,})s(?=[A-Z]|$)")
_MAX_NAME = 128
"""Longer than the name of any parameter or attribute: such a text is somebody's own, as the key of a map is."""


def snake_case(name: str) -> str:
    """The attribute name for a logged name: ``dBInstanceClass`` is ``db_instance_class``, ``tTL`` is ``ttl``."""
    return _snake_case(name) if len(name) <= _MAX_NAME else name.lower()


@lru_cache(maxsize=8192)
def _snake_case(name: str) -> str:
    name = name[:1].upper() + name[1:]
    name = _PLURAL_ACRONYM.sub(lambda m: m[1].capitalize() + "s", name)
    return _WORD.sub(lambda m: f"{m[1] or m[3]}_{m[2] or m[4]}", name).replace("-", "_").lower()


def is_placeholder(value: Any) -> bool:
    """Whether CloudTrail wrote this instead of the value."""
    return isinstance(value, str) and value in _PLACEHOLDERS


def convert(
    node: Node | None,
    logged: Any,
    current: Any = None,
    renames: Renames | None = None,
    *,
    alternative: bool = False,
    former: Any = None,
) -> Any:
    """``logged`` as a value of the attribute ``node`` describes.

    Members that an object does not name keep their ``current`` value; elements of lists and sets are made anew, with
    what the provider writes for members that are not given, or what AWS chose for them in the ``former`` element.  An
    ``alternative`` is a block that says something by being there, even when nothing is in it.
    """
    if is_placeholder(logged):
        return UNKNOWN
    if renames and isinstance(logged, dict) and (node is None or node.nested is None):
        logged = next((value for name, value in logged.items() if attribute_name(name, renames) == INSIDE), logged)
    if node is None or (node.block is not None and isinstance(current, str)):
        # A text where the schema has blocks is of a provider that has changed the attribute's type.
        return _by_example(logged, current)
    match node.kind:
        case "string":
            return _text(logged, current)
        case "number":
            number = as_number(logged)
            return logged if number is None else number
        case "bool":
            truth = as_bool(logged)
            return logged if truth is None else truth
        case "list" | "set":
            return [convert(node.element, element, None, renames) for element in as_list(logged)]
        case "map":
            return _map(node, logged)
        case "object" | "block_single":
            return merge(node.block, logged, current, renames) if isinstance(logged, dict) else current
        case "block_list" | "block_set":
            return _blocks(node, logged, current, renames, alternative, former)
        case _:
            return logged


def _text(logged: Any, current: Any) -> Any:
    if isinstance(logged, (dict, list)):
        return json.dumps(logged, separators=(",", ":"), ensure_ascii=False)
    if moment := _moment(logged, current):
        return moment
    if isinstance(logged, (bool, int, float)):
        return render(logged)
    return logged


def _moment(logged: Any, current: Any) -> str:
    """A moment in the provider's form where CloudTrail has another, "" where none is meant."""
    if isinstance(logged, str):
        return forms.moment(logged) if forms.in_words(logged) else ""
    numeric = isinstance(logged, (int, float)) and not isinstance(logged, bool)
    return forms.moment_of(logged) if numeric and isinstance(current, str) and forms.moment(current) else ""


def _map(node: Node, logged: Any) -> Any:
    pairs = logged if isinstance(logged, dict) else _named_values(logged)
    return {key: convert(node.element, value) for key, value in pairs.items()}


def _named_values(logged: Any) -> dict[str, Any]:
    """A list of ``{name, value}`` or ``{key, value}`` as a map."""
    pairs = {}
    for element in as_list(logged):
        if isinstance(element, dict):
            lowered = {str(k).lower(): v for k, v in element.items()}
            name = lowered.get("name", lowered.get("key"))
            if isinstance(name, str):
                pairs[name] = lowered.get("value")
    return pairs


def _by_example(logged: Any, current: Any) -> Any:
    if isinstance(current, bool):
        truth = as_bool(logged)
        return logged if truth is None else truth
    if isinstance(current, (int, float)):
        number = as_number(logged)
        return logged if number is None else number
    if isinstance(current, str):
        return _text(logged, current)
    if isinstance(current, list) and not isinstance(logged, list):
        return as_list(logged)
    return logged


def _blocks(
    node: Node, logged: Any, current: Any, renames: Renames | None, alternative: bool, former: Any = None
) -> Any:
    if isinstance(logged, dict) and node.kind == "block_list" and isinstance(current, list) and len(current) == 1:
        return [merge(node.block, logged, current[0], renames)] if logged else current
    if isinstance(logged, dict) and (key := (renames or {}).get(KEY)):
        logged = [{**value, key: name} for name, value in logged.items() if isinstance(value, dict)]
    if logged == {} and alternative and node.block is not None:
        return [blank(node.block)]
    elements = [element for element in as_list(logged) if isinstance(element, dict)]
    block, held = like(node.block, current or former), as_list(current or former)
    return [
        merge(block, element, None, renames, _former(held, place, len(elements), element))
        for place, element in enumerate(elements)
    ]


def _former(held: Sequence[Any], place: int, count: int, element: Mapping[str, Any]) -> Mapping[str, Any]:
    """The block that an element of a list takes the place of: the one of its name, or at its place among as many."""
    blocks = [block for block in held if isinstance(block, dict)]
    name = element.get("name", element.get("Name"))
    if isinstance(name, str):
        return next((block for block in blocks if block.get("name") == name), {})
    return blocks[place] if len(blocks) == count else {}


def like(block: Block | None, current: Any) -> Block | None:
    """The schema of a block with the attributes that the blocks have which state holds already.

    A newer provider may have more of them than the schema: of what kind they are their values tell.
    """
    held = [element for element in current if isinstance(element, dict)] if isinstance(current, list) else []
    if block is None or not held:
        return block
    nodes = {name: node for name, node in block.attributes.items() if name in held[0]}
    for name, node in nodes.items():
        if node.block is not None and node.kind in _BLOCKS:
            below = [inner for element in held for inner in as_list(element.get(name))]
            nodes[name] = replace(node, block=like(node.block, below))
    return Block(nodes | {name: _kind(value) for name, value in held[0].items() if name not in nodes})


def _kind(value: Any) -> Node:
    """What the value of an attribute tells of it."""
    if isinstance(value, list) and any(isinstance(element, dict) for element in value):
        members = {
            name: _kind(member) for element in value if isinstance(element, dict) for name, member in element.items()
        }
        return Node("block_list", block=Block(members))
    return Node(next((kind for known, kind in _KINDS.items() if isinstance(value, known)), "dynamic"))


def blank(block: Block) -> dict[str, Any]:
    """A nested block in which nothing is set."""
    return {name: default(node) for name, node in block.attributes.items()}


def merge(
    block: Block | None,
    logged: Mapping[str, Any],
    current: Any,
    renames: Renames | None = None,
    former: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """The members of ``logged`` laid over a block's ``current`` attributes, or over an unset block.

    What AWS chooses where nobody says it stays what it was in the ``former`` block.
    """
    result = dict(current) if isinstance(current, dict) else blank(block) if block else {}
    said: set[str] = set()
    alternatives = block is not None and _is_choice(block) and sum(map(bool, result.values())) < 2
    if alternatives and logged:
        result |= {name: [] for name in result}
    for name, value in logged.items():
        attribute = attribute_name(name, renames)
        if attribute is None or value is None:
            continue
        if attribute == INSIDE:
            if isinstance(value, dict):
                result = merge(block, value, result, below(renames, name))
            continue
        node = block.attributes.get(attribute) if block else None
        if node is None and (block is not None or attribute not in result):
            continue
        said.add(attribute)
        result[attribute] = convert(
            node,
            value,
            result.get(attribute),
            below(renames, name),
            alternative=alternatives,
            former=former.get(attribute),
        )
    for name, node in block.attributes.items() if block and former else ():
        if node.computed and not node.nested and name not in said and former.get(name) is not None:
            result[name] = former[name]
    return result


def _is_choice(block: Block) -> bool:
    """Whether a block holds nothing but single blocks, as one does of which one has to be chosen."""
    nodes = block.attributes.values()
    return len(nodes) > 1 and all(node.kind == "block_list" and node.max_items == 1 for node in nodes)


def attribute_name(name: str, renames: Renames | None) -> str | None:
    if renames:
        for key in (name, name[:1].swapcase() + name[1:]):
            if key in renames:
                return renames[key]
    return snake_case(name) if len(name) <= _MAX_NAME else None


def below(renames: Renames | None, name: str) -> Renames | None:
    """The renames that apply inside a member: ``{"a.b": "c"}`` below ``a`` is ``{"b": "c"}``."""
    if not renames:
        return None
    prefixes = (f"{name}.", f"{name[:1].swapcase()}{name[1:]}.")
    inner = {key[len(name) + 1 :]: value for key, value in renames.items() if key.startswith(prefixes)}
    return inner or None
