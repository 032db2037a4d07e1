"""Holds a catalog file to ``catalog.schema.json``."""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any, Final

import jsonschema
import orjson

from tfdrift_core.drift.change.check.document import Place
from tfdrift_core.drift.change.check.expressions import check
from tfdrift_core.drift.change.check.spelling import near, shown
from tfdrift_core.drift.change.expression import ExpressionError

_TYPES: Final = {"string": "text", "object": "a mapping", "array": "a list", "boolean": "true or false", "null": "null"}


def misfits(content: Any) -> list[tuple[Place, str]]:
    """What does not fit the schema."""
    return [found for error in _validator().iter_errors(content) for found in _told(error)]


@cache
def _validator() -> Any:
    text = resources.files("tfdrift_core.catalog").joinpath("catalog.schema.json").read_bytes()
    formats = jsonschema.FormatChecker(formats=())
    formats.checks("expression", raises=ExpressionError)(_is_expression)
    return jsonschema.Draft202012Validator(orjson.loads(text), format_checker=formats)


def _told(error: Any) -> Iterator[tuple[Place, str]]:
    """A violation of the schema in our words."""
    place, given = Place(tuple(error.absolute_path)), error.instance
    if "propertyNames" in error.absolute_schema_path:
        if error.validator == "type":
            return  # The document tells names that are no text.
        place = Place((*place.steps, given), name=True)
    match error.validator:
        case "anyOf":
            yield from _alternatives(error, place)
        case "additionalProperties":
            known = error.schema["properties"]
            kind = "option" if place.steps[-1:] == ("with",) else "member"
            for name in given:
                if name not in known:
                    yield Place((*place.steps, name), name=True), f"unknown {kind} {name!r}{near(name, known)}"
        case "required":
            for name in error.validator_value:
                if name not in given:
                    yield place, f"{name!r} is missing"
        case "dependentRequired":
            for name, needed in error.validator_value.items():
                yield Place((*place.steps, name), name=True), f"{name!r} without {', '.join(map(repr, needed))}"
        case "enum" if place.steps[-1] == "transform":
            yield place, f"unknown transform {shown(given)}{near(given, error.validator_value)}"
        case "enum":
            allowed = ", ".join(error.validator_value)
            yield place, f"{shown(given)} is none of {allowed}{near(given, error.validator_value)}"
        case "type":
            yield place, f"{shown(given)} is not {_expected([error])}"
        case "const":
            yield place, f"{shown(given)} is not true, which is all that can be said here"
        case "minItems" | "minProperties" | "minLength":
            yield place, "empty"
        case "pattern":
            yield place, f"{shown(given)} is no path of an attribute"
        case "format":
            yield place, str(error.cause)
        case _:
            yield place, error.message


def _alternatives(error: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """A value that fits none of several forms: what is wrong with it in the form whose type it has."""
    branches: dict[Any, list[Any]] = {}
    for inner in error.context:
        branches.setdefault(inner.relative_schema_path[0], []).append(inner)
    if all(inner.validator == "required" for inner in error.context):
        yield place, f"one of {', '.join(repr(name) for i in error.context for name in i.validator_value)} is missing"
        return
    wrong = [inner for inner in error.context if inner.validator == "type" and not inner.relative_path]
    for branch in branches.values():
        if not any(inner in wrong for inner in branch):
            for inner in branch:
                yield from _told(inner)
            return
    yield place, f"{shown(error.instance)} is not {_expected(wrong)}"


def _expected(errors: Iterable[Any]) -> str:
    names: list[str] = []
    for error in errors:
        value = error.validator_value
        names += [value] if isinstance(value, str) else value
    return " or ".join(_TYPES.get(name, name) for name in dict.fromkeys(names))


def _is_expression(value: object) -> bool:
    """:raises ExpressionError: when a text is none."""
    if isinstance(value, str):
        check(value)
    return True
