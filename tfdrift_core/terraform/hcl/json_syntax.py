"""Terraform's JSON syntax."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tfdrift_core.terraform.hcl.model import UNKNOWN, Block, Body, HclError, Value, number_of
from tfdrift_core.yaml_data import LOADER

# Block types of the JSON syntax with the number of their labels: only these are told from attributes.
_JSON_BLOCKS: dict[tuple[str, ...], dict[str, int]] = {
    (): {"terraform": 0, "resource": 2, "module": 1, "provider": 1},
    ("terraform",): {"backend": 1, "cloud": 0},
    ("terraform", "backend"): {"workspaces": 0, "assume_role": 0, "endpoints": 0},
    ("terraform", "cloud"): {"workspaces": 0},
    ("resource",): {"lifecycle": 0},
    ("provider",): {"assume_role": 0, "ignore_tags": 0},
}
_JSON_WORDS = {"true": True, "false": False, "null": None}


def parse_json(text: str) -> Body:
    """JSON syntax, read as YAML, of which JSON is a part, because that gives lines.

    :raises HclError: when it is not a JSON object.
    """
    try:
        json.loads(text, parse_int=str)  # YAML would take more than JSON
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
        return _JSON_WORDS[node.value] if node.value in _JSON_WORDS else number_of(node.value)
    if isinstance(node, yaml.SequenceNode):
        values = [_json_literal(item) for item in node.value]
        return UNKNOWN if any(v is UNKNOWN for v in values) else values
    pairs = {str(key.value): _json_literal(value) for key, value in node.value}
    return UNKNOWN if any(v is UNKNOWN for v in pairs.values()) else pairs
