"""What each call did to each drifted resource: records are played in order over the resources as state has them."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tfdrift_core.blame.plan import Plan
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.compare.diff import PRIVATE, Difference, Owner, diff
from tfdrift_core.drift.compare.patch import patched
from tfdrift_core.drift.compare.schema import schema_of
from tfdrift_core.drift.compare.values import UNKNOWN
from tfdrift_core.drift.effort import TooMuchWorkError
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.records.ordered import Ordered
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Attributes, Instance

log = logging.getLogger("tfdrift.blame")

_TOLD: Final = (Kind.MODIFIED, Kind.DELETED, Kind.EXPECTED)


@dataclass(frozen=True, slots=True)
class Step:
    """One call and what it made of one resource.

    ``after`` is the resource as far as records tell, ``None`` when it is gone: what the call set to a value that
    CloudTrail does not log stays as it was before.  ``changes`` has that, too, as ``UNKNOWN``.
    """

    events: tuple[DriftEvent, ...]
    after: Attributes | None = field(repr=False)
    changes: tuple[Difference, ...] = field(repr=False)


def steps(plan: Plan, records: Iterable[Record], catalog: Catalog) -> Mapping[str, Sequence[Step]]:
    """Address of a drifted resource to the calls that changed it, expected ones too, the oldest first."""
    player = _Player(plan, catalog)
    seen: set[bytes] = set()
    for record in records if isinstance(records, Ordered) else sorted(records, key=lambda record: record.time):
        # Not by their ids: whoever forges a record chooses its id, and would hide the real one.
        if record.content not in seen:
            seen.add(record.content)
            player.play(record)
    return player.steps


class _Player:
    """Plays records one by one, and looks at the drifted resources after each."""

    def __init__(self, plan: Plan, catalog: Catalog) -> None:
        self.steps: dict[str, list[Step]] = {}
        self._index = plan.index
        self._engine = Engine(catalog, Expectations(), emit_expected=True)
        self._current: dict[str, Attributes | None] = {
            one.instance.address: one.instance.attributes for one in plan.drifted
        }

    def play(self, record: Record) -> None:
        engine, earlier = self._engine, self._engine.snapshot()
        try:
            result = engine.process(self._index, [record])
        except Exception:
            # One record that cannot be worked out must not take the answers of all others along.
            engine.restore(earlier)
            log.exception("record %s (%s) is left out, please report this", record.id, record.event_name)
            return
        finally:
            engine.commit()
        for (_, address), instance in result.touched.items():
            if instance is not None and address in self._current:
                told = (event for event in result.events if event.kind in _TOLD and event.resource.address == address)
                self._look(instance, tuple(told))

    def _look(self, instance: Instance, events: tuple[DriftEvent, ...]) -> None:
        """Note what a call made of a resource, and take back what nobody can tell: the next such call is seen too."""
        key = instance.state, instance.address
        remembered = self._engine.memory.recall(key, instance.attributes)
        before, after = self._current[instance.address], remembered.overlay.current
        block = schema_of(instance.type, instance.attributes)
        try:
            changes = diff(before or {}, after or {}, block, Owner(instance.account, instance.region))
        except TooMuchWorkError:
            changes = []
        known = [change for one in changes if (change := _known(one)) is not None]
        if after is not None and known != changes:
            own = {name: value for name, value in after.items() if name.startswith(PRIVATE)}
            after = {**patched(before or {}, known), **own}
            overlay = remembered.overlay._replace(current=after)
            self._engine.memory.remember(key, replace(remembered, overlay=overlay))
        if events and (changes or (before is None) != (after is None)):
            self.steps.setdefault(instance.address, []).append(Step(events, after, tuple(changes)))
        self._current[instance.address] = after


def _known(change: Difference) -> Difference | None:
    """As much of a change as the record tells."""
    if not holds_unknown(change.new):
        return change
    added = tuple(element for element in change.added if not holds_unknown(element))
    return change._replace(added=added, removed=()) if added else None


def holds_unknown(value: Any) -> bool:
    """Whether a value, or any part of it, is one that CloudTrail does not log."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if UNKNOWN in value:
                return True
        elif isinstance(value, (list, dict)):
            left += value.values() if isinstance(value, dict) else value
    return False
