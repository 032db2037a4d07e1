"""Applies what a call did to the attributes of a resource."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfdrift_core.drift import names
from tfdrift_core.drift.change.assign import assign, node_of, parse_path
from tfdrift_core.drift.change.convert import INSIDE, Renames, attribute_name, below, convert, like, merge
from tfdrift_core.drift.change.effect import Effect, Tags
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.schema import Block, Node, default
from tfdrift_core.drift.compare.values import UNKNOWN, Elements, as_list, tag_map, tag_text
from tfdrift_core.terraform.model import Attributes


def apply(
    effect: Effect,
    scope: Scope,
    attributes: Attributes,
    block: Block | None,
) -> dict[str, Any] | None:
    """The attributes after the call; ``None`` when the call deleted the resource."""
    if effect.delete:
        return None
    cleared = {name: value for name, value in effect.clear.items() if name in attributes}
    unset = {name: _unset(node_of(block, name), attributes[name]) for name, value in cleared.items() if value is None}
    result = {**attributes, **cleared, **unset}
    if effect.transform is not None:
        changed = effect.transform(scope, attributes, block)
        if changed is None:
            return None
        result.update(changed)
    for root in effect.roots:
        _convention(effect.rename, evaluate(root, scope), result, block)
    for path, expression in effect.set.given(scope.request):
        value = evaluate(expression, scope)
        if value is not None and _has(path, result, block):
            assign(result, path, value, block, below(effect.rename, path))
    for path, value in effect.const.items():
        if _has(path, result, block):
            assign(result, path, value, block)
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


def _unset(node: Node | None, current: Any) -> Any:
    """What the provider writes for an attribute that no longer has a value."""
    return default(node) if node is not None and node.kind in ("number", "bool") and current is not None else None


def _has(path: str, attributes: Attributes, block: Block | None) -> bool:
    """Whether the resource has the attribute: types that share an effect, and providers of all ages, differ in that."""
    top = str(parse_path(path)[0])
    return top in attributes or (block is not None and top in block.attributes)


def _convention(renames: Renames | None, logged: Any, result: dict[str, Any], block: Block | None) -> None:
    """Every member of ``logged`` whose attribute the resource has."""
    if not isinstance(logged, dict):
        return
    for name, value in logged.items():
        attribute = attribute_name(name, renames)
        if attribute == INSIDE:
            _convention(below(renames, name), value, result, block)
        elif attribute is not None and value is not None and parse_path(attribute) and _has(attribute, result, block):
            assign(result, attribute, value, block, below(renames, name))


def _elements(node: Node | None, values: Any, current: Any, effect: Effect, name: str) -> list[Any]:
    """Logged elements of a list or set as elements of the attribute."""
    renames = below(effect.rename, name)
    block = like(node.block, current) if node is not None else None
    made = []
    for value in as_list(values):
        if block is not None and isinstance(value, dict):
            made.append(merge(block, value, None, renames))
        else:
            made.append(convert(node.element if node else None, value, None, renames))
    return made


def _key(element: Any, keys: Sequence[str]) -> Any:
    """What tells an element from the others: all of it, or its ``keys``; a key alone stands for each of them."""
    return [element.get(key) if isinstance(element, dict) else element for key in keys] if keys else element


def _add(result: Mapping[str, Any], name: str, values: Any, block: Block | None, effect: Effect) -> Any:
    current, node = result.get(name), node_of(block, name)
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
        names = {key for key in gone if isinstance(key, str)}
        return {key: value for key, value in current.items() if key not in names}
    if not isinstance(current, list):
        return current
    keys = effect.keys.get(name, ())
    known = Elements(
        _key(made, keys)
        for value in gone
        for made in (
            [value]
            if keys and not isinstance(value, dict)
            else _elements(node_of(block, name), value, current, effect, name)
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
    shown = {key: value for key, value in tag_map(wanted.get("tags_all")).items() if key not in wanted_own}
    defaults = {**scope.default_tags, **shown}
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
    if "tags" in result or node_of(block, "tags"):
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
            key = tag_text(element)
            # Keys in a request's path are logged percent-encoded.
            keys.append(key if key in present else names.plain(key))
    return keys
