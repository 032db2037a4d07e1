"""Writes ``tfdrift_core/catalog/fresh.json``: what the provider reads of a resource on which nothing was set.

The source is the AWS provider's own code, outside this repository: in the schema of a resource, the optional attributes
that the provider does not compute have a default or are empty when nobody sets them.  Left out is what the provider
never reads back (``force_destroy``), what it may write although nothing is set (single blocks), and what the call that
makes the resource may say in a way that the catalog does not know.

    python -m tests.judge.make_fresh ../terraform-provider-aws
"""

import argparse
import json
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import yaml
from botocore.model import ServiceModel, StructureShape

from tfdrift_core.drift.change.assign import parse_path
from tfdrift_core.drift.change.catalog import load
from tfdrift_core.drift.change.convert import attribute_name
from tfdrift_core.drift.change.effect import Effect, Event
from tfdrift_core.drift.compare.schema import schema_for

OUT = Path(__file__).parents[2] / "tfdrift_core/catalog/fresh.json"
_RESOURCE = re.compile(r'^// @SDKResource\("(aws_\w+)"', re.M)
_SCHEMA = re.compile(r"Schema: map\[string\]\*schema\.Schema\{|SchemaFunc: func\(\) map\[string\]\*schema\.Schema \{")
_NAME = re.compile(r'\s*"(\w+)":\s*(?:func\(\) \*schema\.Schema )?\{')
_FIELD = re.compile(r"^\t*(Type|Optional|Computed|Default|Deprecated|MaxItems|Elem):\s*(.*?),?$", re.M)
_ZEROS: dict[str, Any] = {"String": "", "Int": 0, "Float": 0, "Bool": False, "Map": {}, "List": [], "Set": []}
_OURS = "Managed by Terraform"
"""The provider's own default of a description: somebody else's resource has none."""


def fresh(source: Path, types: Collection[str]) -> dict[str, dict[str, Any]]:
    """Resource type, of these, to attribute to value."""
    found = {}
    for path in sorted(source.glob("internal/service/*/*.go")):
        text = path.read_text(encoding="utf-8")
        match = _RESOURCE.search(text)
        schema = _SCHEMA.search(text, match.end()) if match else None
        if match and schema and match[1] in types:
            body = _braced(text, schema.end() - 1)
            values = {name: value for name, code in _entries(body) if (value := _value(code, text, name)) is not None}
            if values:
                found[match[1]] = values
    return found


def _braced(text: str, start: int) -> str:
    """What stands between the brace at ``start`` and the one that closes it."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place]
    return ""


def _entries(body: str) -> Iterator[tuple[str, str]]:
    place = 0
    while match := _NAME.search(body, place):
        code = _braced(body, match.end() - 1)
        place = match.end() + len(code)
        yield match[1], code


def _value(code: str, text: str, name: str) -> Any:
    """What the attribute is when nobody sets it, ``None`` where the code does not tell."""
    indent = min((len(line) - len(line.lstrip("\t")) for line in code.splitlines() if line.strip()), default=0)
    own = "\n".join(line for line in code.splitlines() if len(line) - len(line.lstrip("\t")) == indent)
    fields = dict(_FIELD.findall(own))
    kind = fields.get("Type", "").removeprefix("schema.Type")
    default = fields.get("Default")
    # An import sets what cannot be read to a constant.
    read_back = re.search(rf'd\.Set\("{name}", (?!true|false|"|nil|old|d\.Get|\d)', text)
    single = fields.get("MaxItems") == "1" or (kind == "List" and "schema.Resource{" in fields.get("Elem", ""))
    if fields.get("Optional") != "true" or kind not in _ZEROS or single or not read_back or "Deprecated" in fields:
        return None
    if default is None:
        return None if fields.get("Computed") == "true" else _ZEROS[kind]
    try:
        value = json.loads(default)
    except ValueError:
        return None
    return "" if value == _OURS else value


def reached() -> dict[str, frozenset[str]]:
    """By type, the attributes of which every call that makes one tells, or which only other calls set."""
    models = _models()
    events = load().events.values()
    effects = [(event, effect) for event in events for effect in event.effects]
    told: dict[str, frozenset[str]] = {}
    for event, effect in effects:
        shape = _input(models.get(event.service, ()), event.name)
        for type in effect.types if effect.anew is not None and shape is not None else ():
            block = schema_for(type)
            names = frozenset(block.attributes) if block else frozenset()
            told[type] = told.get(type, names) & (
                _told(effect.anew, shape, names) | _else(effects, type, effect, shape)
            )
    return told


def _told(effect: Effect, shape: StructureShape, names: Collection[str]) -> set[str]:
    """The attributes that members of the request become."""
    roots = effect.roots == ("request",)
    made = {_top(path) for path in (*effect.set, *effect.clear)}
    made |= {_top(name) for member in shape.members if roots and (name := attribute_name(member, effect.rename))}
    return made & set(names)


def _else(effects: Iterable[tuple[Event, Effect]], type: str, create: Effect, shape: StructureShape) -> set[str]:
    """The attributes that other calls set, without those that an unknown member of the request may be about."""
    others = [effect for _, effect in effects if type in effect.types and effect is not create]
    members = {_top(path) for e in others for path in (*e.set, *e.const, *e.add, *e.remove, *e.clear)}
    block = schema_for(type)
    unknown = [
        name
        for member in shape.members
        if (name := attribute_name(member, create.anew.rename if create.anew else None))
        and (block is None or _top(name) not in block.attributes)
    ]
    words = {word for name in unknown for word in name.split("_")} - _COMMON
    return {name for name in members if not words & set(name.split("_"))}


_COMMON = {"id", "name", "arn", "db", "group", "parameter", "cluster", "token", "client", "request"}


def _top(path: str) -> str:
    return str(parse_path(path)[0]) if parse_path(path) else ""


def _models() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(OUT.parent.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        found.setdefault(document["service"], []).extend(document.get("models") or [document["service"]])
    return found


@cache
def _service(model: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(model)


def _input(models: Collection[str], name: str) -> StructureShape | None:
    for service in map(_service, models):
        if name in service.operation_names:
            shape: StructureShape | None = service.operation_model(name).input_shape
            return shape
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="checkout of the provider")
    told = reached()
    found = fresh(parser.parse_args().source, told)
    found = {
        type: own for type, values in found.items() if (own := {k: v for k, v in values.items() if k in told[type]})
    }
    OUT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(found)} types, {sum(map(len, found.values()))} attributes")


if __name__ == "__main__":
    main()
