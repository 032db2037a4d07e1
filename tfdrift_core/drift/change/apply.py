"""Applies what a call did to the attributes of a resource."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tfdrift_core.drift.change.catalog import Effect, Tags
from tfdrift_core.drift.change.convert import attribute_name, below, blank, convert, like, merge
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.diff import Path
from tfdrift_core.drift.compare.schema import Block, Node
from tfdrift_core.drift.compare.values import UNKNOWN, Elements, as_list, tag_map, tag_text
from tfdrift_core.terraform.model import Attributes

Transform = Callable[[Scope, Attributes, Block | None, Mapping[str, Any]], Mapping[str, Any] | None]
"""Gives the attributes that change, with their new values, from scope, attributes, schema and the effect's options;
``None`` when the resource is gone."""

_STEP = re.compile(r"([^.\[\]]+)|\[(-?\d+)\]")


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """``root_block_device[0].volume_size`` as steps."""
    return tuple(name or int(index) for name, index in _STEP.findall(text))


def apply(
    effect: Effect,
    scope: Scope,
    attributes: Attributes,
    block: Block | None,
    transforms: Mapping[str, Transform],
) -> dict[str, Any] | None:
    """The attributes after the call; ``None`` when the call deleted the resource."""
    if effect.delete:
        return None
    result = {**attributes, **{name: value for name, value in effect.clear.items() if name in attributes}}
    if effect.transform:
        changed = transforms[effect.transform](scope, attributes, block, effect.options)
        if changed is None:
            return None
        result.update(changed)
    for root in effect.roots:
        _convention(effect, evaluate(root, scope), result, block)
    for path, expression in effect.set.given(scope.request):
        value = evaluate(expression, scope)
        if value is not None and _has(path, result, block):
            _assign(result, parse_path(path), value, block, below(effect.rename, path))
    for path, value in effect.const.items():
        if _has(path, result, block):
            _assign(result, parse_path(path), value, block, None)
    for name, expression in effect.add.items():
        if _has(name, result, block):
            result[name] = _add(result, name, evaluate(expression, scope), block, effect)
    for name, expression in effect.remove.items():
        if _has(name, result, block):
            result[name] = _remove(result, name, evaluate(expression, scope), block, effect)
    for name, condition in effect.unknown.given(scope.request):
        if _has(name, result, block) and evaluate(condition, scope):
            result[name] = UNKNOWN
    if effect.tags:
        result.update(_tags(effect.tags, scope, result, block))
    return result


def _has(path: str, attributes: Attributes, block: Block | None) -> bool:
    """Whether the resource has the attribute: types that share an effect, and providers of all ages, differ in that."""
    top = str(parse_path(path)[0])
    return top in attributes or (block is not None and top in block.attributes)


def _node(block: Block | None, name: str) -> Node | None:
    return block.attributes.get(name) if block else None


def _convention(effect: Effect, logged: Any, result: dict[str, Any], block: Block | None) -> None:
    """Every member of ``logged`` whose attribute the resource has."""
    if not isinstance(logged, dict):
        return
    for name, value in logged.items():
        attribute = attribute_name(name, effect.rename)
        if attribute is None or value is None:
            continue
        path = parse_path(attribute)
        top = str(path[0])
        if _has(top, result, block):
            _assign(result, path, value, block, below(effect.rename, name))


def put(result: dict[str, Any], path: str, value: Any, block: Block | None) -> None:
    """Set the attribute at ``path``; blocks on the way are made when they are missing."""
    _assign(result, parse_path(path), value, block, None)


def _assign(
    result: dict[str, Any], path: Path, value: Any, block: Block | None, renames: Mapping[str, str | None] | None
) -> None:
    top = str(path[0])
    result[top] = _assigned(result.get(top), path[1:], value, _node(block, top), renames)


def _assigned(current: Any, path: Path, value: Any, node: Node | None, renames: Mapping[str, str | None] | None) -> Any:
    """``current`` with ``value`` put at ``path``; blocks on the way are made when they are missing."""
    if not path:
        return convert(node, value, current, renames)
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        elements = list(current) if isinstance(current, list) else []
        if step >= len(elements):
            elements.append(blank(node.block) if node and node.block else {} if rest else None)
            step = len(elements) - 1
        element = node if node and node.block else node.element if node else None
        elements[step] = _assigned(elements[step], rest, value, element, renames)
        return elements
    if isinstance(current, list) or (current is None and node and node.kind in ("block_list", "block_set")):
        return _assigned(current, (0, *path), value, node, renames)
    members = dict(current) if isinstance(current, dict) else {}
    inner = node.nested.attributes.get(step) if node and node.nested else node.element if node else None
    members[step] = _assigned(members.get(step), rest, value, inner, renames)
    return members


def _elements(node: Node | None, values: Any, current: Any, effect: Effect, name: str) -> list[Any]:
    """Logged elements of a list or set as elements of the attribute."""
    renames = below(effect.rename, name)
    made = []
    for value in as_list(values):
        if node is not None and node.block is not None and isinstance(value, dict):
            made.append(merge(like(node.block, current), value, None, renames))
        else:
            made.append(convert(node.element if node else None, value, None, renames))
    return made


def _key(element: Any, keys: Sequence[str]) -> Any:
    """What tells an element from the others: all of it, or its ``keys``; a key alone stands for each of them."""
    return [element.get(key) if isinstance(element, dict) else element for key in keys] if keys else element


def _add(result: Mapping[str, Any], name: str, values: Any, block: Block | None, effect: Effect) -> Any:
    current, node = result.get(name), _node(block, name)
    if current == UNKNOWN or values is None:
        return current
    if isinstance(values, dict) and (node.kind == "map" if node else isinstance(current, dict)):
        return {**(current if isinstance(current, dict) else {}), **convert(node, values, current)}
    elements = list(current) if isinstance(current, list) else []
    keys = effect.keys.get(name, ())
    known = Elements(_key(element, keys) for element in elements)
    for element in _elements(node, values, elements, effect, name):
        place = known.place(_key(element, keys))
        if place is None:
            elements.append(element)
            known.append(_key(element, keys))
        elif keys:
            elements[place] = element
    return elements


def _remove(result: Mapping[str, Any], name: str, values: Any, block: Block | None, effect: Effect) -> Any:
    current = result.get(name)
    gone = as_list(values)
    if isinstance(current, dict):
        return {key: value for key, value in current.items() if key not in gone}
    if not isinstance(current, list):
        return current
    keys = effect.keys.get(name, ())
    known = Elements(
        _key(made, keys)
        for value in gone
        for made in (
            [value]
            if keys and not isinstance(value, dict)
            else _elements(_node(block, name), value, current, effect, name)
        )
    )
    return [element for element in current if known.place(_key(element, keys)) is None]


def _pairs(value: Any) -> dict[str, Any]:
    """Tags in any of their logged forms as a map, without those that AWS itself sets."""
    return {key: tag for key, tag in tag_map(value).items() if not key.startswith("aws:")}


def _tags(tags: Tags, scope: Scope, result: Mapping[str, Any], block: Block | None) -> dict[str, Any]:
    """``tags`` and ``tags_all`` after the call.

    ``tags`` lacks what the provider's ``default_tags`` set, ``tags_all`` has it; a default tag with its default value
    therefore never moves into ``tags``.
    """
    own = tag_map(result.get("tags"))
    everything = tag_map(result.get("tags_all")) or dict(own)
    wanted = scope.baseline or result
    wanted_own = tag_map(wanted.get("tags"))
    defaults = {key: value for key, value in tag_map(wanted.get("tags_all")).items() if key not in wanted_own}
    replacement = evaluate(tags.replace, scope) if tags.replace else None
    if replacement is not None:
        everything = _pairs(replacement)
        own = {key: value for key, value in everything.items() if defaults.get(key) != value}
    put = _pairs(evaluate(tags.put, scope)) if tags.put else {}
    everything.update(put)
    own = {key: value for key, value in {**own, **put}.items() if key not in put or defaults.get(key) != value}
    for key in _removed_keys(evaluate(tags.remove, scope) if tags.remove else None, everything):
        own.pop(key, None)
        everything.pop(key, None)
    changed: dict[str, Any] = {}
    if "tags" in result or _node(block, "tags"):
        changed["tags"] = own
    if "tags_all" in result:
        changed["tags_all"] = everything
    return changed


def _removed_keys(removed: Any, present: Mapping[str, Any]) -> list[str]:
    keys = []
    for element in as_list(removed):
        if isinstance(element, dict):
            key = tag_text(element.get("key", element.get("Key")))
            value = element.get("value", element.get("Value"))
            if value is not None and tag_text(value) != present.get(key):
                continue
            keys.append(key)
        else:
            keys.append(tag_text(element))
    return keys
