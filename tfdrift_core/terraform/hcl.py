"""Terraform files, in HCL or JSON syntax, as blocks and literals with their lines.

Only what stands there literally is read: everything that would have to be evaluated is ``UNKNOWN``.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tfdrift_core.yaml_data import LOADER

if TYPE_CHECKING:
    from lark import Lark

log = logging.getLogger("tfdrift.config")

TABLES = Path(__file__).with_name("hcl.tables")
"""The parser's tables, in the artifact only: making them takes seconds, and python-hcl2 writes them where it is."""

_USEFUL = re.compile(r"^[ \t]*(resource|module|provider|terraform|remote_state)\b", re.MULTILINE)
_FILES_KEPT = 4096
_ESCAPE = re.compile(r'\\(["\\nrt]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|([$%])\2\{')
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        return False


UNKNOWN = _Unknown()
"""The value of an expression that is not a literal."""


class HclError(Exception):
    """A file cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value: where it stands, its literal value or ``UNKNOWN``, and as it is written.

    ``items`` are the elements of a list as they are written, ``members`` the lines of the literal keys of an object.
    """

    line: int
    literal: Any
    text: str
    items: tuple[str, ...] = ()
    members: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Body:
    """What is between the braces of a block, or in a file."""

    attributes: Mapping[str, Value] = field(default_factory=dict)
    blocks: Sequence["Block"] = ()

    def all(self, type: str, *labels: str) -> Iterator["Block"]:
        """The blocks of this type whose first labels are these."""
        for block in self.blocks:
            if block.type == type and block.labels[: len(labels)] == labels:
                yield block

    def literals(self) -> dict[str, Any]:
        """The attributes that are literals."""
        return {name: v.literal for name, v in self.attributes.items() if v.literal is not UNKNOWN}


@dataclass(frozen=True, slots=True)
class Block:
    """``type "label" ... { body }``."""

    type: str
    labels: tuple[str, ...]
    line: int
    body: Body


