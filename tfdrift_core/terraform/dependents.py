"""Which resources of a state depend on one, by what the state itself says of each instance: its ``dependencies``.

They are addresses of the configuration, without instance keys: ``module.web.aws_vpc.main``.  Of a module that exists
several times, what is inside one copy depends on what is inside the same copy.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

MAX_SHOWN: Final = 50
MAX_COUNTED: Final = 10_000
_KEPT: Final = 1000  # resources whose dependents are remembered; one batch often touches the same

_MODULE = re.compile(r'module\.([^.\[]+)(?:\[(?:\d+|"(?:[^"\\]|\\.)*")\])?')
_KEY = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')


@dataclass(frozen=True, slots=True)
class Dependents:
    """What depends on a resource, directly or through others: ``MAX_SHOWN`` addresses, and how many there are.

    Nobody counts beyond ``MAX_COUNTED``.
    """

    addresses: tuple[str, ...] = ()
    count: int = 0


class Addressed(Protocol):
    @property
    def address(self) -> str: ...


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One ``resources`` entry of a state.  ``module`` is an address with keys, ``resource`` is type and name."""

    module: str
    resource: str
    instances: Sequence[Addressed]


class Graph:
    """The dependencies of one version of a state, from what is needed to what needs it."""

    def __init__(self, nodes: Iterable[tuple[Node, Iterable[str]]]) -> None:
        """``nodes`` come with their dependencies as state has them."""
        self._nodes: dict[tuple[str, str], Node] = {}
        self._needed_by: dict[tuple[str, str], list[Node]] = {}
        for node, dependencies in nodes:
            self._nodes[node.module, node.resource] = node
            for address in {_plain(text) for text in dependencies} - {""}:
                within = _common(node.module, address) if node.module and address.startswith("module.") else ""
                self._needed_by.setdefault((address, within), []).append(node)
        self.of = lru_cache(_KEPT)(self._of)

    def _of(self, module: str, resource: str) -> Dependents | None:
        """The dependents of all instances of a resource; ``None`` where the state has no such resource."""
        start = self._nodes.get((module, resource))
        if start is None:
            return None
        found: dict[Node, None] = {start: None}
        waiting = [start]
        addresses: list[str] = []
        count = 0
        for node in waiting:
            for dependent in self._direct(node):
                if dependent in found:
                    continue
                found[dependent] = None
                waiting.append(dependent)
                count += len(dependent.instances)
                addresses += [instance.address for instance in dependent.instances[: MAX_SHOWN - len(addresses)]]
                if count >= MAX_COUNTED:
                    return Dependents(tuple(addresses), MAX_COUNTED)
        return Dependents(tuple(addresses), count)

    def _direct(self, node: Node) -> Iterator[Node]:
        address = ".".join((*(f"module.{name}" for name in _names(node.module)), node.resource))
        for prefix in _prefixes(node.module):
            yield from self._needed_by.get((address, prefix), ())


@lru_cache(65536)
def _plain(address: str) -> str:
    """A dependency as it is compared; "" for data sources, which nobody changes."""
    text = _KEY.sub("", address)
    within = 2 * len(_config_module(text))
    return "" if text.split(".")[within] == "data" else sys.intern(text)


@lru_cache(4096)
def _prefixes(module: str) -> tuple[str, ...]:
    """The module and those around it, from the root on: ``("", 'module.web["a"]', 'module.web["a"].module.db')``."""
    return ("", *(module[: match.end()] for match in _MODULE.finditer(module)))


@lru_cache(4096)
def _names(module: str) -> tuple[str, ...]:
    return tuple(match[1] for match in _MODULE.finditer(module))


def _config_module(address: str) -> tuple[str, ...]:
    steps = address.split(".")
    depth = 0
    while len(steps) > 2 * depth + 2 and steps[2 * depth] == "module":
        depth += 1
    return tuple(steps[1 : 2 * depth : 2])


@lru_cache(65536)
def _common(module: str, address: str) -> str:
    """The innermost module, with its keys, that a module and a resource of the configuration are both inside of."""
    depth = 0
    for own, theirs in zip(_names(module), _config_module(address), strict=False):
        if own != theirs:
            break
        depth += 1
    return _prefixes(module)[depth]
