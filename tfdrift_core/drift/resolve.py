"""Finds the instances in state that a record touches."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import jmespath

from tfdrift_core.drift import names
from tfdrift_core.drift.change.effect import Match
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.plan import ANY
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.values import as_list, render, same
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Instance, StateIndex

_NAME_IN_ARN: Final = re.compile(r"\b(?:arn_name|arn_part|lambda_name)\(([^()]+?)[,)]")


@lru_cache(maxsize=4096)
def _shortened(expression: str) -> tuple[str, ...]:
    """The expression inside ``arn_name(…)`` and the like, whose value may be the ARN of something elsewhere."""
    return tuple(_NAME_IN_ARN.findall(expression))


class Resolver:
    """Finds instances of one version of state by a catalog's ``match``."""

    def __init__(self, index: StateIndex) -> None:
        self._index = index
        self._tables: dict[tuple[str, str], Mapping[str, Sequence[Instance]]] = {}

    def find(self, type: str, matches: Sequence[Match], scope: Scope, record: Record) -> Sequence[Instance]:
        """The instances that the first match with any result names, within the record's account and region.

        An effect without ``match`` is about a setting that each account and region has once.
        """
        if not matches:
            return [instance for instance in self._index.all(type) if within(instance, record)]
        for match in matches:
            (name, expression), *others = match.items()
            if any(_is_elsewhere(text, scope, record) for text in match.values()):
                continue
            value = evaluate(expression, scope)
            if not isinstance(value, (str, int, float)) or isinstance(value, bool) or value == "":
                continue
            found = self._named(type, name, render(value) or "", record)
            if found and others:
                wanted = [(other, evaluate(expression, scope)) for other, expression in others]
                found = [i for i in found if all(_holds(i, other, value) for other, value in wanted)]
            if found:
                return found
        return ()

    def mentioned(self, type: str, matches: Sequence[Match], record: Record) -> Sequence[Instance]:
        """The instances of a type that a record names beside its parameters, by what a match would ask for first."""
        asked = dict.fromkeys(next(iter(match)) for match in matches)
        found = (self._named(type, name, arn, record) for arn in record.arns for name in ("arn", *asked))
        return list(dict.fromkeys(instance for instances in found for instance in instances))

    def _named(self, type: str, name: str, value: str, record: Record) -> Sequence[Instance]:
        """The instances that have the value at an attribute or path: literally, else in any form of the name."""
        if type == ANY:
            find_any = self._index.find_any
            found = find_any(value, account=record.account, region=record.region)
            return found or find_any(names.plain(value), account=record.account, region=record.region)
        if name.isidentifier():
            found = self._index.find(type, name, value, account=record.account, region=record.region)
            if found or not self._index.has_type(type):
                return found
        return self._spelled(type, name, value, record) or self._by_arn(type, name, names.plain(value), record)

    def _spelled(self, type: str, name: str, value: str, record: Record) -> Sequence[Instance]:
        table = self._tables.get((type, name))
        if table is None:
            table = self._tables[type, name] = self._tabulate(type, name)
        return [instance for instance in table.get(names.key(type, value), ()) if within(instance, record)]

    def _by_arn(self, type: str, name: str, value: str, record: Record) -> Sequence[Instance]:
        """The instances whose name an ARN in the record ends in."""
        if name == "arn" or not value.startswith("arn:"):
            return ()
        if name.isidentifier() and (found := self._index.find(type, "arn", value)):
            return [instance for instance in found if within(instance, record)]
        parts = names.parts_of_arn(value, record.account, record.region)
        return next((found for part in parts if (found := self._spelled(type, name, part, record))), ())

    def _tabulate(self, type: str, path: str) -> Mapping[str, Sequence[Instance]]:
        """An index of instances by every form of the value at a path inside their attributes."""
        table: dict[str, list[Instance]] = {}
        for instance in self._index.all(type):
            attributes = instance.attributes
            held = attributes.get(path) if path.isidentifier() else jmespath.search(path, attributes)
            for key in {key for value in as_list(held) for key in names.keys(type, str(value))}:
                table.setdefault(key, []).append(instance)
        return table


def _is_elsewhere(expression: str, scope: Scope, record: Record) -> bool:
    values = (evaluate(text, scope) for text in _shortened(expression))
    return any(isinstance(v, str) and names.is_elsewhere(v, record.account, record.region) for v in values)


def within(instance: Instance, record: Record) -> bool:
    """Whether account and region of an instance are those of the record, where both are known."""
    return (not instance.account or not record.account or instance.account == record.account) and (
        not instance.region or not record.region or instance.region == record.region
    )


def _holds(instance: Instance, name: str, wanted: Any) -> bool:
    attributes = instance.attributes
    actual = attributes.get(name) if name.isidentifier() else jmespath.search(name, attributes)
    if isinstance(actual, list) and not isinstance(wanted, list):
        return any(_means(instance.type, element, wanted) for element in actual)
    return _means(instance.type, actual, wanted)


def _means(type: str, held: Any, wanted: Any) -> bool:
    if same(held, wanted):
        return True
    texts = isinstance(held, str) and isinstance(wanted, str) and bool(held and wanted)
    return texts and names.key(type, wanted) in names.keys(type, held)
