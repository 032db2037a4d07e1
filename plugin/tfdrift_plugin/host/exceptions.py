"""Exceptions of Falco rules: read, checked, and turned into a part of the condition."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import yaml

from tfdrift_plugin.host.condition import Check, ConditionError, parse
from tfdrift_plugin.host.fields import Catalogue
from tfdrift_plugin.host.rules_file import Item, Place, RulesError, is_null

Entry = str | list["Entry"]
Warn = Callable[[Place, str, str], None]

OPERATORS = frozenset(
    ("exists", "<=", "<", ">=", ">", "==", "=", "!=", "glob", "iglob", "contains", "icontains", "bcontains")
) | {"startswith", "bstartswith", "endswith", "regex", "intersects", "in", "pmatch"}
LIST_OPERATORS = ("in", "pmatch", "intersects")


@dataclass(slots=True)
class RuleException:
    """``fields`` and ``comps`` are both one name, or lists of equal length; ``values`` are rows to match."""

    name: str
    fields: Entry | None
    comps: Entry | None
    values: list[Entry]
    place: Place

    def complete(self, catalogue: Catalogue | None) -> None:
        """Fills in the default operators and checks all; names only against a ``catalogue`` of the rule's source."""
        if isinstance(self.fields, list):
            self.comps = self.comps or ["="] * len(self.fields)
        else:
            self.comps = self.comps or "in"
        if problem := next(self._problems(catalogue), None):
            raise self._refuse(problem)

    def _problems(self, catalogue: Catalogue | None) -> Iterator[str]:
        names, comps = self.fields, self.comps
        if isinstance(names, list):
            if not isinstance(comps, list) or len(comps) != len(names):
                yield "Fields and comps lists must have equal length"
            yield from (f"'{op}' is not a supported comparison operator" for op in comps or () if op not in OPERATORS)
        elif isinstance(comps, list):
            yield "Fields and comps must both be strings"
        elif comps not in LIST_OPERATORS:
            yield f"When fields is a single value, comps must be one of ({', '.join(LIST_OPERATORS)})"
        if catalogue is not None:
            for name in names if isinstance(names, list) else [names]:
                if not catalogue.has(str(name)):
                    yield f"'{name}' is not a supported filter field"

    def _refuse(self, message: str) -> RulesError:
        return RulesError(self.place, "LOAD_ERR_VALIDATE", message)

    def condition(self) -> str:
        """What the exception lets through, as a condition; empty where it has no values."""
        if isinstance(self.fields, list) and isinstance(self.comps, list):
            rows = " or ".join(f"({self._row(self.fields, self.comps, row)})" for row in self.values)
            return f"({rows})" if rows else ""
        if any(isinstance(value, list) for value in self.values):
            raise self._refuse("Expected values array to contain a list of strings")
        values = ", ".join(quote(str(value)) for value in self.values)
        return f"({self.fields} {self.comps} ({values}))" if self.values else ""

    def _row(self, names: Sequence[Entry], comps: Sequence[Entry], row: Entry) -> str:
        if not isinstance(row, list) or len(row) != len(names):
            raise self._refuse("Fields and values lists must have equal length")
        return " and ".join(
            f"{name} {op} {_operand(op, value)}" for name, op, value in zip(names, comps, row, strict=True)
        )


def _operand(op: Entry, value: Entry) -> str:
    if isinstance(value, list):
        return f"({', '.join(quote(str(one)) for one in value)})"
    if op in LIST_OPERATORS:
        return value if value.startswith("(") else f"({value})"
    return quote(value)


def quote(text: str) -> str:
    """An item of a list as Falco puts it into a condition."""
    return f'"{text}"' if " " in text and text[0] not in "\"'" else text


def values_of(item: str) -> tuple[str, ...]:
    """What Falco reads in a list's item; nothing where it refuses it."""
    try:
        check = parse(f"a.b in ({quote(item)})")
    except ConditionError:
        return ()
    return check.right if isinstance(check, Check) and isinstance(check.right, tuple) else ()


def is_one_value(item: str) -> bool:
    return len(values_of(item)) == 1


def spelling(item: str) -> str:
    """An item as it has to be written in YAML for Falco to take it for one value."""
    escaped = item.replace("\\", "\\\\").replace("'", "\\'")
    return json.dumps(f"'{escaped}'", ensure_ascii=False)


def with_exceptions(condition: str, exceptions: Sequence[RuleException]) -> str:
    """The condition with ``and not (…)`` for every exception that has values."""
    if not exceptions:
        return condition
    excluded = [part for exception in exceptions if (part := exception.condition())]
    return "".join([f"({condition})", *(f" and not {part}" for part in excluded)])


def read(item: Item, warn: Warn, *, append: bool) -> list[RuleException]:
    """The exceptions of a rule's item; those to append may lack fields, or be warned about for lack of values."""
    if (parent := item.child("exceptions")) is None or is_null(parent):
        return []
    found: list[RuleException] = []
    for node in item.sequence("exceptions"):
        if not isinstance(node, yaml.MappingNode):
            raise item.refuse("Rule exception must be a mapping", node)
        name = Item(item.file, node, item.title).text("name")
        entry = Item(item.file, node, f"{item.title}: exception '{name}'")
        if any(other.name == name for other in found):
            message = f"Multiple definitions of exception '{name}' in the same rule"
            warn(entry.place(), "LOAD_EXCEPTION_NAME_NOT_UNIQUE", message)
        if not append and entry.child("fields") is None:
            raise entry.refuse("Item has no mapping for key 'fields'")
        if append and entry.child("values") is None:
            warn(entry.place(), "LOAD_APPEND_NO_VALUES", "Overriding/appending exception with no values")
        fields, comps = (_entry(entry, child) if (child := entry.child(key)) else None for key in ("fields", "comps"))
        values = entry.sequence("values") if entry.child("values") is not None else []
        found.append(RuleException(name, fields, comps, [_entry(entry, value) for value in values], entry.place()))
    return found


def _entry(item: Item, node: yaml.Node) -> Entry:
    if isinstance(node, yaml.SequenceNode):
        return [_entry(item, child) for child in node.value]
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise item.refuse("Value must be non-empty", node)
    return str(node.value)


def append(exceptions: list[RuleException], new: RuleException, catalogue: Catalogue | None) -> None:
    """Adds the values of ``new`` to the exception of its name, or all of it where there is none.

    Raises `RulesError`.
    """
    old = next((exception for exception in exceptions if exception.name == new.name), None)
    if old is None:
        if new.fields is None or not new.values:
            missing = "fields property with a list of fields" if new.fields is None else "values property"
            raise RulesError(new.place, "LOAD_ERR_VALIDATE", f"Rule exception must have {missing}")
        new.complete(catalogue)
        exceptions.append(new)
        return
    for key, entry in (("fields", new.fields), ("comps", new.comps)):
        if entry is not None:
            message = f"Can not append exception {key} to existing exception, only values"
            raise RulesError(new.place, "LOAD_ERR_VALIDATE", message)
    old.values += new.values
