"""From records to drift events: classify, resolve, change, diff.

The engine remembers what earlier calls did to a resource until state shows something else, so that a later call is
compared with what the earlier one left.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jmespath

from tfdrift_core.drift.change.apply import Transform, apply
from tfdrift_core.drift.change.catalog import Catalog, Effect, Event, Match, expressions
from tfdrift_core.drift.change.expression import Scope, asked, evaluate
from tfdrift_core.drift.change.infer import infer
from tfdrift_core.drift.change.shape import canonical_request, canonical_response
from tfdrift_core.drift.change.transforms import TRANSFORMS
from tfdrift_core.drift.classify.classify import (
    Cause,
    Change,
    Expectations,
    Outcome,
    Verdict,
    classify,
    expected_change,
    tool_of,
)
from tfdrift_core.drift.compare.diff import Difference, diff, path_text
from tfdrift_core.drift.compare.ignore import ignored
from tfdrift_core.drift.compare.schema import Block, schema_for, schema_of
from tfdrift_core.drift.compare.values import as_list, member, render, same
from tfdrift_core.drift.event import Confidence, DriftEvent, Kind, Resource
from tfdrift_core.drift.present.hint import hint
from tfdrift_core.drift.present.present import present, secrets_of
from tfdrift_core.records.record import Record, once
from tfdrift_core.terraform.model import Attributes, Instance, StateIndex

ANY = "*"
"""The resource type of an effect that applies to whatever has the id or ARN."""

_MAX_CREATED = 1000
_MAX_KNOWN = 1000

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Step:
    """An effect that matters for a state, with those of its types that the state has.

    ``asked`` are the members of the request without all of which it does nothing, ``None`` when it always may;
    ``answered`` says whether the response is asked, too.
    """

    effect: Effect
    types: tuple[str, ...]
    matches: tuple[Match, ...]
    asked: frozenset[str] | None
    answered: bool


class Overlay(NamedTuple):
    """A resource as earlier calls left it; ``current`` is ``None`` when they deleted it.

    ``baseline`` is what Terraform wants: state, or what Terraform itself set since state was read.  ``state`` is the
    attributes object that both started from: once state holds another, the overlay is outdated.
    """

    state: Attributes
    baseline: Attributes
    current: Attributes | None


@dataclass(frozen=True)
class _Known:
    """``block`` is the schema of the provider that wrote the attributes, ``secrets`` are their sensitive values."""

    key: _Key
    instance: Instance
    attributes: Attributes
    block: Block | None

    @once
    def secrets(self) -> frozenset[str]:
        return secrets_of(self.instance, self.attributes)


@dataclass(slots=True)
class _Track:
    """One resource while a batch is worked on."""

    known: _Known
    instance: Instance
    baseline: Attributes
    start: Attributes | None
    current: Attributes | None
    touched: dict[str, "_Touch"] = field(default_factory=dict)
    deleted: "_Touch | None" = None
    left: tuple[Attributes, frozenset[str]] | None = field(default=None, repr=False)

    def secrets(self, touch: "_Touch") -> frozenset[str]:
        """Those of state and those that a call left; one call often makes several events."""
        left = self.left
        if left is None or left[0] is not touch.after:
            left = self.left = touch.after, self.known.secrets | secrets_of(self.instance, touch.after)
        return left[1]


@dataclass(frozen=True, slots=True)
class _Touch:
    record: Record
    confidence: Confidence
    reason: str
    attributes: tuple[str, ...]
    after: Attributes = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What a batch gave: events in the order of their records, and counts for the metrics."""

    events: tuple[DriftEvent, ...] = ()
    relevant: int = 0
    expected: Mapping[str, int] = field(default_factory=dict)
    terraform_ran: bool = False


