"""``docs/configuration.md``, from the schema of ``init_config``: ``python -m tfdrift_core.config_page`` prints it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tfdrift_core.config import schema_text

_INTRODUCTION = """# Configuration

Every member of `init_config`, from the schema that the plugin gives to Falco. `tfdrift doctor -c falco.yaml` checks a
configuration, and says for each fault where it is and what to write.

Falco turns YAML into JSON on the way: an account id of digits becomes a number. TFDrift undoes that where the schema
tells what was meant. A JSON text in place of the YAML map, as the Helm values have it, arrives as it is.

The members of `state` depend on the backend: [state.md](state.md) has them. More on [sources](sources.md),
[identity and expected changes](identity.md), [open drift](open.md) and [baseline](baseline.md).
"""

_KINDS = {"object": "map", "array": "list", "string": "text", "boolean": "true or false", "integer": "whole number"}


def markdown() -> str:
    """The page."""
    schema = json.loads(schema_text())
    lines = [_INTRODUCTION]
    for title, properties in _sections(schema):
        lines += [f"## {title}", "", "| member | type | |", "|---|---|---|"]
        lines += [_row(name, member, schema["$defs"]) for name, member in properties.items()]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _sections(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A title and its members: the top, then every part that has members of its own, in the order of the schema."""
    yield "init_config", schema["properties"]
    for name, member in schema["properties"].items():
        if name != "state":
            yield from _nested(name, member, schema["$defs"])


def _nested(name: str, member: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    member = _resolved(member, defs)
    if "items" in member:
        yield from _nested(f"{name}[]", member["items"], defs)
    elif members := member.get("properties"):
        yield name, members
        for inner, part in members.items():
            yield from _nested(f"{name}.{inner}", part, defs)


def _resolved(member: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in member.items() if name != "$ref"}
    return {**_resolved(defs[member["$ref"].rpartition("/")[2]], defs), **own} if "$ref" in member else own


def _row(name: str, member: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    resolved = _resolved(member, defs)
    text = str(resolved.get("description") or resolved.get("title") or "")
    return f"| `{name}` | {_kind(resolved, defs)} | {text.replace('|', '/')} |"


def _kind(member: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    if "enum" in member:
        return ", ".join(f"`{choice}`" for choice in member["enum"] if choice is not None)
    if "items" in member:
        return f"list of {_kind(_resolved(member['items'], defs), defs)}"
    if "properties" in member:
        return "map"
    title = str(member.get("title", ""))
    if title.startswith("a number of seconds"):
        return "duration"
    types = member.get("type", "string")
    names = [types] if isinstance(types, str) else [name for name in types if name in _KINDS]
    # What Falco may make of a text is not for people to write.
    return "text" if "string" in names else " or ".join(_KINDS[name] for name in names)


if __name__ == "__main__":
    print(markdown(), end="")
