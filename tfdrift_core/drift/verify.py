"""From what a plan shows to events: new drift that no record told of, and the end of drift that is not there."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from tfdrift_core.drift.batch import Result, Settings, View
from tfdrift_core.drift.classify.classify import Outcome, Verdict, classify
from tfdrift_core.drift.event import Confidence, DriftEvent, Opening, Resolution
from tfdrift_core.drift.finding import Answer, Compared, Finding, compare
from tfdrift_core.drift.memory import Memory, Overlay, Remembered
from tfdrift_core.drift.opening import moved, no_call, opened, resolved
from tfdrift_core.drift.tell import Teller
from tfdrift_core.drift.track import Net, Touch, Track
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Attributes, Instance

_CHANGE = Verdict(Outcome.CHANGE)


def verify(settings: Settings, view: View, memory: Memory, finding: Finding, now: int) -> Result:
    """What a finding changes in what is remembered of a resource, and the events that tell of it.

    Nothing, where something newer than the plan is known of the resource, or the resource is in no state.
    """
    state, address = finding.key
    instance = view.index.at(state, {address}).get(address)
    if instance is None or memory.touched_at(finding.key) > finding.moment:
        return Result()
    known = view.known(instance)
    remembered = memory.recall(known.key, known.attributes)
    if any(opening.opened > finding.moment for opening in remembered.openings):
        return Result()
    overlay = remembered.overlay
    comparison = compare(known, overlay.baseline, overlay.current, remembered.openings, finding)
    teller = _Told(settings, Track(known, remembered), finding, now, comparison.there or {})
    openings = {opening.id: opening for opening in remembered.openings}
    for compared in comparison.compared:
        teller.take(compared, openings)
    left = Remembered(Overlay(overlay.state, overlay.baseline, comparison.there), tuple(openings.values()))
    if left == remembered:
        return Result()
    memory.remember(known.key, left, now)
    touched: Mapping[tuple[str, str], Instance | None] = {known.key: instance}
    return Result(teller.events, touched=touched)


class _Told:
    """The events of one finding."""

    def __init__(self, settings: Settings, track: Track, finding: Finding, now: int, there: Attributes) -> None:
        self._settings, self._track, self._finding, self._now, self._there = settings, track, finding, now, there
        self._teller = Teller(settings.expectations, settings.emit_expected, now)
        self._ids: dict[str, str] = {}
        self._ends: list[DriftEvent] = []
        self._unknown = no_call(track.instance.account, track.instance.region)
        self._teller.begin(self._unknown)
        for record in finding.causes.values():
            self._teller.begin(record)

    @property
    def events(self) -> tuple[DriftEvent, ...]:
        told = (replace(event, id=self._ids.get(event.id, event.id)) for event in self._teller.events)
        return (*told, *self._ends)

    def take(self, compared: Compared, openings: dict[str, Opening]) -> None:
        """Tell what is to be told of it, and change the openings accordingly."""
        opening, shown = compared.opening, compared.shown
        if compared.answer is Answer.GONE and opening is not None:
            del openings[opening.id]
            self._ends.append(self._end(opening))
        elif compared.answer is Answer.CONFIRMED and opening is not None:
            openings[opening.id] = replace(opening, confidence=Confidence.VERIFIED)
        elif compared.answer is Answer.FILLED and opening is not None:
            known = replace(opening, confidence=Confidence.VERIFIED)
            if shown is not None and opening.steps:
                known = replace(known, new_value=shown.new, added=shown.added, removed=shown.removed)
            openings[opening.id] = known
        elif compared.answer is Answer.MORE and (later := self._more(compared)) is not None:
            kept = moved(opening, later) if opening is not None else later
            openings[kept.id] = kept

    def _end(self, opening: Opening) -> DriftEvent:
        name = self._finding.name
        if self._finding.after is None:
            return resolved(opening, Resolution.REMOVED, None, self._now, reason=f"{name}: the resource is gone")
        return resolved(opening, Resolution.GONE, None, self._now, reason=f"{name} shows nothing of it any more")

    def _more(self, compared: Compared) -> Opening | None:
        """``None`` where a rule or the configuration expects just that."""
        difference, finding = compared.difference, self._finding
        cause = finding.causes.get(difference.attribute if difference else "")
        verdict = classify(cause, self._settings.expectations) if cause is not None else _CHANGE
        reason = f"{finding.name} shows it; {_by(cause)}"
        names = tuple(dict.fromkeys((*finding.before, *(finding.after or {}))))
        touch = Touch(cause or self._unknown, verdict, Confidence.VERIFIED, reason, names, self._there)
        net = Net(touch, difference)
        if verdict.outcome is Outcome.EXPECTED:
            self._teller.withheld(self._track, [net], verdict.reason)
            return None
        event = self._teller.drift(self._track, net)
        if event is None:
            return None
        self._ids[event.id] = self._id(event)
        opening = opened(replace(event, id=self._ids[event.id]), difference.path if difference else ())
        return opening if opening.opened else replace(opening, opened=finding.moment)

    def _id(self, event: DriftEvent) -> str:
        """The same for every process that reads the plan, and another one when a later plan shows it again."""
        parts = (*self._finding.key, event.kind.value, event.path, str(self._finding.moment), str(event.new_value))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _by(cause: Record | None) -> str:
    return "no record told of it" if cause is None else "CloudTrail's history tells whose call it was"
