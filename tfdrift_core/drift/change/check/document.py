"""A YAML document with the lines and columns of all that it holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tfdrift_core import yaml_data

_MAX_NODES: Final = 200_000
"""A file that is larger when its aliases are followed has been written to be."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong.  Lines and columns count from 1."""

    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.text}"


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a document, by the names and indexes that lead to it, or the ``name`` that it stands under."""

    steps: tuple[str | int, ...]
    name: bool = False


def faults_of_yaml(error: yaml.YAMLError) -> Fault:
    """What PyYAML says of a text that is no YAML."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        if mark:
            return _at(mark, f"not YAML: {error.problem or error.context}")
    return Fault(1, 1, f"not YAML: {' '.join(str(error).split())}")


class Document:
    """A text as plain data.

    ``faults`` are those that YAML itself would let pass; ``unreadable`` says that they leave nothing to look at.

    :raises yaml.YAMLError: when it is not YAML.
    """

    def __init__(self, text: str) -> None:
        self.faults: list[Fault] = []
        self.unreadable = False
        self.content: Any = None
        self._sizes: dict[int, int] = {}
        loader = yaml_data.LOADER(text)
        try:
            self._root = loader.get_single_node()
            if self._root is None:
                self._refuse(Fault(1, 1, "empty; a catalog file names its service"))
            elif self._size(self._root) and not self.unreadable:
                self.content = loader.construct_document(self._root)
        finally:
            loader.dispose()

    def fault(self, place: Place, text: str) -> Fault:
        """A fault of what stands at a place."""
        node, key = self._root, self._root
        for step in place.steps:
            if isinstance(node, yaml.MappingNode):
                # The last of a key counts, and what is merged comes before what is written.
                found = [pair for pair in node.value if pair[0].value == step]
                if not found:
                    break
                key, node = found[-1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                key = node = node.value[step]
        return _at((key if place.name else node).start_mark, text)

    def _refuse(self, fault: Fault) -> None:
        self.faults.append(fault)
        self.unreadable = True

    def _size(self, node: yaml.Node) -> int:
        """The number of nodes with all that aliases repeat; 0 while the node itself is counted."""
        known = self._sizes.get(id(node))
        if known == 0:
            self._refuse(_at(node.start_mark, "holds itself"))
        if known is not None:
            return known
        self._sizes[id(node)] = 0
        children = []
        if isinstance(node, yaml.MappingNode):
            self.faults += _keys(node)
            children = [child for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        size = 1 + sum(map(self._size, children))
        if size > _MAX_NODES and not self.unreadable:
            self._refuse(_at(node.start_mark, f"more than {_MAX_NODES} values where aliases are followed"))
        self._sizes[id(node)] = size
        return size


def _at(mark: Any, text: str) -> Fault:
    return Fault(mark.line + 1, mark.column + 1, text)


def _keys(node: yaml.MappingNode) -> Iterator[Fault]:
    """What is wrong with the keys of a mapping."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            continue
        if key.tag != "tag:yaml.org,2002:str":
            yield _at(key.start_mark, f"{key.value!r} is no text to YAML; put it into quotes")
        elif key.value in lines:
            yield _at(key.start_mark, f"{key.value!r} stands in line {lines[key.value]} already")
        else:
            lines[key.value] = key.start_mark.line + 1
