"""Compares two versions of a resource's attributes and says what differs, path by path, as ``terraform plan`` would."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tfdrift_core.drift.compare.schema import Block, Node
from tfdrift_core.drift.compare.values import Elements, is_empty, render, same

Path = tuple[str | int, ...]

PRIVATE = "~"
"""Begins the name of what the engine notes with a resource and Terraform knows nothing of: never a difference."""

_REFERENCE = re.compile(
    r"(^|_)(alias|arns?|bucket|cluster|domain|function|groups?|ids?|keys?|names?|policy|policies|principal"
    r"|queue|roles?|stream|table|task_definition|topic|vault)$"
)
"""The last word of attributes that hold what another resource is called: an ARN or a name is as good."""

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


def is_reference(attribute: str) -> bool:
    """Whether the attribute holds what another resource is called."""
    return _REFERENCE.search(attribute) is not None


class Owner(NamedTuple):
    """Account and region of a resource, "" where they are not known."""

    account: str = ""
    region: str = ""

    def calls(self, arn: str, path: Path) -> bool:
        """Whether the resource may call what has this ARN by its name alone: both are of one account and region."""
        _, _, _, region, account, *_ = (*arn.split(":", 5), "", "", "", "", "")
        attribute = next((step for step in reversed(path) if isinstance(step, str)), "")
        return (
            (not account or not self.account or account == self.account)
            and (not region or not self.region or region == self.region)
            and is_reference(attribute)
        )


NOBODY = Owner()


def diff(
    old: Mapping[str, Any], new: Mapping[str, Any], block: Block | None, owner: Owner = NOBODY
) -> list[Difference]:
    """Every path whose value differs in meaning.

    Maps and blocks are followed by key, lists of one length by index; a set, and a list whose length changed, differs
    as a whole.  A value that did not exist is ``None``.
    """
    return list(_members(old, new, block, (), owner))


def _members(
    old: Mapping[str, Any], new: Mapping[str, Any], block: Block | None, path: Path, owner: Owner
) -> Iterator[Difference]:
    # What a call did not touch is the very same object on both sides.
    changed = [name for name in new if name not in old or old[name] is not new[name]]
    changed += [name for name in old if name not in new]
    for name in sorted(changed):
        if name.startswith(PRIVATE):
            continue
        node = block.attributes.get(name) if block else None
        yield from _value(old.get(name), new.get(name), node, (*path, name), owner)


def _value(old: Any, new: Any, node: Node | None, path: Path, owner: Owner) -> Iterator[Difference]:
    if old is new:
        return
    both_dicts = (old is None or isinstance(old, dict)) and (new is None or isinstance(new, dict))
    if both_dicts and (node is None or node.kind != "map"):
        # Emptiness is found out at the leaves: asking at every level would walk what is deep again and again.
        yield from _members(old or {}, new or {}, node.nested if node else None, path, owner)
        return
    if is_empty(old) and is_empty(new):
        return
    if both_dicts:
        yield from _map(old or {}, new or {}, path)
        return
    if (old is None or isinstance(old, list)) and (new is None or isinstance(new, list)):
        yield from _list(old or [], new or [], node, path, owner)
        return
    aliases = _ALIASES.get(str(path[-1]))
    alike = same(_alias(old, aliases), _alias(new, aliases)) if aliases else same(old, new)
    if not alike or not _called(old, new, path, owner):
        yield Difference(path, old, new)


def _called(old: Any, new: Any, path: Path, owner: Owner) -> bool:
    """Whether a name stands for an ARN where one side is the one and one the other."""
    if not isinstance(old, str) or not isinstance(new, str) or old.startswith("arn:") == new.startswith("arn:"):
        return True
    return owner.calls(old if old.startswith("arn:") else new, path)


def _alias(value: Any, aliases: Mapping[str, str]) -> Any:
    return aliases.get(value, value) if isinstance(value, str) else value


def _map(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> Iterator[Difference]:
    for key in sorted(old.keys() | new.keys()):
        left, right = old.get(key), new.get(key)
        texts = isinstance(left, str) and isinstance(right, str)
        if (key in old) != (key in new) or (left != right if texts else not same(left, right)):
            yield Difference((*path, key), old.get(key), new.get(key))


def _list(old: list[Any], new: list[Any], node: Node | None, path: Path, owner: Owner) -> Iterator[Difference]:
    if not (node is not None and node.is_set) and len(old) == len(new):
        element = None if node is None else (node.element if node.element else node)
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            if isinstance(left, dict) and isinstance(right, dict):
                yield from _members(left, right, node.nested if node else None, (*path, index), owner)
            else:
                yield from _value(left, right, element, (*path, index), owner)
        return
    ordered_old, ordered_new = [[_in_order(element, node) for element in elements] for elements in (old, new)]
    called_old, called_new = (
        [_unmistaken(element, path, owner) for element in elements] for elements in (ordered_old, ordered_new)
    )
    added, removed = _beside(ordered_new, called_new, called_old), _beside(ordered_old, called_old, called_new)
    if added or removed or len(old) != len(new):
        yield Difference(path, old, new, tuple(added), tuple(removed))


def _beside(elements: list[Any], called: list[Any], others: list[Any]) -> list[Any]:
    """Those of ``elements``, compared as ``called``, that ``others`` lack."""
    known = Elements(others)
    return [element for element, name in zip(elements, called, strict=True) if known.place(name) is None]


def _unmistaken(value: Any, path: Path, owner: Owner) -> Any:
    """``value`` with every ARN marked that no name alone may stand for, so that it equals just itself."""
    if isinstance(value, str) and value.startswith("arn:") and not owner.calls(value, path):
        return f"\0{value}"
    if isinstance(value, dict):
        return {name: _unmistaken(member, (*path, name), owner) for name, member in value.items()}
    if isinstance(value, list):
        return [_unmistaken(element, path, owner) for element in value]
    return value


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


def related(one: Path, other: Path) -> bool:
    """Whether one path leads to the other, or into it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def path_text(path: Path) -> str:
    """``root_block_device[0].volume_size``"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
