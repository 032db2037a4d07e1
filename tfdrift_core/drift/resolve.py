"""Which instances in state a record touches."""

from collections.abc import Mapping, Sequence
from typing import Any

import jmespath

from tfdrift_core.drift.change.catalog import Match
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.plan import ANY
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.values import as_list, render, same
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Attributes, Instance, StateIndex


class Resolver:
    """Finds instances of one state by what a catalog's ``match`` says of them."""

    def __init__(self, index: StateIndex) -> None:
        self._index = index
        self._nested: dict[tuple[str, str], Mapping[str, Sequence[Instance]]] = {}

    def find(self, type: str, matches: Sequence[Match], scope: Scope, record: Record) -> Sequence[Instance]:
        """The instances that the first match with any result names, within the record's account and region.

        No match at all stands for a setting of the account and region, of which each has one.
        """
        if not matches:
            return [instance for instance in self._index.all(type) if _within(instance, record)]
        for match in matches:
            (name, expression), *others = match.items()
            value = evaluate(expression, scope)
            if not isinstance(value, (str, int, float)) or isinstance(value, bool) or value == "":
                continue
            found = self._named(type, name, render(value) or "", record)
            if found and others:
                wanted = [(other, evaluate(expression, scope)) for other, expression in others]
                found = [i for i in found if all(_holds(i.attributes, other, value) for other, value in wanted)]
            if found:
                return found
        return ()

    def _named(self, type: str, name: str, value: str, record: Record) -> Sequence[Instance]:
        if type == ANY:
            return self._index.find_any(value, account=record.account, region=record.region)
        if name.isidentifier():
            return self._index.find(type, name, value, account=record.account, region=record.region)
        table = self._nested.get((type, name))
        if table is None:
            table = self._nested[type, name] = self._tabulate(type, name)
        return [instance for instance in table.get(value, ()) if _within(instance, record)]

    def _tabulate(self, type: str, path: str) -> Mapping[str, Sequence[Instance]]:
        """Instances by the values that they have at a path inside their attributes."""
        table: dict[str, list[Instance]] = {}
        for instance in self._index.all(type):
            for key in {str(key) for key in as_list(jmespath.search(path, instance.attributes))}:
                table.setdefault(key, []).append(instance)
        return table


def _within(instance: Instance, record: Record) -> bool:
    """Whether account and region of an instance are those of the record, where both are known."""
    return (not instance.account or not record.account or instance.account == record.account) and (
        not instance.region or not record.region or instance.region == record.region
    )


def _holds(attributes: Attributes, name: str, wanted: Any) -> bool:
    actual = attributes.get(name) if name.isidentifier() else jmespath.search(name, attributes)
    if isinstance(actual, list) and not isinstance(wanted, list):
        return any(same(element, wanted) for element in actual)
    return same(actual, wanted)
