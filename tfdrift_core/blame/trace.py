"""Who gave a drifted attribute its value: the call after which it was what the plan shows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tfdrift_core.blame.plan import Drifted, Plan
from tfdrift_core.blame.steps import Step, holds_unknown
from tfdrift_core.blame.steps import steps as played
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.compare.diff import Difference, Owner, diff, path_text, related
from tfdrift_core.drift.compare.schema import Block, schema_of
from tfdrift_core.drift.compare.values import is_empty, member, same
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.drift.present.present import present, secrets_of
from tfdrift_core.output.fields import values
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Attributes

COMPUTED: Final = "an attribute that the provider computes; no call sets it"
MASKED: Final = "the call changed it; its value is not in the record"
OTHER: Final = "the last call that changed it, to another value; what came after it no record tells"
BESIDE: Final = "the last call that changed the attribute; the record does not name this part"


def no_record(since: str) -> str:
    return f"no record since {since} names it: older than that, or made by AWS itself"


@dataclass(frozen=True, slots=True)
class Part:
    """One attribute that drifted, or one element of it, with the call that did it and those that touched it before.

    ``cause`` is ``None`` where no record explains it; ``reason`` then says why, and else what is to be known beside it.
    ``history`` ends with the cause.
    """

    drifted: Drifted
    path: str
    old: str | None
    new: str | None
    cause: DriftEvent | None
    reason: str = ""
    history: tuple[DriftEvent, ...] = ()
    element: str = ""


def blame(plan: Plan, records: Iterable[Record], catalog: Catalog, since: str) -> Sequence[Part]:
    """Every drifted attribute of a plan with its cause, in the plan's order; ``since`` names the records' first day."""
    steps = played(plan, records, catalog)
    return [
        part
        for drifted in plan.drifted
        for part in _Resource(drifted, steps.get(drifted.instance.address, ()), since).parts()
    ]


@dataclass(frozen=True, slots=True)
class _Aim:
    """One difference of the plan, or one element that it added (``sign`` is ``+``) or removed (``-``)."""

    difference: Difference
    sign: str = ""
    element: Any = None

    def met(self, left: Sequence[Difference], now: Attributes) -> bool:
        """Whether a resource is there already, by what differs between it as it is now and the plan."""
        near = [difference for difference in left if related(difference.path, self.difference.path)]
        if not self.sign:
            return not near
        if all(difference.path == self.difference.path for difference in near):
            side = "added" if self.sign == "+" else "removed"
            return all(self.element not in getattr(difference, side) for difference in near)
        # A list of the plan's length differs inside of its elements.
        elements = member(now, self.difference.path)
        there = any(same(self.element, other) for other in (elements if isinstance(elements, list) else ()))
        return there is (self.sign == "+")


class _Resource:
    """One drifted resource and the calls that changed it."""

    def __init__(self, drifted: Drifted, steps: Sequence[Step], since: str) -> None:
        self._drifted, self._steps, self._since = drifted, steps, since
        instance = drifted.instance
        self._block: Block | None = schema_of(instance.type, instance.attributes)
        self._owner = Owner(instance.account, instance.region)

    def parts(self) -> Iterator[Part]:
        drifted = self._drifted
        if drifted.after is None:
            yield self._deleted()
            return
        secrets = secrets_of(drifted.instance, drifted.before) | secrets_of(drifted.instance, drifted.after)
        for difference in diff(drifted.before, drifted.after, self._block, self._owner):
            shown = present(drifted.instance, difference, secrets)
            path = path_text(difference.path)
            pairs = [("+", shown.added, difference.added), ("-", shown.removed, difference.removed)]
            # What a provider writes for none at all tells nothing beside what is gone.
            aims = [
                (_Aim(difference, sign, element), f"{sign} {text}")
                for sign, texts, elements in pairs
                for text, element in zip(texts, elements, strict=True)
                if not is_empty(element)
            ]
            for aim, element in aims or [(_Aim(difference), "")]:
                cause, reason, history = self._cause(aim)
                yield Part(drifted, path, shown.old, shown.new, cause, reason, history, element)

    def _deleted(self) -> Part:
        found = [step for step in self._steps if step.after is None]
        history = tuple(_event(step, None) for step in found)
        cause = history[-1] if history and self._steps[-1] is found[-1] else None
        reason = no_record(self._since) if cause is None else _expected(cause)
        return Part(self._drifted, "", None, None, cause, reason, history)

    def _cause(self, aim: _Aim) -> tuple[DriftEvent | None, str, tuple[DriftEvent, ...]]:
        """The call that brought a part of the resource to where the plan has it, why not, and the calls before it."""
        path = aim.difference.path
        near = [step for step in self._steps if any(related(change.path, path) for change in step.changes)]
        met = [self._met(aim, step.after) for step in near]
        masked = _last(_masks(step, path) for step in near)
        named = _last(_names(step, aim) for step in near) if aim.sign else len(near) - 1
        if near and met[-1]:
            # Behind the last call that left it otherwise.
            place = max(place for place, there in enumerate(met) if there and not (place and met[place - 1]))
            reason = _expected(_event(near[place], path))
        elif max(masked, named) < 0:
            place, reason = len(near) - 1, BESIDE
        else:
            place, reason = (masked, MASKED) if masked >= named else (named, OTHER)
        history = tuple(_event(step, path) for step in near[: place + 1])
        if not near:
            return None, COMPUTED if self._computed(path) else no_record(self._since), ()
        if reason in (OTHER, BESIDE) and self._computed(path):
            return None, COMPUTED, history
        return history[-1], reason, history

    def _met(self, aim: _Aim, now: Attributes | None) -> bool:
        """Whether a resource, as a call left it, is what the plan shows as far as the aim goes."""
        name, after = aim.difference.attribute, self._drifted.after or {}
        one, other = ({name: side[name]} if name in side else {} for side in (now or {}, after))
        return aim.met(diff(one, other, self._block, self._owner), now or {})

    def _computed(self, path: tuple[str | int, ...]) -> bool:
        node = self._block.attributes.get(str(path[0])) if self._block else None
        return node is not None and node.computed_only


def _masks(step: Step, path: tuple[str | int, ...]) -> bool:
    return any(holds_unknown(change.new) for change in step.changes if related(change.path, path))


def _last(answers: Iterable[bool]) -> int:
    """Where the last is that is true, -1 for nowhere."""
    return max((place for place, answer in enumerate(answers) if answer), default=-1)


def _names(step: Step, aim: _Aim) -> bool:
    """Whether a call added or removed this very element."""
    return any(
        same(aim.element, element)
        for change in step.changes
        if related(change.path, aim.difference.path)
        for element in (*change.added, *change.removed)
    )


def _event(step: Step, path: tuple[str | int, ...] | None) -> DriftEvent:
    """What is told of a call: of its events the one that is about a path, where there is one."""
    text = path_text(path) if path else ""
    return next((event for event in step.events if _leads(event.path, text)), step.events[0])


def _leads(one: str, other: str) -> bool:
    """Whether one path, as text, leads to the other, or into it."""
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or (bool(shorter) and longer.startswith(shorter) and longer[len(shorter)] in ".[")


def _expected(event: DriftEvent) -> str:
    return event.reason if event.kind is Kind.EXPECTED else ""


def as_row(part: Part) -> dict[str, Any]:
    """A part as plain data, by the names of our fields."""
    instance = part.drifted.instance
    row: dict[str, Any] = {
        "tf.address": instance.address,
        "tf.type": instance.type,
        "tf.state": instance.state,
        "drift.path": part.path,
        "drift.old_value": part.old,
        "drift.new_value": part.new,
        "element": part.element,
        "reason": part.reason,
        "explained": part.cause is not None,
    }
    if part.cause is not None:
        found = values(part.cause)
        row |= {name: value for name, value in found.items() if name.startswith(("drift.user", "ct."))}
        row |= {
            name: found[name] for name in ("drift.time", "drift.srcip", "drift.console", "drift.link") if name in found
        }
    return {name: value for name, value in row.items() if value not in (None, "")}
