"""Prints the two sides of a difference, with everything sensitive left out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tfdrift_core.drift.compare.diff import Difference, Path
from tfdrift_core.drift.compare.schema import Block, Node, schema_for
from tfdrift_core.drift.compare.values import SENSITIVE, render
from tfdrift_core.drift.present.redact import Redactor, secret_values, sensitive_attribute
from tfdrift_core.terraform.model import Attributes, Instance


@dataclass(frozen=True, slots=True)
class Shown:
    old: str | None
    new: str | None
    added: tuple[str, ...]
    removed: tuple[str, ...]


def present(instance: Instance, difference: Difference, secrets: Collection[str]) -> Shown:
    """The difference as text, as Terraform would print it, without any of ``secrets``."""
    mask = _Mask(instance)
    redactor = Redactor.of(secrets)
    node = _node(instance.type, difference.path)
    element = node.element if node is not None and node.element is not None else node

    def text(value: Any, inner: Node | None, path: Path) -> str | None:
        return render(redactor.value(instance.type, path, mask.value(value, inner, path)))

    inside = (*difference.path, 0)
    return Shown(
        old=text(difference.old, node, difference.path),
        new=text(difference.new, node, difference.path),
        added=tuple(text(value, element, inside) or "" for value in difference.added),
        removed=tuple(text(value, element, inside) or "" for value in difference.removed),
    )


def masked(instance: Instance, attributes: Attributes) -> dict[str, Any]:
    """A resource's attributes without anything sensitive: what differs from them may not be kept either."""
    mask = _Mask(instance)
    redactor = Redactor.of(secrets_of(instance, attributes))
    return {
        name: redactor.value(instance.type, (name,), mask.value(value, _node(instance.type, (name,)), (name,)))
        for name, value in attributes.items()
    }


def tags_of(instance: Instance, attributes: Attributes, secrets: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The resource's tags as they may be shown; those of ``default_tags`` are among them.

    What is sensitive in ``tags`` is so in ``tags_all``, and where all of them are, no key is shown either.
    """
    mask, redactor = _Mask(instance), Redactor.of(secrets)
    shown: dict[str, str] = {}
    for name in ("tags_all", "tags", "tag"):
        given = mask.value(attributes.get(name), _node(instance.type, (name,)), (name,))
        safe = redactor.value(instance.type, (name,), given)
        if safe == SENSITIVE:
            return ()
        shown |= {key: value for key, value in _pairs(safe) if isinstance(key, str) and isinstance(value, str)}
    return tuple(shown.items())


def _pairs(tags: Any) -> Iterator[tuple[Any, Any]]:
    """Tags as most types have them, and as the blocks of Auto Scaling groups."""
    if isinstance(tags, Mapping):
        yield from tags.items()
    elif isinstance(tags, list):
        yield from ((block.get("key"), block.get("value")) for block in tags if isinstance(block, Mapping))


def secrets_of(instance: Instance, attributes: Attributes) -> frozenset[str]:
    """The secret values among a resource's attributes: as state holds them, or as a call has left them."""
    return secret_values(instance.type, attributes, (*instance.sensitive, *_sensitive_paths(instance.type)))


@cache
def _sensitive_paths(type: str) -> tuple[tuple[str, ...], ...]:
    """What the provider's schema marks sensitive, without indexes."""
    block = schema_for(type)
    return tuple(_marked(block, ())) if block is not None else ()


def _marked(block: Block, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, node in block.attributes.items():
        if node.sensitive:
            yield (*path, name)
        elif node.nested is not None:
            yield from _marked(node.nested, (*path, name))


def _node(type: str, path: Path) -> Node | None:
    block = schema_for(type)
    node: Node | None = None
    for step in path:
        if isinstance(step, int):
            node = node.element if node is not None and node.element is not None else node
            continue
        if block is None:
            return None
        node = block.attributes.get(step) if node is None or node.nested is not None else node.element
        if node is None:
            return None
        block = node.nested or block
    return node


class _Mask:
    def __init__(self, instance: Instance) -> None:
        self._type = instance.type
        self._marked: Sequence[tuple[str | int, ...]] = instance.sensitive

    def value(self, value: Any, node: Node | None, path: Path, depth: int = 0) -> Any:
        """``value`` with every sensitive part replaced; an absent value stays absent."""
        if value is None or value == "":
            return value
        if self._hidden(node, path) or depth > 100:
            return SENSITIVE
        if isinstance(value, Mapping):
            below = node.nested.attributes if node is not None and node.nested is not None else {}
            return {key: self.value(item, below.get(key), (*path, key), depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            element = node.element if node is not None and node.element is not None else node
            return [self.value(item, element, (*path, index), depth + 1) for index, item in enumerate(value)]
        return value

    def _hidden(self, node: Node | None, path: Path) -> bool:
        if (node is not None and node.sensitive) or sensitive_attribute(self._type, path):
            return True
        return any(path[: len(marked)] == tuple(marked) for marked in self._marked if marked)
