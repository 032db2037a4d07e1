"""Compares two versions of a resource's attributes and says what differs, path by path, as ``terraform plan`` would."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tfdrift_core.drift.compare.schema import Block, Node
from tfdrift_core.drift.compare.values import difference, is_empty, render, same

Path = tuple[str | int, ...]

PRIVATE = "~"
"""Begins the name of what the engine notes with a resource and Terraform knows nothing of: never a difference."""

_PROTOCOLS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}
_ALIASES: Mapping[str, Mapping[str, str]] = {"protocol": _PROTOCOLS, "ip_protocol": _PROTOCOLS}
"""Texts that mean the same, by attribute."""


class Difference(NamedTuple):
    """One differing path.  ``added`` and ``removed`` are elements, for sets and for lists whose length changed."""

    path: Path
    old: Any
    new: Any
    added: tuple[Any, ...] = ()
    removed: tuple[Any, ...] = ()

    @property
    def attribute(self) -> str:
        return str(self.path[0])


def diff(old: Mapping[str, Any], new: Mapping[str, Any], block: Block | None) -> list[Difference]:
    """Every path whose value differs in meaning.

    Maps and blocks are followed by key, lists of one length by index; a set, and a list whose length changed, differs
    as a whole.  A value that did not exist is ``None``.
    """
    return list(_members(old, new, block, ()))


def _members(old: Mapping[str, Any], new: Mapping[str, Any], block: Block | None, path: Path) -> Iterator[Difference]:
    # What a call did not touch is the very same object on both sides.
    changed = [name for name in new if name not in old or old[name] is not new[name]]
    changed += [name for name in old if name not in new]
    for name in sorted(changed):
        if name.startswith(PRIVATE):
            continue
        node = block.attributes.get(name) if block else None
        yield from _value(old.get(name), new.get(name), node, (*path, name))


def _value(old: Any, new: Any, node: Node | None, path: Path) -> Iterator[Difference]:
    if old is new:
        return
    both_dicts = (old is None or isinstance(old, dict)) and (new is None or isinstance(new, dict))
    if both_dicts and (node is None or node.kind != "map"):
        # Emptiness is found out at the leaves: asking at every level would walk what is deep again and again.
        yield from _members(old or {}, new or {}, node.nested if node else None, path)
        return
    if is_empty(old) and is_empty(new):
        return
    if both_dicts:
        yield from _map(old or {}, new or {}, path)
        return
    if (old is None or isinstance(old, list)) and (new is None or isinstance(new, list)):
        yield from _list(old or [], new or [], node, path)
        return
    aliases = _ALIASES.get(str(path[-1]))
    if not (same(_alias(old, aliases), _alias(new, aliases)) if aliases else same(old, new)):
        yield Difference(path, old, new)


def _alias(value: Any, aliases: Mapping[str, str]) -> Any:
    return aliases.get(value, value) if isinstance(value, str) else value


def _map(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> Iterator[Difference]:
    for key in sorted(old.keys() | new.keys()):
        left, right = old.get(key), new.get(key)
        texts = isinstance(left, str) and isinstance(right, str)
        if (key in old) != (key in new) or (left != right if texts else not same(left, right)):
            yield Difference((*path, key), old.get(key), new.get(key))


def _list(old: list[Any], new: list[Any], node: Node | None, path: Path) -> Iterator[Difference]:
    if not (node is not None and node.is_set) and len(old) == len(new):
        element = None if node is None else (node.element if node.element else node)
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            if isinstance(left, dict) and isinstance(right, dict):
                yield from _members(left, right, node.nested if node else None, (*path, index))
            else:
                yield from _value(left, right, element, (*path, index))
        return
    ordered_old, ordered_new = [[_in_order(element, node) for element in elements] for elements in (old, new)]
    added, removed = difference(ordered_new, ordered_old), difference(ordered_old, ordered_new)
    if added or removed or len(old) != len(new):
        yield Difference(path, old, new, tuple(added), tuple(removed))


def _in_order(value: Any, node: Node | None) -> Any:
    """An element of ``node`` with the sets inside it in one order, so that elements may be compared as lists are."""
    block = node.nested if node else None
    if block is None or not isinstance(value, dict):
        return value
    return {name: _in_order_of(member, block.attributes.get(name)) for name, member in value.items()}


def _in_order_of(value: Any, node: Node | None) -> Any:
    if node is None or not isinstance(value, list):
        return _in_order(value, node)
    elements = [_in_order(element, node) for element in value]
    return sorted(elements, key=_order) if node.is_set else elements


def _order(value: Any) -> str:
    """What elements are sorted by; those that mean the same by the same, as far as that goes."""
    if isinstance(value, dict):
        return ",".join(f"{name}={_order(member)}" for name, member in sorted(value.items()) if not is_empty(member))
    if isinstance(value, list):
        return f"[{','.join(map(_order, value))}]"
    return (render(value) or "").lower()


def path_text(path: Path) -> str:
    """``root_block_device[0].volume_size``"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
