"""Rules files as YAML: items, and where they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a rules file; line and column count from 1."""

    file: str
    line: int
    column: int
    item: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.item + ': ' if self.item else ''}"


class RulesError(ValueError):
    """A rules file that Falco would refuse; the message names file, position, item and Falco's error code."""

    def __init__(self, place: Place, code: str, message: str) -> None:
        super().__init__(f"{place}{message} ({code})")


TRUE = frozenset(("y", "yes", "true", "on"))
FALSE = frozenset(("n", "no", "false", "off"))


@dataclass(frozen=True, slots=True)
class Item:
    """A mapping of a rules file, and how it is called in messages."""

    file: str
    node: yaml.MappingNode
    title: str = ""

    def child(self, key: str) -> yaml.Node | None:
        # The first of equal keys, as yaml-cpp's look-up gives it.
        return next((value for name, value in self.node.value if name.value == key), None)

    def place(self, node: yaml.Node | None = None) -> Place:
        mark = (node or self.node).start_mark
        return Place(self.file, mark.line + 1, mark.column + 1, self.title)

    def refuse(self, message: str, node: yaml.Node | None = None) -> RulesError:
        return RulesError(self.place(node), "LOAD_ERR_YAML_VALIDATE", message)

    def text(self, key: str) -> str:
        node = self.child(key)
        if node is None:
            raise self.refuse(f"Item has no mapping for key '{key}'")
        if is_null(node):
            raise self.refuse(f"Mapping for key '{key}' is empty", node)
        if not isinstance(node, yaml.ScalarNode):
            raise self.refuse(f"Value of '{key}' is not a scalar value", node)
        if not node.value:
            raise self.refuse(f"Value of '{key}' must be non-empty", node)
        return str(node.value)

    def optional(self, key: str, default: str) -> str:
        return default if self.child(key) is None else self.text(key)

    def flag(self, key: str, default: bool) -> bool:
        if self.child(key) is None:
            return default
        text = self.text(key).lower()
        if text not in TRUE | FALSE:
            raise self.refuse(
                f"Can't decode the value of '{key}': expected true or false, not '{text}'", self.child(key)
            )
        return text in TRUE

    def sequence(self, key: str) -> Sequence[yaml.Node]:
        node = self.child(key)
        if not isinstance(node, yaml.SequenceNode):
            raise self.refuse(f"Value of '{key}' is not a sequence", node)
        return list(node.value)

    def strings(self, key: str) -> list[str]:
        nodes = self.sequence(key)
        for node in nodes:
            if not isinstance(node, yaml.ScalarNode):
                raise self.refuse("sequence value is not scalar", node)
        return [node.value for node in nodes]


def is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def items_of(file: str, text: str) -> Iterator[Item]:
    """The items of every document of a rules file.  Raises `RulesError`."""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        raise RulesError(place, "LOAD_ERR_YAML_PARSE", str(error.problem)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise RulesError(Place(file, 1, 1), "LOAD_ERR_YAML_PARSE", str(error)) from error
    for document in documents:
        if document is None or is_null(document):
            continue
        if not isinstance(document, yaml.SequenceNode):
            message = "Rules content is not yaml array of objects"
            raise RulesError(Place(file, document.start_mark.line + 1, 1), "LOAD_ERR_YAML_VALIDATE", message)
        for node in document.value:
            if isinstance(node, yaml.MappingNode):
                yield Item(file, node)
            elif not is_null(node):
                place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
                message = "Unexpected element type. Each element should be a yaml associative array."
                raise RulesError(place, "LOAD_ERR_YAML_VALIDATE", message)
