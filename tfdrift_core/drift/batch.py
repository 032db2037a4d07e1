"""One batch: for each record classify, resolve, change; then, for each resource, compare and tell."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tfdrift_core.drift import names
from tfdrift_core.drift.change import anew
from tfdrift_core.drift.change.apply import apply
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.change.effect import Create, Effect, Event
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.infer import infer, named_by
from tfdrift_core.drift.change.plan import Plans, Step
from tfdrift_core.drift.change.readback import as_read
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.change.shape import canonical_request, canonical_response
from tfdrift_core.drift.classify.classify import Outcome, Verdict, classify, tool_of
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.compare.schema import schema_of
from tfdrift_core.drift.compare.values import as_list, render
from tfdrift_core.drift.effort import Budget, TooMuchWorkError, trimmed
from tfdrift_core.drift.ends import End, by_call, ends
from tfdrift_core.drift.event import Confidence, DriftEvent, Opening, Resource
from tfdrift_core.drift.memory import Key, Memory, Overlay, Remembered, outside
from tfdrift_core.drift.opening import moved, opened
from tfdrift_core.drift.present.imports import import_of
from tfdrift_core.drift.resolve import Resolver, within
from tfdrift_core.drift.tell import Teller
from tfdrift_core.drift.track import Known, Net, Touch, Track
from tfdrift_core.records.record import Record, once
from tfdrift_core.terraform.model import Attributes, Instance, StateIndex

_MAX_KNOWN: Final = 1000
_MAX_GIVEN_UP: Final = 1000
_PARAMETERS: Final = (("requestParameters", "request"), ("responseElements", "response"))
_STEPS_OF_A_LOOK: Final = 8
"""An expression looks at a part of a record; what is applied may look at all of it."""

_NOTHING: Final = Scope(request={})


@dataclass(frozen=True, slots=True)
class Settings:
    """What applies to every batch."""

    catalog: Catalog
    expectations: Expectations
    emit_expected: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a batch: events in the order of their records, and counts for the metrics.

    ``touched`` are the resources whose memory changed; those outside Terraform have no instance.
    ``unknown`` counts the records that take too much work: their resources are told without values.
    """

    events: tuple[DriftEvent, ...] = ()
    relevant: int = 0
    expected: Mapping[str, int] = field(default_factory=dict)
    terraform_ran: bool = False
    touched: Mapping[Key, Instance | None] = field(default_factory=dict)
    unknown: int = 0


class View:
    """One version of state, and what was looked up in it so far."""

    def __init__(self, index: StateIndex) -> None:
        self.index = index
        self.plans = Plans(index)
        self.resolver = Resolver(index)
        self._known: dict[Instance, Known] = {}

    def known(self, instance: Instance) -> Known:
        """What state alone says about an instance; kept, because it takes long to find out."""
        known = self._known.get(instance)
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            attributes, key = instance.attributes, (instance.state, instance.address)
            known = self._known[instance] = Known(key, instance, attributes, schema_of(instance.type, attributes))
        return known


@dataclass(frozen=True)
class Call:
    """One record and its judgement.  The judgement is made only if the record touches something, which few do."""

    record: Record
    expectations: Expectations

    @once
    def verdict(self) -> Verdict:
        return classify(self.record, self.expectations)

    @once
    def budget(self) -> Budget:
        """
        :raises TooMuchWorkError: when the record is too large to be worked on.
        """
        return Budget(self.record.raw)

    @property
    def judged(self) -> bool:
        return "verdict" in vars(self)

    @property
    def is_no_change(self) -> bool:
        return self.verdict.outcome is Outcome.NOT_A_CHANGE