def merged(results: Iterable[Result]) -> Result:
    """Several results, in order, as one."""
    results = tuple(results)
    expected: Counter[str] = Counter()
    for result in results:
        expected.update(result.expected)
    return Result(
        tuple(event for result in results for event in result.events),
        sum(result.relevant for result in results),
        expected,
        any(result.terraform_ran for result in results),
    )


class Engine:
    """Turns batches of records into drift events.  Not safe for use from several threads at once."""

    def __init__(
        self,
        catalog: Catalog,
        expectations: Expectations,
        *,
        emit_expected: bool = False,
        coalesce: bool = True,
        transforms: Mapping[str, Transform] = TRANSFORMS,
    ) -> None:
        self._catalog = catalog
        self._expectations = expectations
        self._emit_expected = emit_expected
        self._coalesce = coalesce
        self._transforms = transforms
        self._overlays: dict[_Key, Overlay] = {}
        self._created: dict[str, Mapping[str, Any]] = {}
        self._index: StateIndex | None = None
        self._nested: dict[tuple[str, str], dict[str, list[Instance]]] = {}
        self._plans: dict[int, tuple[_Step, ...]] = {}
        self._known: dict[Instance, _Known] = {}

    def process(self, index: StateIndex, records: Sequence[Record], now: int = 0) -> Result:
        """The drift that ``records``, in their order, made; ``now`` is the time to stamp events with, in nanoseconds.

        With ``coalesce`` what the records of one batch do to a resource is reported as one net change, by the last
        caller who touched the attribute.
        """
        if index is not self._index:
            self._index, self._nested, self._plans, self._known = index, {}, {}, {}
        groups = [records] if self._coalesce else [[record] for record in records]
        return merged(self._group(index, group, now) for group in groups)

    def _group(self, index: StateIndex, records: Sequence[Record], now: int) -> Result:
        batch = _Batch(self, index, now)
        for record in records:
            batch.apply(record)
        events = tuple(batch.finish())
        judged = [verdict for verdict in batch.verdicts if verdict.outcome is not Outcome.NOT_A_CHANGE]
        expected = Counter(str(verdict.cause) for verdict in judged if verdict.outcome is Outcome.EXPECTED)
        return Result(events, len(judged), expected, batch.terraform_ran)

    def judge(self, record: Record) -> Verdict:
        return classify(record, self._expectations)

    def by_terraform(self, record: Record) -> bool:
        return bool(tool_of(record.user_agent, self._expectations))

    def plan(self, index: StateIndex, event: Event) -> tuple[_Step, ...]:
        """Those of a call's effects that can touch anything managed, or make something new beside it."""
        known = self._plans.get(id(event))
        if known is None:
            steps = []
            for effect in event.effects:
                types = tuple(type for type in effect.types if type == ANY or index.has_type(type))
                creates = effect.create is not None and (
                    not effect.parents or any(index.has_type(parent) for parent, _ in effect.parents)
                )
                if types or creates:
                    condition = effect.each or effect.when
                    matches = effect.matches or (_created_match(effect) if effect.create else ())
                    names = asked(condition) if condition else None
                    steps.append(_Step(effect, types, matches, names, _asks_response(effect)))
            known = self._plans[id(event)] = tuple(steps)
        return known

    def known(self, instance: Instance) -> _Known:
        """What only state decides of an instance: kept, for it takes long to find out."""
        known = self._known.get(instance)
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            attributes, key = instance.attributes, (instance.state, instance.address)
            known = self._known[instance] = _Known(key, instance, attributes, schema_of(instance.type, attributes))
        return known

    def resolve(self, index: StateIndex, type: str, matches: Sequence[Match], scope: Scope) -> Sequence[Instance]:
        """The instances that the first match with any result names.

        No match at all stands for a setting of the account and region, of which each has one.
        """
        record: Record = scope["_record"]
        if not matches:
            return [
                instance
                for instance in index.all(type)
                if instance.account in ("", record.account) and instance.region in ("", record.region)
            ]
        for match in matches:
            (name, expression), *others = match.items()
            value = evaluate(expression, scope)
            if not isinstance(value, (str, int, float)) or isinstance(value, bool) or value == "":
                continue
            found = self._find(index, type, name, render(value) or "", record)
            if found and others:
                wanted = [(other, evaluate(expression, scope)) for other, expression in others]
                found = [i for i in found if all(_holds(i.attributes, other, value) for other, value in wanted)]
            if found:
                return found
        return ()

    def _find(self, index: StateIndex, type: str, name: str, value: str, record: Record) -> Sequence[Instance]:
        if type == ANY:
            return index.find_any(value, account=record.account, region=record.region)
        if name.isidentifier():
            return index.find(type, name, value, account=record.account, region=record.region)
        table = self._nested.get((type, name))
        if table is None:
            table = self._nested[type, name] = {}
            for instance in index.all(type):
                for key in {str(key) for key in as_list(jmespath.search(name, instance.attributes))}:
                    table.setdefault(key, []).append(instance)
        return [instance for instance in table.get(value, ()) if _within(instance, record)]

    def remember_created(self, id: str, parameters: Mapping[str, Any]) -> None:
        """Keep what is known of a resource outside Terraform, for calls that tie it to a managed one."""
        self._created[id] = parameters
        if len(self._created) > _MAX_CREATED:
            del self._created[next(iter(self._created))]

    def created(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is known of the unmanaged resource that a request names."""
        for value in request.values():
            if isinstance(value, str) and value in self._created:
                return self._created[value]
        return {}

    def snapshot(self) -> Mapping[_Key, Overlay]:
        """What the engine remembers, for ``restore``."""
        return dict(self._overlays)

    def restore(self, snapshot: Mapping[_Key, Overlay]) -> None:
        """Forget what was processed since the snapshot."""
        self._overlays = dict(snapshot)

    def overlay(self, key: _Key, state: Attributes) -> Overlay:
        """What a resource is now that has these attributes in state."""
        overlay = self._overlays.get(key)
        if overlay is None or (overlay.state is not state and overlay.state != state):
            return Overlay(state, state, state)
        return overlay

    def remember(self, key: _Key, overlay: Overlay) -> None:
        if overlay.current is not None and overlay.current == overlay.state == overlay.baseline:
            self._overlays.pop(key, None)
        else:
            self._overlays[key] = overlay


def _created_match(effect: Effect) -> tuple[Match, ...]:
    """What a create without a match may re-create: the resource that has the new id."""
    create = effect.create
    return ({"id": create.id or create.arn or create.name},) if create else ()


def _asks_response(effect: Effect) -> bool:
    return bool(effect.create or effect.transform) or any("response" in text for text in expressions(effect))


def _holds(attributes: Attributes, name: str, wanted: Any) -> bool:
    actual = attributes.get(name) if name.isidentifier() else jmespath.search(name, attributes)
    if isinstance(actual, list) and not isinstance(wanted, list):
        return any(same(element, wanted) for element in actual)
    return same(actual, wanted)


class _Batch:
    def __init__(self, engine: Engine, index: StateIndex, now: int) -> None:
        self._engine = engine
        self._index = index
        self._now = now
        self._tracks: dict[Instance, _Track] = {}
        self._events: list[tuple[int, DriftEvent]] = []
        self._order: dict[int, int] = {}
        self.verdicts: list[Verdict] = []
        self.terraform_ran = False

    def apply(self, record: Record) -> None:
        """Work on one record.  It is judged only once it is seen to touch something, which few records do."""
        event = self._engine._catalog.event(record)
        if event is not None and event.ignored:
            return
        self.terraform_ran = self.terraform_ran or self._engine.by_terraform(record)
        plan = self._engine.plan(self._index, event) if event is not None else ()
        if event is not None and not plan:
            return
        self._order[id(record)] = len(self._order)
        request = canonical_request(record)
        scope: dict[str, Any] = {
            "request": request,
            "record": record.raw,
            "created": self._engine.created(request),
            "_record": record,
        }
        if event is None:
            # Writes to what a resource stores say nothing of the resource, though they name it.
            if record.raw.get("eventCategory") != "Data":
                self._infer(record, {**scope, "response": canonical_response(record)})
            return
        self._verdict: Verdict | None = None
        handled = False
        for step in plan:
            if step.asked is not None and step.asked.isdisjoint(request):
                continue
            if step.answered and "response" not in scope:
                scope["response"] = canonical_response(record)
            told = step.effect.fallback and handled
            for item in self._items(step.effect, scope):
                handled = self._effect(step, record, {**scope, "item": item}, told) or handled
                if self._verdict is not None and self._verdict.outcome is Outcome.NOT_A_CHANGE:
                    return

    def _judge(self, record: Record) -> Verdict:
        if self._verdict is None:
            self._verdict = self._engine.judge(record)
            self.verdicts.append(self._verdict)
        return self._verdict

    def _items(self, effect: Effect, scope: Scope) -> list[Any]:
        return as_list(evaluate(effect.each, scope)) if effect.each else [None]

    def _effect(self, step: _Step, record: Record, scope: dict[str, Any], told: bool) -> bool:
        """Apply one effect; whether it found its resource or reported a new one, which it does not if that is told."""
        effect = step.effect
        if effect.other:
            scope["other"] = self._other(effect, scope)
        if effect.when and not evaluate(effect.when, scope):
            return False
        confidence = Confidence.INFERRED if effect.inferred else Confidence.EXACT
        handled = False
        for type in step.types:
            instances = self._engine.resolve(self._index, type, step.matches, scope)
            if effect.inferred:
                scope["found"] = [instance.attributes for instance in instances]
            for instance in instances:
                verdict = self._judge(record)
                if verdict.outcome is Outcome.NOT_A_CHANGE:
                    return False
                track = self._track(instance)
                if track.current is None and effect.create is None and not effect.restore:
                    continue
                before = track.current if track.current is not None else {**track.baseline, **effect.defaults}
                scope["state"] = before
                scope["baseline"] = track.baseline
                scope["gone"] = track.current is None
                after = apply(effect, scope, before, track.known.block, self._engine._transforms)
                self._change(track, after, record, verdict, confidence, "")
                handled = True
        if effect.create is not None and not handled and not told and self._parent_managed(effect, scope):
            verdict = self._judge(record)
            if verdict.outcome is Outcome.NOT_A_CHANGE:
                return False
            self._created(effect, record, verdict, scope, confidence)
            handled = True
        return handled

    def _other(self, effect: Effect, scope: Scope) -> Attributes | None:
        """The attributes, as they are by now, of the other resource that an effect asks for."""
        for type, match in effect.other:
            for instance in self._engine.resolve(self._index, type, (match,), scope):
                return self._track(instance).current
        return None

    def _parent_managed(self, effect: Effect, scope: Scope) -> bool:
        if not effect.parents:
            return True
        return any(self._engine.resolve(self._index, type, (match,), scope) for type, match in effect.parents)

    def _track(self, instance: Instance) -> _Track:
        track = self._tracks.get(instance)
        if track is None:
            known = self._engine.known(instance)
            overlay = self._engine.overlay(known.key, known.attributes)
            track = _Track(known, instance, overlay.baseline, overlay.current, overlay.current)
            self._tracks[instance] = track
        return track

    def _change(
        self,
        track: _Track,
        after: Attributes | None,
        record: Record,
        verdict: Verdict,
        confidence: Confidence,
        reason: str,
    ) -> None:
        block = schema_for(track.instance.type)
        before = track.current
        differences = diff(before if before is not None else track.baseline, after, block) if after is not None else []
        gone = after is None and before is not None
        reason = reason or verdict.reason
        names = tuple(dict.fromkeys([d.attribute for d in differences]))
        touch = _Touch(record, confidence, reason, names, after or {})
        if verdict.outcome is Outcome.EXPECTED:
            self._withhold(track, differences, gone, touch)
            changed = {name: after.get(name) for name in names} if after is not None else {}
            track.start = None if after is None else {**(track.start or track.baseline), **changed}
            if verdict.cause is Cause.TERRAFORM:
                track.baseline = {**track.baseline, **changed}
        elif gone:
            track.deleted = touch
        else:
            for difference in differences:
                earlier = track.touched.get(difference.attribute)
                same_call = earlier is not None and earlier.record is record
                names = (*earlier.attributes, *touch.attributes) if earlier and same_call else touch.attributes
                track.touched[difference.attribute] = replace(touch, attributes=tuple(dict.fromkeys(names)))
        track.current = after

    def _withhold(self, track: _Track, differences: Sequence[Difference], gone: bool, touch: _Touch) -> None:
        if not self._engine._emit_expected:
            return
        for difference in (None,) if gone else differences:
            self._emit(_event(track, Kind.EXPECTED, touch, difference, self._now, touch.reason))

    def _infer(self, record: Record, scope: Scope) -> None:
        self._verdict = None
        verdict = self._judge(record)
        if verdict.outcome is Outcome.NOT_A_CHANGE:
            return
        for guess in infer(self._index, record, scope):
            if guess.instance is None:
                self._unmanaged(record, verdict, guess.resource, Confidence.INFERRED, guess.reason)
                continue
            track = self._track(guess.instance)
            if track.current is None:
                continue
            if guess.attributes == track.current and verdict.outcome is Outcome.CHANGE:
                touch = _Touch(record, Confidence.INFERRED, guess.reason, ())
                self._emit(_event(track, Kind.MODIFIED, touch, None, self._now, guess.reason))
                continue
            self._change(track, guess.attributes, record, verdict, Confidence.INFERRED, guess.reason)

    def _created(self, effect: Effect, record: Record, verdict: Verdict, scope: Scope, confidence: Confidence) -> None:
        create = effect.create
        assert create is not None
        id, arn, name = (
            render(evaluate(text, scope)) or "" if text else "" for text in (create.id, create.arn, create.name)
        )
        resource = Resource(
            type=effect.types[0],
            id=id or arn or name,
            arn=arn or (id if id.startswith("arn:") else ""),
            name=name,
            account=record.account,
            region=record.region,
        )
        self._engine.remember_created(resource.id, {**scope["request"], **scope["response"]})
        self._unmanaged(record, verdict, resource, confidence, "")

    def _unmanaged(
        self, record: Record, verdict: Verdict, resource: Resource, confidence: Confidence, reason: str
    ) -> None:
        expected = verdict.outcome is Outcome.EXPECTED or expected_change(
            record, Change(resource), self._engine._expectations
        )
        if expected and not self._engine._emit_expected:
            return
        self._emit(
            DriftEvent(
                record=record,
                kind=Kind.EXPECTED if expected else Kind.UNMANAGED,
                resource=resource,
                id=_event_id(record, resource.type, resource.id, ""),
                confidence=confidence,
                reason=verdict.reason or reason or f"{record.operation} created it outside Terraform",
                time=self._now,
            )
        )

    def _emit(self, event: DriftEvent) -> None:
        self._events.append((self._order[id(event.record)], replace(event, hint=hint(event))))

    def finish(self) -> list[DriftEvent]:
        """Report the net change of every resource that the batch touched and remember what they are now."""
        for track in self._tracks.values():
            self._finish(track)
            self._engine.remember(track.known.key, Overlay(track.known.attributes, track.baseline, track.current))
        return [event for _, event in sorted(self._events, key=lambda pair: pair[0])]

    def _finish(self, track: _Track) -> None:
        if track.current is None:
            if track.start is not None and track.deleted is not None:
                self._report(track, track.deleted, None)
            return
        if not track.touched:
            return
        reported = set()
        for difference in diff(track.start or track.baseline, track.current, schema_for(track.instance.type)):
            touch = track.touched.get(difference.attribute)
            if touch is None or _as_wanted(track.baseline, difference):
                continue
            reported.add(difference.attribute)
            self._report(track, touch, difference)
        for name, touch in track.touched.items():
            if name not in reported:
                value = track.current.get(name)
                unchanged = replace(touch, reason="changed and put back to what Terraform wants")
                self._withhold(track, [Difference((name,), value, value)], False, unchanged)

    def _report(self, track: _Track, touch: _Touch, difference: Difference | None) -> None:
        instance = track.instance
        if difference is not None and ignored(instance.ignore_changes, difference.path):
            reason = "lifecycle.ignore_changes"
        else:
            change = _change_of(touch.record, instance, difference)
            reason = expected_change(touch.record, change, self._engine._expectations)
        if reason and not self._engine._emit_expected:
            return
        kind = Kind.EXPECTED if reason else Kind.DELETED if difference is None else Kind.MODIFIED
        self._emit(_event(track, kind, touch, difference, self._now, reason or touch.reason))


def _within(instance: Instance, record: Record) -> bool:
    """Whether account and region of an instance are those of the record, where both are known."""
    return (not instance.account or not record.account or instance.account == record.account) and (
        not instance.region or not record.region or instance.region == record.region
    )


def _as_wanted(baseline: Attributes, difference: Difference) -> bool:
    """Whether the new value is what Terraform wants; a key that a map lacks is not a key with an empty value."""
    *outer, last = difference.path
    holder = member(baseline, outer)
    if difference.old is None and isinstance(holder, Mapping) and last not in holder and difference.new is not None:
        return False
    return same(member(baseline, difference.path), difference.new)


def _change_of(record: Record, instance: Instance, difference: Difference | None) -> Change:
    attributes = instance.attributes
    tags = attributes.get("tags_all") or attributes.get("tags")
    path = path_text(difference.path) if difference else ""
    return Change(
        resource=_resource(instance, record, path),
        attribute=difference.attribute if difference else "",
        path=path,
        tags={str(k): str(v) for k, v in tags.items()} if isinstance(tags, dict) else {},
    )


def _event_id(record: Record, *parts: str) -> str:
    origin = record.id or hashlib.sha256(json.dumps(record.raw, sort_keys=True, default=str).encode()).hexdigest()
    return hashlib.sha256("\0".join((origin, *parts)).encode("utf-8", "replace")).hexdigest()[:32]


def _resource(instance: Instance, record: Record, path: str) -> Resource:
    attributes = instance.attributes
    return Resource(
        type=instance.type,
        address=instance.address,
        name=instance.name,
        module=instance.module,
        workspace=instance.workspace,
        state=instance.state,
        file=instance.file,
        line=(instance.attribute_line(path) if path else 0) or instance.line,
        id=str(attributes.get("id") or ""),
        arn=str(attributes.get("arn") or ""),
        account=instance.account or record.account,
        region=instance.region or record.region,
    )


def _event(
    track: _Track, kind: Kind, touch: _Touch, difference: Difference | None, now: int, reason: str
) -> DriftEvent:
    instance, known, record = track.instance, track.known, touch.record
    path = path_text(difference.path) if difference else ""
    shown = present(instance, difference, known.secrets) if difference else None
    return DriftEvent(
        record=record,
        kind=kind,
        resource=_resource(instance, record, path),
        id=_event_id(record, instance.address, path, kind),
        attribute=difference.attribute if difference else "",
        path=path,
        old_value=shown.old if shown else None,
        new_value=shown.new if shown else None,
        added=shown.added if shown else (),
        removed=shown.removed if shown else (),
        attributes=touch.attributes,
        confidence=touch.confidence,
        reason=reason,
        redacted=track.secrets(touch),
        time=now,
    )
