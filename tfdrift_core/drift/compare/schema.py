"""What the AWS provider says about each resource type: its attributes and blocks, their kinds and who sets them.

The data is ``tfdrift_core/catalog/schema.txt.gz``: one line per resource type, ``type<TAB>JSON``, so that only the
types in use are parsed.  It holds the schema of provider 3.39 as ``terraform providers schema -json`` prints it, with
the types and attributes that provider 6 has added since.  ``tests/judge/make_schema.py`` writes it and says how.

A line is an object of attribute name to code.  A code is a string ``KIND`` or ``KIND:FLAGS``, or, where there are
attributes below, a list of that string, the object below and, for blocks, the largest number of blocks if it has one.
``KIND`` is spelled from ``s`` string, ``n`` number, ``b`` bool, ``d`` dynamic, ``L``/``S``/``M`` list, set or map of
what follows, ``o`` object, ``l``/``e``/``1`` blocks as list, set or single.  ``FLAGS`` are ``c`` set by the provider
alone, ``o`` optional and else set by the provider, ``x`` sensitive, ``+`` added to a type of 3.39 since.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

import orjson

Kind = Literal[
    "string",
    "number",
    "bool",
    "dynamic",
    "list",
    "set",
    "map",
    "object",
    "block_list",
    "block_set",
    "block_single",
]

_KINDS: dict[str, Kind] = {
    "s": "string",
    "n": "number",
    "b": "bool",
    "d": "dynamic",
    "L": "list",
    "S": "set",
    "M": "map",
    "o": "object",
    "l": "block_list",
    "e": "block_set",
    "1": "block_single",
}
_DEFAULTS: dict[Kind, Any] = {"string": "", "number": 0, "bool": False, "map": {}}


@dataclass(frozen=True, slots=True)
class Node:
    """One attribute or block.

    ``element`` is what a list, set or map holds; ``block`` is what an object or block holds.  ``computed_only`` is true
    where configuration cannot set the attribute, ``computed`` also where the provider sets it when configuration does
    not.  ``max_items`` is the largest number of blocks, 0 for no limit.  ``newer`` is true for what provider 3.39 does
    not have although it has the type: a state of that time does not hold it.
    """

    kind: Kind
    element: "Node | None" = None
    block: "Block | None" = None
    computed_only: bool = False
    sensitive: bool = False
    computed: bool = False
    max_items: int = 0
    newer: bool = False

    @property
    def nested(self) -> "Block | None":
        """The attributes below, whether this is a block or a list, set or map of objects."""
        return self.block or (self.element.nested if self.element else None)

    @property
    def is_set(self) -> bool:
        return self.kind in ("set", "block_set")


@dataclass(frozen=True, slots=True)
class Block:
    """The attributes and blocks of a resource type, or of a block inside it, by name.

    ``newer`` names those that are newer or hold something newer.
    """

    attributes: Mapping[str, Node]
    newer: tuple[str, ...] = ()


@cache
def _lines() -> Mapping[str, str]:
    data = resources.files("tfdrift_core.catalog").joinpath("schema.txt.gz").read_bytes()
    pairs = (line.partition("\t") for line in gzip.decompress(data).decode().splitlines())
    return {name: text for name, _, text in pairs}


def resource_types() -> frozenset[str]:
    """Every resource type that the provider has."""
    return frozenset(_lines())


@cache
def schema_for(resource_type: str) -> Block | None:
    """The attributes of a resource type, None where the provider has no such type."""
    text = _lines().get(resource_type)
    return None if text is None else _block(orjson.loads(text))


def schema_of(resource_type: str, attributes: Mapping[str, Any]) -> Block | None:
    """The schema of a resource type as the provider has it that wrote ``attributes`` into state.

    State does not say which provider that was.  A resource without any of the newer attributes has an old one's schema,
    with those newer attributes of its blocks that state shows.  One with a newer attribute has, of the older ones,
    those that state shows: a provider writes all that it has, and some have been removed since.
    """
    block = schema_for(resource_type)
    if block is None:
        return None
    newer = [name for name in block.newer if block.attributes[name].newer]
    if not newer:
        return block
    if any(name in attributes for name in newer):
        return Block({name: node for name, node in block.attributes.items() if node.newer or name in attributes})
    return _known(block, attributes)


def _known(block: Block, sample: Any) -> Block:
    """The block without the newer attributes that ``sample``, the attributes or the blocks in state, does not have."""
    if isinstance(sample, list):
        sample = sample[0] if sample else None
    held: Mapping[str, Any] = sample if isinstance(sample, Mapping) else {}
    attributes = dict(block.attributes)
    for name in block.newer:
        if attributes[name].newer and name not in held:
            del attributes[name]
        else:
            attributes[name] = _known_node(attributes[name], held.get(name))
    return Block(attributes)


def _known_node(node: Node, sample: Any) -> Node:
    if node.nested is None or not node.nested.newer:
        return node
    return replace(
        node,
        block=None if node.block is None else _known(node.block, sample),
        element=None if node.element is None else _known_node(node.element, sample),
    )


def _block(codes: Mapping[str, Any]) -> Block:
    attributes = {name: _node(code) for name, code in codes.items()}
    newer = (name for name, node in attributes.items() if node.newer or (node.nested is not None and node.nested.newer))
    return Block(attributes, tuple(newer))


def _node(code: str | list[Any]) -> Node:
    below: Mapping[str, Any] | None = None
    max_items = 0
    if isinstance(code, list):
        code, below, *rest = code
        max_items = rest[0] if rest else 0
    kind, _, flags = str(code).partition(":")
    return _build(kind, None if below is None else _block(below), flags, max_items)


def _build(kind: str, block: Block | None, flags: str = "", max_items: int = 0) -> Node:
    inner = kind[1:]
    return Node(
        _KINDS[kind[0]],
        element=_build(inner, block) if inner else None,
        block=None if inner else block,
        computed_only="c" in flags,
        sensitive="x" in flags,
        computed="c" in flags or "o" in flags,
        max_items=max_items,
        newer="+" in flags,
    )


def default(node: Node) -> Any:
    """What the provider writes into state for an attribute of a nested block that is not set.

    Terraform's SDK v2 has no null there: it writes ``""``, ``0``, ``false``, ``{}`` or ``[]``; a fresh value each call.
    """
    value = _DEFAULTS.get(node.kind)
    return {} if value == {} else [] if value is None else value
