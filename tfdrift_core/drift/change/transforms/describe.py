"""What the transforms say of themselves: the JSON Schema of their options and the table of ``docs/catalog.md``."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from tfdrift_core.drift.change.transforms.base import Transform


@dataclass(frozen=True, slots=True)
class Option:
    """One option: ``schema`` is the JSON Schema of its value."""

    name: str
    schema: Mapping[str, Any]
    required: bool
    text: str


def options(transform: type[Transform]) -> list[Option]:
    """The options of a transform in their order, with the docstrings below its fields."""
    hints, texts = get_type_hints(transform, include_extras=True), _docstrings(transform)
    return [
        Option(
            field.name.rstrip("_"),
            _schema(hints[field.name]),
            field.default is MISSING and field.default_factory is MISSING,
            texts[field.name],
        )
        for field in fields(transform)
    ]


def _docstrings(transform: type[Transform]) -> dict[str, str]:
    """The docstring below each field, which Python does not keep."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(transform))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    found = {}
    for statement, below in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            found[statement.target.id] = inspect.cleandoc(str(text))
    return found


def _schema(hint: Any) -> dict[str, Any]:
    if hint is bool:
        return {"type": "boolean"}
    if hint is str:
        return {"type": "string", "minLength": 1}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return {"$ref": f"#/$defs/{arguments[1]}"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is Mapping:
        return {"type": "object", "minProperties": 1, "additionalProperties": _schema(arguments[1])}
    raise TypeError(f"an option of type {hint} has no JSON Schema yet; say here what it is")


def schema(transforms: Mapping[str, type[Transform]]) -> str:
    """The definitions of ``catalog.schema.json`` that are made from the transforms, a line for each of them."""
    lines = ",\n".join(f"        {json.dumps(_rule(transform))}" for _, transform in sorted(transforms.items()))
    return (
        f'    "transform": {json.dumps({"enum": sorted(transforms)})},\n'
        f'    "transformed": {{\n      "allOf": [\n{lines}\n      ]\n    }}\n'
    )


def _rule(transform: type[Transform]) -> dict[str, Any]:
    """What ``with`` has to be beside this transform."""
    known = options(transform)
    allowed: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {option.name: option.schema for option in known},
    }
    if required := [option.name for option in known if option.required]:
        allowed["required"] = required
    if transform.one_of:
        allowed["anyOf"] = [{"required": [name]} for name in transform.one_of]
    needed = required or transform.one_of
    return {
        "if": {"required": ["transform"], "properties": {"transform": {"const": transform.name}}},
        "then": {**({"required": ["with"]} if needed else {}), "properties": {"with": allowed}},
    }


def table(transforms: Mapping[str, type[Transform]]) -> str:
    """The transforms and their options as Markdown."""
    return "\n".join(["| transform | makes | options of `with` |", "|---|---|---|", *_rows(transforms), ""])


def _rows(transforms: Mapping[str, type[Transform]]) -> Iterator[str]:
    for name, transform in sorted(transforms.items()):
        told = []
        for option in options(transform):
            kind = "" if option.required or option.name in transform.one_of else " (optional)"
            values = " or ".join(f"`{value}`" for value in option.schema.get("enum", ()))
            told.append(f"`{option.name}`{kind}: {_sentence(option.text)}{values and f' ({values})'}")
        if transform.one_of:
            told.append(f"At least one of {', '.join(f'`{option}`' for option in transform.one_of)}")
        yield f"| `{name}` | {_sentence(inspect.getdoc(transform) or '')} | {'. '.join(told) or 'none'} |"


def _sentence(text: str) -> str:
    """The first paragraph of a docstring as Markdown on one line, without its full stop."""
    return " ".join(text.partition("\n\n")[0].replace("``", "`").split()).rstrip(".").replace("|", "\\|")
