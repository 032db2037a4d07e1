"""Who gave a drifted attribute its value: the call after which it was what the plan shows."""

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tfdrift_core.blame.plan import Drifted, Plan
from tfdrift_core.blame.steps import Step, holds_unknown
from tfdrift_core.blame.steps import steps as played
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.compare.diff import Difference, Owner, Path, diff, path_text, related
from tfdrift_core.drift.compare.schema import Block, schema_of
from tfdrift_core.drift.compare.values import is_empty, member, render, same
from tfdrift_core.drift.effort import TooMuchWorkError
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.drift.present.present import present, secrets_of
from tfdrift_core.drift.tell import resource_of
from tfdrift_core.output.fields import values
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Attributes

log = logging.getLogger("tfdrift.blame")

COMPUTED: Final = "an attribute that the provider computes; no call sets it"
MASKED: Final = "the call changed it; its value is not in the record"
OTHER: Final = "the last call that changed it, to another value; what came after it no record tells"
BESIDE: Final = "the last call that changed the attribute; the record does not name this part"


def no_record(since: str) -> str:
    """``since`` names the first day of the records, "" where there are none."""
    if not since:
        return "there is no record that could name it"
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

    @property
    def earlier(self) -> Sequence[DriftEvent]:
        """The calls before the cause, or all where none is, the latest first."""
        return tuple(reversed(self.history if self.cause is None else self.history[:-1]))


def blame(plan: Plan, records: Iterable[Record], catalog: Catalog, since: str) -> Sequence[Part]:
    """Every drifted attribute of a plan with its cause, in the plan's order; ``since`` names the records' first day."""
    steps = played(plan, records, catalog)
    found: list[Part] = []
    for drifted in plan.drifted:
        address = drifted.instance.address
        try:
            found += _Resource(drifted, steps.get(address, ()), since).parts()
        except TooMuchWorkError as error:
            log.error("%s: its drift is not compared: %s", address, error)
    return found


@dataclass(frozen=True, slots=True)
class _Aim:
    """One difference of the plan, or one element that it added (``sign`` is ``+``) or removed (``-``)."""

    difference: Difference
    sign: str = ""
    element: Any = None


class _Left:
    """What differs between a resource, as a call left it, and the plan, in one attribute."""

    def __init__(self, now: Attributes, differences: Sequence[Difference]) -> None:
        self._now, self._differences = now, differences
        self._texts: dict[tuple[Path, str], frozenset[str | None]] = {}

    def has_met(self, aim: _Aim) -> bool:
        """Whether the resource is what the plan shows already, as far as the aim goes."""
        path = aim.difference.path
        near = [difference for difference in self._differences if related(difference.path, path)]
        if not aim.sign:
            return not near
        if all(difference.path == path for difference in near):
            return render(aim.element) not in self._elements(path, "added" if aim.sign == "+" else "removed")
        # A list of the plan's length differs inside of its elements.
        elements = member(self._now, path)
        there = any(same(aim.element, other) for other in (elements if isinstance(elements, list) else ()))
        return there is (aim.sign == "+")

    def _elements(self, path: Path, side: str) -> frozenset[str | None]:
        """The elements that the plan has added or removed and the resource not, as texts: there may be thousands."""
        texts = self._texts.get((path, side))
        if texts is None:
            found = (getattr(difference, side) for difference in self._differences if difference.path == path)
            texts = self._texts[path, side] = frozenset(render(element) for elements in found for element in elements)
        return texts


