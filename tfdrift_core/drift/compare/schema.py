"""What the AWS provider says about each resource type: its attributes and blocks, their kinds and who sets them.

The data is ``tfdrift_core/catalog/schema.txt.gz``: one line per resource type, ``type<TAB>JSON``, so that only the
types in use are parsed.  It holds the schema of provider 3.39 as ``terraform providers schema -json`` prints it, with
what providers 5 and 6 have added since.  ``tests/judge/make_schema.py`` writes it and says how.

A line is an object of attribute name to code.  A code is a string ``KIND`` or ``KIND:FLAGS``, or, where there are
attributes below, a list of that string, the object below and, for blocks, the largest number of blocks if it has one.
``KIND`` is spelled from ``s`` string, ``n`` number, ``b`` bool, ``d`` dynamic, ``L``/``S``/``M`` list, set or map of
what follows, ``o`` object, ``l``/``e``/``1`` blocks as list, set or single.  ``FLAGS`` are ``c`` set by the provider
alone, ``o`` optional and else set by the provider, ``x`` sensitive, ``+`` added to a type of 3.39 since, ``^`` added
since 5.32.  A kind that is a list in some providers and a set in others is spelled ``3.39|5.32|6``.
"""

import gzip
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

import orjson

Era = Literal[0, 1, 2]
"""Which of three providers a schema is of: 3.39, 5.32 or 6."""

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
_MAX_SCHEMAS: Final = 1000
_DEFAULTS: dict[Kind, Any] = {"string": "", "number": 0, "bool": False, "map": {}}


@dataclass(frozen=True, slots=True)
class Node:
    """One attribute or block.

    ``element`` is what a list, set or map holds; ``block`` is what an object or block holds.  ``computed_only`` is true
    where configuration cannot set the attribute, ``computed`` also where the provider sets it when configuration does
    not.  ``max_items`` is the largest number of blocks, 0 for no limit.  ``newer`` is true for what provider 3.39 does
    not have although it has the type, ``latest`` for what 5.32 does not have: states of those times do not hold it.
    """

    kind: Kind
    element: "Node | None" = None
    block: "Block | None" = None
    computed_only: bool = False
    sensitive: bool = False
    computed: bool = False
    max_items: int = 0
    newer: bool = False
    latest: bool = False

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

    ``newer`` names those that are newer or latest, or hold something that is.
    """

    attributes: Mapping[str, Node]
    newer: tuple[str, ...] = ()


_schemas: dict[Hashable, Block] = {}


@cache
def _lines() -> Mapping[str, str]:
    data = resources.files("tfdrift_core.catalog").joinpath("schema.txt.gz").read_bytes()
    pairs = (line.partition("\t") for line in gzip.decompress(data).decode().splitlines())
    return {name: text for name, _, text in pairs}


def resource_types() -> frozenset[str]:
    """Every resource type that the provider has."""
    return frozenset(_lines())


@cache
def schema_for(resource_type: str, era: Era = 0) -> Block | None:
    """The attributes of a resource type in any provider, with kinds of ``era``; None where none has such a type."""
    text = _lines().get(resource_type)
    return None if text is None else _block(orjson.loads(text), era)


def schema_of(resource_type: str, attributes: Mapping[str, Any]) -> Block | None:
    """The schema of a resource type as the provider has it that wrote ``attributes`` into state.

    State does not say which provider that was, but a provider writes all that it has.  A resource without any of the
    newer attributes has an old one's schema; one with such an attribute has, of the older ones, those that state shows,
    for some have been removed since; and of the latest it has those that state shows.
    """
    block = schema_for(resource_type)
    if block is None or not block.newer:
        return block
    # Most instances of a type hold the same, and so share a schema.
    key = resource_type, frozenset(attributes), _shape(block, attributes)
    known = _schemas.get(key)
    if known is None:
        if len(_schemas) >= _MAX_SCHEMAS:
            _schemas.clear()
        known = _schemas[key] = _schema(resource_type, block, attributes)
    return known


def _shape(block: Block, sample: Any) -> Hashable:
    """All that ``_known`` asks ``sample`` for: two of one shape have one schema."""
    if isinstance(sample, list):
        if not sample:
            return "none"
        sample = sample[0]
    held: Mapping[str, Any] = sample if isinstance(sample, Mapping) else {}
    below = ((name, block.attributes[name].nested) for name in block.newer)
    return tuple(
        (name in held, _shape(nested, held.get(name)) if nested and nested.newer else None) for name, nested in below
    )


def _schema(resource_type: str, block: Block, attributes: Mapping[str, Any]) -> Block:
    era = _era(block, attributes)
    known = _known(schema_for(resource_type, era) or block, attributes, era)
    if era == 0 or not any(node.newer for node in block.attributes.values()):
        return known
    kept = {name: node for name, node in known.attributes.items() if _is_doubtful(node, 0) or name in attributes}
    return Block(kept, known.newer)


def _era(block: Block, attributes: Mapping[str, Any]) -> Era:
    """Whose attributes these are; of a type of which nothing tells 5.32's."""
    nodes = [(name in attributes, block.attributes[name]) for name in block.newer]
    if any(held and node.latest for held, node in nodes):
        return 2
    return 0 if any(node.newer for _, node in nodes) and not any(held and node.newer for held, node in nodes) else 1


def _is_doubtful(node: Node, era: Era) -> bool:
    """Whether a provider of that era may lack it."""
    return node.latest or (era == 0 and node.newer)


def _known(block: Block, sample: Any, era: Era) -> Block:
    """The block without what its provider may lack and ``sample``, the attributes or the blocks in state, does lack."""
    if isinstance(sample, list):
        if not sample and era == 2:
            return block
        sample = sample[0] if sample else None
    held: Mapping[str, Any] = sample if isinstance(sample, Mapping) else {}
    attributes = dict(block.attributes)
    for name in block.newer:
        if _is_doubtful(attributes[name], era) and name not in held:
            del attributes[name]
        else:
            attributes[name] = _known_node(attributes[name], held.get(name), era)
    return Block(attributes)


def _known_node(node: Node, sample: Any, era: Era) -> Node:
    if node.nested is None or not node.nested.newer:
        return node
    return replace(
        node,
        block=None if node.block is None else _known(node.block, sample, era),
        element=None if node.element is None else _known_node(node.element, sample, era),
    )


def _block(codes: Mapping[str, Any], era: Era) -> Block:
    attributes = {name: _node(code, era) for name, code in codes.items()}
    doubtful = (
        name
        for name, node in attributes.items()
        if _is_doubtful(node, 0) or (node.nested is not None and node.nested.newer)
    )
    return Block(attributes, tuple(doubtful))


def _node(code: str | list[Any], era: Era) -> Node:
    below: Mapping[str, Any] | None = None
    max_items = 0
    if isinstance(code, list):
        code, below, *rest = code
        max_items = rest[0] if rest else 0
    kinds, _, flags = str(code).partition(":")
    kind = kinds.split("|")[era] if "|" in kinds else kinds
    return _build(kind, None if below is None else _block(below, era), flags, max_items)


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
        latest="^" in flags,
    )


def default(node: Node) -> Any:
    """What the provider writes into state for an attribute of a nested block that is not set.

    Terraform's SDK v2 has no null there: it writes ``""``, ``0``, ``false``, ``{}`` or ``[]``; a fresh value each call.
    """
    value = _DEFAULTS.get(node.kind)
    return {} if value == {} else [] if value is None else value
