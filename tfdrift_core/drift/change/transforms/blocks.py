"""Changes inside one of several nested blocks."""

from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.change.apply import Transform
from tfdrift_core.drift.change.convert import convert
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.drift.compare.values import as_list, same, tag_map, tag_text
from tfdrift_core.terraform.model import Attributes


def _block_element(
    scope: Scope, attributes: Attributes, block: Block | None, options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The blocks ``block`` of a resource with the one whose member ``key`` is ``equals`` changed.

    ``set`` lays members over it, ``put_tags`` and ``remove_tags`` edit its tags, ``remove`` takes it out.
    """
    name, key = options["block"], options["key"]
    wanted = evaluate(options["equals"], scope)
    node = block.attributes.get(name) if block else None
    members = node.nested.attributes if node is not None and node.nested is not None else {}
    result = []
    for element in as_list(attributes.get(name)):
        if not isinstance(element, dict) or not same(element.get(key), wanted):
            result.append(element)
        elif not options.get("remove"):
            changed = dict(element)
            for member, expression in options.get("set", {}).items():
                value = evaluate(expression, scope)
                if value is not None:
                    changed[member] = convert(members.get(member), value, element.get(member))
            if "tags" in changed and ("put_tags" in options or "remove_tags" in options):
                changed["tags"] = _tags(changed["tags"] or {}, scope, options)
            result.append(changed)
    return {name: result}


def _block_again(
    scope: Scope, attributes: Attributes, block: Block | None, options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The blocks ``block`` with the one of which state has the member ``key`` as ``equals``, ``set`` laid over it."""
    name, key = options["block"], options["key"]
    wanted = evaluate(options["equals"], scope)
    known = [e for e in as_list(scope.baseline.get(name)) if isinstance(e, dict) and same(e.get(key), wanted)]
    if not known:
        return {}
    values = {member: evaluate(expression, scope) for member, expression in options.get("set", {}).items()}
    others = [e for e in as_list(attributes.get(name)) if not (isinstance(e, dict) and same(e.get(key), wanted))]
    return {name: [*others, {**known[0], **{k: v for k, v in values.items() if v is not None}}]}


def _tags(current: Mapping[str, Any], scope: Scope, options: Mapping[str, Any]) -> dict[str, Any]:
    put = tag_map(evaluate(options["put_tags"], scope)) if "put_tags" in options else {}
    gone = as_list(evaluate(options["remove_tags"], scope)) if "remove_tags" in options else []
    names = {tag_text(entry.get("key") if isinstance(entry, dict) else entry) for entry in gone}
    return {k: v for k, v in {**current, **put}.items() if k not in names and not k.startswith("aws:")}


def _single_tag(
    scope: Scope, attributes: Attributes, block: Block | None, options: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """A resource that stands for one tag of another (``aws_ec2_tag``), after tags were put or removed there."""
    name, value = str(attributes.get("key") or ""), attributes.get("value")
    if "put" in options:
        put = tag_map(evaluate(options["put"], scope))
        return {"value": put[name]} if name in put else {}
    for entry in as_list(evaluate(options["remove"], scope)):
        removed = tag_map(entry) if isinstance(entry, dict) else {tag_text(entry): ""}
        if name in removed and removed[name] in ("", value):
            return None
    return {}


def _gone(
    scope: Scope, attributes: Attributes, block: Block | None, options: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """A resource that the call deleted if the expression ``if`` holds, which may ask for its ``state``."""
    return None if evaluate(options["if"], scope) else {}


TRANSFORMS: Mapping[str, Transform] = {
    "block_again": _block_again,
    "block_element": _block_element,
    "gone": _gone,
    "single_tag": _single_tag,
}