class _Resource:
    """One drifted resource and the calls that changed it."""

    def __init__(self, drifted: Drifted, steps: Sequence[Step], since: str) -> None:
        self._drifted, self._steps, self._since = drifted, steps, since
        instance = drifted.instance
        self._block: Block | None = schema_of(instance.type, instance.attributes)
        self._owner = Owner(instance.account, instance.region)
        self._lefts: dict[tuple[str, int], _Left] = {}

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
        if not near:
            return None, COMPUTED if self._computed(path) else no_record(self._since), ()
        met = [self._left(aim.difference.attribute, step).has_met(aim) for step in near]
        if met[-1]:
            # Behind the last call that left it otherwise.
            place = max(place for place, there in enumerate(met) if there and not (place and met[place - 1]))
            reason = _expected(_event(near[place], path))
        else:
            place, reason = _unmet(aim, near)
        history = tuple(_event(step, path) for step in near[: place + 1])
        if reason in (OTHER, BESIDE) and self._computed(path):
            return None, COMPUTED, history
        return history[-1], reason, history

    def _left(self, name: str, step: Step) -> _Left:
        known = self._lefts.get((name, id(step)))
        if known is None:
            now, after = step.after or {}, self._drifted.after or {}
            one, other = ({name: side[name]} if name in side else {} for side in (now, after))
            known = self._lefts[name, id(step)] = _Left(now, diff(one, other, self._block, self._owner))
        return known

    def _computed(self, path: Path) -> bool:
        node = self._block.attributes.get(str(path[0])) if self._block else None
        return node is not None and node.computed_only


def _unmet(aim: _Aim, near: Sequence[Step]) -> tuple[int, str]:
    """Which of the calls is told of where none brought it to where the plan has it, and why none did."""
    masked = _last(_masks(step, aim.difference.path) for step in near)
    named = _last(_names(step, aim) for step in near) if aim.sign else len(near) - 1
    if max(masked, named) < 0:
        return len(near) - 1, BESIDE
    return (masked, MASKED) if masked >= named else (named, OTHER)


def _masks(step: Step, path: Path) -> bool:
    return any(holds_unknown(change.new) for change in step.changes if related(change.path, path))


def _last(answers: Iterable[bool]) -> int:
    """Where the last is that is true, -1 for nowhere."""
    return max((place for place, answer in enumerate(answers) if answer), default=-1)


def _names(step: Step, aim: _Aim) -> bool:
    """Whether a call added or removed this very element."""
    text = render(aim.element)
    return any(
        render(element) == text
        for change in step.changes
        if related(change.path, aim.difference.path)
        for element in (*change.added, *change.removed)
    )


def _event(step: Step, path: Path | None) -> DriftEvent:
    """What is told of a call: of its events the one that is about a path, where there is one."""
    text = path_text(path) if path else ""
    return next((event for event in step.events if _leads(event.path, text)), step.events[0])


def _leads(one: str, other: str) -> bool:
    """Whether one path, as text, leads to the other, or into it."""
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or (bool(shorter) and longer.startswith(shorter) and longer[len(shorter)] in ".[")


def _expected(event: DriftEvent) -> str:
    return event.reason if event.kind is Kind.EXPECTED else ""


_OF_HISTORY: Final = frozenset(
    {"ct.id", "ct.name", "ct.time", "drift.user", "drift.srcip", "drift.path", "drift.old_value", "drift.new_value"}
)


def as_row(part: Part, history: bool = False) -> dict[str, Any]:
    """A part as plain data, by the names of our fields: the drift is the plan's, who and when are the call's.

    ``history`` adds the earlier calls, the latest first.
    """
    drifted, cause = part.drifted, part.cause
    instance = drifted.instance
    record = cause.record if cause is not None else Record({})
    secrets = secrets_of(instance, drifted.before) | secrets_of(instance, drifted.after or {})
    texts = {"+": (), "-": (), part.element[:1]: (part.element[2:],)}
    event = DriftEvent(
        record=record,
        kind=Kind.DELETED if drifted.after is None else Kind.MODIFIED,
        resource=resource_of(instance, record, part.path),
        id=_id(instance.state, instance.address, part.path, part.element, part.new or ""),
        attribute=re.split(r"[.\[]", part.path, maxsplit=1)[0],
        path=part.path,
        old_value=part.old,
        new_value=part.new,
        added=texts["+"],
        removed=texts["-"],
        reason=part.reason,
        redacted=secrets | (cause.redacted if cause is not None else frozenset()),
    )
    more: dict[str, Any] = {"element": part.element, "reason": part.reason, "explained": cause is not None}
    if history:
        more["history"] = [
            {name: value for name, value in values(step).items() if name in _OF_HISTORY} for step in part.earlier
        ]
    return (
        values(event) | {"drift.confidence": "verified"} | {name: value for name, value in more.items() if value != ""}
    )


def _id(*parts: str) -> str:
    """The same for the same drift, whichever plan shows it."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