def read(path: Path) -> Body:
    """The content of a file; kept until its size or time changes.

    :raises HclError: when it cannot be read or parsed.
    """
    try:
        stat = path.stat()
        return _read(str(path), stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise HclError(f"{error.strerror}") from None


@lru_cache(_FILES_KEPT)
def _read(path: str, _mtime: int, _size: int) -> Body:
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    if path.endswith(".json"):
        return parse_json(text)
    # Parsing is slow, and files of variables, outputs and data sources say nothing that is of use here.
    return parse(text) if path.endswith(".tfbackend") or _USEFUL.search(text) else Body()


def parse(text: str) -> Body:
    """Native syntax.  :raises HclError: when it is not HCL."""
    from lark.exceptions import LarkError

    text = text if text.endswith("\n") else text + "\n"
    try:
        return _body(_parser().parse(text).children[0], text)
    except LarkError as error:
        line = getattr(error, "line", -1)
        raise HclError(f"line {line}: not valid HCL" if line > 0 else "not valid HCL") from None
    except RecursionError:
        raise HclError("nested too deeply") from None


@cache
def _parser() -> "Lark":
    # Both take long to load, and most users configure no Terraform files.
    from hcl2.parser import parser
    from lark import Lark

    if not TABLES.is_file():
        return parser()
    with TABLES.open("rb") as file:
        return Lark.load(file)


def _body(tree: Any, text: str) -> Body:
    attributes: dict[str, Value] = {}
    blocks: list[Block] = []
    for child in tree.children:
        kind = _kind(child)
        if kind == "attribute":
            attributes[_word(child.children[0])] = _value(child.children[-1], child.meta.line, text)
        elif kind == "block":
            heads = [c for c in child.children if _kind(c) in ("identifier", "string")]
            body = next(c for c in child.children if _kind(c) == "body")
            labels = tuple(str(_literal(head)) if _kind(head) == "string" else _word(head) for head in heads[1:])
            blocks.append(Block(_word(heads[0]), labels, child.meta.line, _body(body, text)))
    return Body(attributes, blocks)


def _value(tree: Any, line: int, text: str) -> Value:
    inner = _unwrapped(tree)
    items: tuple[str, ...] = ()
    members = {}
    if _kind(inner) == "tuple":
        items = tuple(_source(c, text) for c in inner.children if _kind(c) not in ("", "new_line_or_comment"))
    if _kind(inner) == "object":
        for element in (c for c in inner.children if _kind(c) == "object_elem"):
            key = _key(element.children[0])
            if isinstance(key, str):
                members[key] = element.meta.line
    return Value(line, _literal(tree), _source(tree, text), items, members)


def _source(tree: Any, text: str) -> str:
    found: str = text[tree.meta.start_pos : tree.meta.end_pos]
    return found


def _literal(tree: Any) -> Any:
    tree = _unwrapped(tree)
    match _kind(tree):
        case "int_lit":
            return int(_word(tree))
        case "float_lit":
            return float(_word(tree))
        case "literal_value":
            return {"true": True, "false": False, "null": None}.get(_word(tree), UNKNOWN)
        case "string":
            return _string(tree)
        case "tuple":
            values = [_literal(c) for c in tree.children if _kind(c) not in ("", "new_line_or_comment")]
            return UNKNOWN if any(v is UNKNOWN for v in values) else values
        case "object":
            elements = [c for c in tree.children if _kind(c) == "object_elem"]
            pairs = {_key(e.children[0]): _literal(e.children[-1]) for e in elements}
            return UNKNOWN if any(k is UNKNOWN or v is UNKNOWN for k, v in pairs.items()) else pairs
    return UNKNOWN


def _key(tree: Any) -> Any:
    inner = _unwrapped(tree)
    return _word(inner) if _kind(inner) == "identifier" else _literal(inner)


def _string(tree: Any) -> Any:
    parts = []
    for part in (c for c in tree.children if _kind(c) == "string_part"):
        if not all(isinstance(c, str) for c in part.children):
            return UNKNOWN
        parts.append("".join(str(c) for c in part.children))
    return _ESCAPE.sub(_unescaped, "".join(parts))


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code is None:
        return f"{match[2]}{{"
    if code[0] not in "uU":
        return _ESCAPES[code]
    point = int(code[1:], 16)
    return chr(point) if point < 0x110000 else "\ufffd"


def _unwrapped(tree: Any) -> Any:
    """The expression inside ``expr_term`` and ``object_elem_key`` nodes that add nothing."""
    while _kind(tree) in ("expr_term", "object_elem_key"):
        children = [c for c in tree.children if _kind(c) != "new_line_or_comment"]
        if len(children) != 1:
            break
        tree = children[0]
    return tree


def _kind(tree: Any) -> str:
    return str(getattr(tree, "data", ""))


def _word(tree: Any) -> str:
    return "".join(str(c) for c in tree.children)


# Block types of the JSON syntax with the number of their labels: only these are told from attributes.
_JSON_BLOCKS: dict[tuple[str, ...], dict[str, int]] = {
    (): {"terraform": 0, "resource": 2, "module": 1, "provider": 1},
    ("terraform",): {"backend": 1, "cloud": 0},
    ("terraform", "backend"): {"workspaces": 0, "assume_role": 0, "endpoints": 0},
    ("terraform", "cloud"): {"workspaces": 0},
    ("resource",): {"lifecycle": 0},
    ("provider",): {"assume_role": 0},
}


def parse_json(text: str) -> Body:
    """JSON syntax, read as YAML, of which JSON is a part, because that gives lines.

    :raises HclError: when it is not a JSON object.
    """
    try:
        json.loads(text)  # YAML would take more than JSON
        node = yaml.compose(text.replace("\t", " "), Loader=LOADER)
        if isinstance(node, yaml.MappingNode):
            return _json_body(node, ())
    except RecursionError:
        raise HclError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise HclError(f"line {error.lineno}: not valid JSON") from None
    except yaml.YAMLError as error:
        raise HclError(f"not readable as JSON: {error}") from None
    raise HclError("not a JSON object")


def _json_body(node: yaml.MappingNode, path: tuple[str, ...]) -> Body:
    attributes: dict[str, Value] = {}
    blocks: list[Block] = []
    known = _JSON_BLOCKS.get(path, {})
    for key, value in node.value:
        name = str(key.value)
        if name in known:
            blocks += _json_blocks(name, known[name], (), value, key, (*path, name))
        else:
            items = tuple(str(i.value) for i in value.value) if isinstance(value, yaml.SequenceNode) else ()
            members = _json_members(value)
            attributes[name] = Value(key.start_mark.line + 1, _json_literal(value), str(value.value), items, members)
    return Body(attributes, blocks)


def _json_blocks(
    type: str, depth: int, labels: tuple[str, ...], node: yaml.Node, key: yaml.Node, path: tuple[str, ...]
) -> Iterator[Block]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _json_blocks(type, depth, labels, item, key, path)
    elif isinstance(node, yaml.MappingNode) and depth:
        for label, value in node.value:
            yield from _json_blocks(type, depth - 1, (*labels, str(label.value)), value, label, path)
    elif isinstance(node, yaml.MappingNode):
        yield Block(type, labels, key.start_mark.line + 1, _json_body(node, path))


def _json_members(node: yaml.Node) -> dict[str, int]:
    maps = node.value if isinstance(node, yaml.SequenceNode) else [node]
    pairs = (pair for m in maps if isinstance(m, yaml.MappingNode) for pair in m.value)
    return {str(key.value): key.start_mark.line + 1 for key, _ in pairs}


def _json_literal(node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        if node.style == '"':
            return UNKNOWN if re.search(r"(?<![$%])[$%]\{", node.value) else node.value
        return yaml.SafeLoader("").construct_object(node)
    if isinstance(node, yaml.SequenceNode):
        values = [_json_literal(item) for item in node.value]
        return UNKNOWN if any(v is UNKNOWN for v in values) else values
    pairs = {str(key.value): _json_literal(value) for key, value in node.value}
    return UNKNOWN if any(v is UNKNOWN for v in pairs.values()) else pairs