class Batch:
    """Works on records in their order; ``now`` stamps the events, in nanoseconds since the epoch."""

    def __init__(self, settings: Settings, view: View, memory: Memory, now: int) -> None:
        self._settings, self._view, self._memory = settings, view, memory
        self._now, self._moment = now, 0
        self._teller = Teller(settings.expectations, settings.emit_expected, now)
        self._tracks: dict[Instance, Track] = {}
        self._openings: dict[Instance, list[Opening]] = {}
        self._touched_keys: dict[Key, Instance | None] = {}
        self._verdicts: list[Verdict] = []
        self._terraform_ran = False
        self._budgets: dict[int, Budget] = {}
        self._unknown: dict[int, Record] = {}

    def run(self, records: Sequence[Record], unknown: str = "") -> Result:
        """Take every record, then tell the net change of every resource and remember what they are now.

        ``unknown`` says why only the touched resources can be told, without what the records did to them.
        """
        newest = max((record.time for record in records), default=0)
        self._moment = min(newest, self._now) if self._now else newest
        for record in records:
            self._take(record, unknown)
        for track in self._tracks.values():
            self._settle(track)
        judged = [verdict for verdict in self._verdicts if verdict.outcome is not Outcome.NOT_A_CHANGE]
        expected = Counter(str(verdict.cause) for verdict in judged if verdict.outcome is Outcome.EXPECTED)
        return Result(
            self._teller.events, len(judged), expected, self._terraform_ran, self._touched_keys, len(self._unknown)
        )

    def _take(self, record: Record, unknown: str) -> None:
        event = self._settings.catalog.event(record)
        if event is not None and event.ignored:
            return
        self._terraform_ran = self._terraform_ran or bool(tool_of(record.user_agent, self._settings.expectations))
        plan = self._view.plans.of(event) if event is not None else ()
        gone = self._deletes_unmanaged(event) if event is not None else ()
        if event is not None and not plan and not gone:
            return
        self._teller.begin(record)
        if event is None and record.raw.get("eventCategory") == "Data":
            # Writes to what a resource stores say nothing of the resource, though they name it.
            return
        call = Call(record, self._settings.expectations)
        try:
            if reason := unknown or record.withheld:
                raise TooMuchWorkError(reason)
            self._budgets[id(record)] = call.budget
            request = canonical_request(record)
            scope = _NOTHING.having(request=request, record=record.raw, created=self._memory.created(request))
            if event is not None:
                self._apply(call, plan, scope)
                for effect in gone:
                    self._end_unmanaged(call, effect, scope)
            else:
                self._infer(call, scope.having(response=canonical_response(record)))
        except TooMuchWorkError as error:
            self._give_up(call, plan, str(error))
        if call.judged:
            self._verdicts.append(call.verdict)

    def _give_up(self, call: Call, plan: Sequence[Step], reason: str) -> None:
        """Tell that every resource the record names has changed, without values."""
        record = call.record
        parameters = {name: trimmed(getattr(record, part)) for name, part in _PARAMETERS}
        small = Record({**record.raw, **parameters})
        scope = Scope(request=canonical_request(small), record=record.raw, response=canonical_response(small))
        # What is not in the plan is no more than mentioned: the key that a bucket's call used is not changed.
        types = () if record.withheld and plan else self._settings.catalog.types(record.event_source)
        found = dict.fromkeys(named_by(self._view.index, types, record, scope.request))
        for step in plan:
            if record.arns:
                mentioned = self._view.resolver.mentioned
                found.update(
                    (instance, None) for type in step.types for instance in mentioned(type, step.matches, record)
                )
            if record.withheld or not step.effect.each:
                for item in self._items(step.effect, scope)[:_MAX_GIVEN_UP]:
                    touched = self._touched(call, step, scope.having(item=item))
                    found.update(dict.fromkeys(instance for instance, _ in touched))
        if call.is_no_change:
            return
        self._unknown[id(record)] = record
        touch = Touch(record, call.verdict, Confidence.INFERRED, f"{record.operation} is not worked out: {reason}")
        for track in map(self._track, list(found)[:_MAX_GIVEN_UP]):
            if track.current is not None:
                self._openings.setdefault(track.instance, []).extend(self._tell_unknown(track, touch))
        if not found and not record.withheld:
            for step in plan:
                if step.effect.create is not None:
                    self._create(call, step.effect, step.effect.create, scope, Confidence.INFERRED)
                    return

    def _apply(self, call: Call, plan: Sequence[Step], scope: Scope) -> None:
        """Apply each effect of a call, until the call turns out to be no change."""
        handled = answered = False
        for step in plan:
            if step.asked is not None and step.asked.isdisjoint(scope.request):
                continue
            if step.answered and not answered:
                scope, answered = scope.having(response=canonical_response(call.record)), True
            told = step.effect.fallback and handled
            for item in self._items(step.effect, scope):
                call.budget.spend(call.budget.size // _STEPS_OF_A_LOOK + 1)
                names = scope.having(item=item) if step.effect.each else scope
                handled = self._effect(call, step, names, told) or handled
                if call.judged and call.is_no_change:
                    return

    def _items(self, effect: Effect, scope: Scope) -> Sequence[Any]:
        return as_list(evaluate(effect.each, scope)) if effect.each else [None]

    def _effect(self, call: Call, step: Step, scope: Scope, told: bool) -> bool:
        """Apply one effect.  Gives whether it found its resource or reported a new one."""
        effect = step.effect
        if effect.other:
            scope = scope.having(other=self._other(call, effect, scope))
        if effect.when and not evaluate(effect.when, scope):
            return False
        confidence = effect.confidence
        handled = False
        for instance, asked in self._touched(call, step, scope):
            if call.is_no_change:
                return False
            call.budget.spend(call.budget.size)
            handled = self._change(call, effect, asked, self._track(instance), confidence) or handled
        if effect.create is None or handled or told or not self._parent_managed(call, effect, scope):
            return handled
        if call.is_no_change:
            return False
        self._create(call, effect, effect.create, scope, confidence)
        return True

    def _touched(self, call: Call, step: Step, scope: Scope) -> Iterator[tuple[Instance, Scope]]:
        """The instances that an effect touches, each with the scope of its expressions."""
        for type in step.types:
            instances = self._view.resolver.find(type, step.matches, scope, call.record)
            if type in names.RENAMED:
                instances = self._called_now(type, step, scope, call.record, instances)
            if step.effect.confidence is Confidence.INFERRED:
                scope = scope.having(found=[instance.attributes for instance in instances])
            for instance in instances:
                yield instance, scope

    def _called_now(
        self, type: str, step: Step, scope: Scope, record: Record, found: Sequence[Instance]
    ) -> Sequence[Instance]:
        """The instances that have a name now, after earlier calls renamed some."""
        attribute = names.RENAMED[type]
        texts = (evaluate(match[attribute], scope) for match in step.matches if attribute in match)
        wanted = next((text for text in texts if isinstance(text, str) and text), "")
        kept = list(found)
        for instance in self._view.index.all(type) if wanted else ():
            key = instance.state, instance.address
            if instance in self._tracks or self._memory.shared or self._memory.remembers(key):
                current = self._track(instance).current
                name = str(current.get(attribute)) if current is not None else ""
                if name and name != instance.attributes.get(attribute):
                    kept = [other for other in kept if other is not instance]
                    if names.key(type, name) == names.key(type, wanted) and within(instance, record):
                        kept.append(instance)
        return kept

    def _change(self, call: Call, effect: Effect, scope: Scope, track: Track, confidence: Confidence) -> bool:
        gone = track.current is None
        if gone and not effect.restore and (effect.create is None or anew.is_another(effect, track.baseline, scope)):
            return False
        before = track.current
        if before is None:
            before = anew.start(effect, track.instance.type, track.baseline)
            effect = effect.anew or effect
        tags = track.instance.default_tags if effect.tags else {}
        scope = scope.having(state=before, baseline=track.baseline, gone=gone, default_tags=tags)
        after = apply(effect, scope, before, track.known.block)
        after = None if after is None else as_read(track.instance.type, before, after)
        self._make(track, after, Touch(call.record, call.verdict, confidence, call.verdict.reason))
        return True

    def _make(self, track: Track, after: Attributes | None, touch: Touch) -> None:
        self._teller.withheld(track, track.change(after, touch))

    def _other(self, call: Call, effect: Effect, scope: Scope) -> Attributes | None:
        """The present attributes of the other resource that an effect asks for."""
        for type, match in effect.other:
            for instance in self._view.resolver.find(type, (match,), scope, call.record):
                return self._track(instance).current
        return None

    def _parent_managed(self, call: Call, effect: Effect, scope: Scope) -> bool:
        if not effect.parents:
            return True
        find = self._view.resolver.find
        return any(find(type, (match,), scope, call.record) for type, match in effect.parents)

    def _track(self, instance: Instance) -> Track:
        track = self._tracks.get(instance)
        if track is None:
            known = self._view.known(instance)
            track = self._tracks[instance] = Track(known, self._memory.recall(known.key, known.attributes))
        return track

    def _infer(self, call: Call, scope: Scope) -> None:
        if call.is_no_change:
            return
        record, verdict = call.record, call.verdict
        types = self._settings.catalog.types(record.event_source)
        for guess in infer(self._view.index, types, record, scope, lambda instance: self._track(instance).current):
            call.budget.spend(call.budget.size)
            track = self._track(guess.instance)
            touch = Touch(record, verdict, Confidence.INFERRED, guess.reason)
            if track.current is None:
                continue
            if guess.attributes == track.current and verdict.outcome is Outcome.CHANGE:
                event = self._teller.touched(track, Net(touch, None))
                self._openings.setdefault(guess.instance, []).append(opened(event, ()))
            else:
                self._make(track, guess.attributes, touch)

    def _create(self, call: Call, effect: Effect, create: Create, scope: Scope, confidence: Confidence) -> None:
        id, arn, name = (
            render(evaluate(text, scope)) or "" if text else "" for text in (create.id, create.arn, create.name)
        )
        resource = Resource(
            type=effect.types[0],
            id=id or arn or name,
            arn=arn or (id if id.startswith("arn:") else ""),
            name=name,
            account=call.record.account,
            region=call.record.region,
            tool="tofu" if self._view.index.tool == "tofu" else "",
        )
        self._memory.remember_created(resource.id, {**scope.request, **scope.response})
        members = self._view.index.identity(resource.type)
        taken = import_of(resource, call.record.request, self._said(call, effect, scope), members)
        self._made(self._teller.unmanaged(call.record, call.verdict, resource, confidence, taken))

    def _said(self, call: Call, effect: Effect, scope: Scope) -> Attributes:
        """The attributes that a call gives to what it makes; none where finding out takes too much work."""
        try:
            call.budget.spend(call.budget.size)
        except TooMuchWorkError:
            return {}
        return anew.attributes(effect, scope)

    def _made(self, event: DriftEvent | None) -> None:
        """Remember a resource made outside Terraform as long as it exists."""
        if event is not None and event.resource.id:
            key = outside(event.resource.type, event.resource.id)
            made = Remembered(Overlay({}, {}, {}), (opened(event, ()),))
            self._memory.remember(key, made, self._moment)
            self._touched_keys[key] = None

    def _deletes_unmanaged(self, event: Event) -> Sequence[Effect]:
        """The effects of a call that may delete a resource made outside Terraform."""
        memory = self._memory
        if not memory.shared and not memory.any_unmanaged:
            return ()
        return [e for e in event.effects if e.delete and (memory.shared or any(map(memory.unmanaged, e.types)))]

    def _unmanaged(self, type: str, names: Collection[str | None]) -> Iterable[Key]:
        """The resources of this type made outside Terraform: all known here, and by name those that others know."""
        yield from self._memory.unmanaged(type)
        if self._memory.shared:
            yield from (outside(type, name) for name in names if name)

    def _end_unmanaged(self, call: Call, effect: Effect, scope: Scope) -> None:
        for item in self._items(effect, scope):
            names = scope.having(item=item)
            if effect.when and not evaluate(effect.when, names):
                continue
            named = {render(evaluate(text, names)) for match in effect.matches for text in match.values()}
            for key in {key for type in effect.types for key in self._unmanaged(type, named)}:
                opening = next(iter(self._memory.openings(key)), None)
                if opening is not None and _is(opening.resource, named, call.record) and not call.is_no_change:
                    self._teller.end(End(opening, by_call(call.verdict)), call.record, frozenset())
                    self._memory.forget(key, self._moment)
                    self._touched_keys[key] = None

    def _settle(self, track: Track) -> None:
        """Tell the net change of one resource and the drift that it ends, and remember how the resource is now."""
        told = [*self._openings.get(track.instance, ()), *(() if track.as_expected else self._tell(track))]
        if not told and not track.moved:
            return
        over = self._over(track) if track.openings else ()
        for end in over:
            assert end.touch is not None
            self._teller.end(end, end.touch.record, track.secrets(end.touch))
        ended = {end.opening.id for end in over}
        still = {opening.steps: opening for opening in track.openings if opening.id not in ended}
        for opening in told:
            earlier = still.get(opening.steps)
            same_kind = earlier is not None and earlier.kind is opening.kind
            still[opening.steps] = moved(earlier, opening) if earlier is not None and same_kind else opening
        self._memory.remember(track.known.key, Remembered(track.overlay, tuple(still.values())), self._moment)
        self._memory.touched(track.known.key, self._moment)
        self._touched_keys[track.known.key] = track.instance

    def _over(self, track: Track) -> Sequence[End]:
        try:
            return list(ends(track))
        except TooMuchWorkError:
            # What is open stays open.
            return ()

    def _tell_unknown(self, track: Track, touch: Touch) -> list[Opening]:
        event = self._teller.unknown(track, touch)
        return [opened(event, ())] if event is not None else []

    def _tell(self, track: Track) -> list[Opening]:
        """Tell the net change of one resource.  What calls put back shows only among expected events.

        Every event carries its whole record, so that the budget of a record bounds how many it makes.
        """
        nets: list[Net] = []
        openings: list[Opening] = []
        try:
            for net in track.net():
                nets.append(net)
                budget = self._budgets[id(net.touch.record)]
                budget.spend(budget.size)
        except TooMuchWorkError as error:
            touch = nets[-1].touch if nets else track.last
            if touch is not None:
                self._unknown[id(touch.record)] = touch.record
                reason = f"{touch.record.operation} is not worked out: {error}"
                return self._tell_unknown(track, replace(touch, reason=reason, confidence=Confidence.INFERRED))
            return []
        for net in nets:
            event = self._teller.drift(track, net)
            if event is not None:
                openings.append(opened(event, net.difference.path if net.difference is not None else ()))
        told = frozenset(net.difference.attribute for net in nets if net.difference is not None)
        self._teller.withheld(track, list(track.put_back(told)), "changed and put back to what Terraform wants")
        return openings


def _is(resource: Resource, names: Collection[str | None], record: Record) -> bool:
    """Whether a record names a resource that was made outside Terraform, in its account and region."""
    return (
        any(name in names for name in (resource.id, resource.arn, resource.name) if name)
        and resource.account == record.account
        and resource.region == record.region
    )
