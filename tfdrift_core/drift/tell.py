"""Makes the events that tell what calls did."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tfdrift_core.drift.classify.classify import Outcome, Verdict, expected_change
from tfdrift_core.drift.classify.expectations import Change, Expectations
from tfdrift_core.drift.compare.diff import Difference, path_text
from tfdrift_core.drift.compare.ignore import ignored, without_tags
from tfdrift_core.drift.compare.values import UNKNOWN
from tfdrift_core.drift.ends import End
from tfdrift_core.drift.event import Confidence, DriftEvent, Kind, Resource
from tfdrift_core.drift.opening import resolved
from tfdrift_core.drift.present.hint import hint
from tfdrift_core.drift.present.imports import Import
from tfdrift_core.drift.present.present import present
from tfdrift_core.drift.track import Net, Touch, Track
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Instance


@dataclass
class Teller:
    """The events of one batch, in the order of their records.

    ``now`` stamps them, in nanoseconds since the epoch.  What is expected is told only with ``emit_expected``.
    """

    expectations: Expectations
    emit_expected: bool
    now: int
    _events: list[tuple[int, DriftEvent]] = field(default_factory=list)
    _order: dict[int, int] = field(default_factory=dict)

    def begin(self, record: Record) -> None:
        """Begin with a record: its events come after those of earlier records."""
        self._order[id(record)] = len(self._order)

    @property
    def events(self) -> tuple[DriftEvent, ...]:
        return tuple(event for _, event in sorted(self._events, key=lambda pair: pair[0]))

    def drift(self, track: Track, net: Net) -> DriftEvent | None:
        """Tell of a difference or a deletion; ``None`` where the configuration or a rule expects it."""
        instance, (touch, difference) = track.instance, net
        if difference is not None and ignored(instance.ignore_changes, difference.path):
            reason = "lifecycle.ignore_changes"
        elif difference is not None and (seen := without_tags(instance.ignored_tags, difference)) is not difference:
            if seen is not None:
                return self.drift(track, Net(touch, seen))
            reason = "the provider's ignore_tags"
        elif self.expectations.ask_for_changes:
            change = _change_of(touch.record, instance, difference)
            reason = expected_change(touch.record, change, self.expectations)
        else:
            reason = ""
        if reason:
            self.withheld(track, [net], reason)
            return None
        kind = Kind.DELETED if difference is None else Kind.MODIFIED
        return self._emit(self._event(track, net, kind, touch.reason))

    def touched(self, track: Track, net: Net) -> DriftEvent:
        """Tell of a resource that a call changed in an unknown way."""
        return self._emit(self._event(track, net, Kind.MODIFIED, net.touch.reason))

    def end(self, end: End, record: Record, secrets: frozenset[str]) -> None:
        """Tell of a drift that the call of ``record`` ended."""
        self._emit(resolved(end.opening, end.resolution, record, self.now, secrets))

    def unknown(self, track: Track, touch: Touch) -> DriftEvent | None:
        """Tell of a resource that a call may have changed in any way."""
        if touch.verdict.outcome is Outcome.EXPECTED:
            self.withheld(track, [Net(touch, None)])
            return None
        event = self._event(track, Net(touch, None), Kind.MODIFIED, touch.reason)
        return self._emit(replace(event, new_value=UNKNOWN))

    def withheld(self, track: Track, nets: Sequence[Net], reason: str = "") -> None:
        """Tell of an expected change."""
        if self.emit_expected:
            for net in nets:
                self._emit(self._event(track, net, Kind.EXPECTED, reason or net.touch.reason))

    def unmanaged(
        self, record: Record, verdict: Verdict, resource: Resource, confidence: Confidence, taken: Import
    ) -> DriftEvent | None:
        """Tell of a resource made outside Terraform, with its import; ``None`` where that was expected."""
        expected = verdict.outcome is Outcome.EXPECTED or expected_change(record, Change(resource), self.expectations)
        if expected and not self.emit_expected:
            return None
        event = self._emit(
            DriftEvent(
                record=record,
                kind=Kind.EXPECTED if expected else Kind.UNMANAGED,
                resource=resource,
                id=_event_id(record, resource.type, resource.id, ""),
                confidence=confidence,
                reason=verdict.reason or f"{record.operation} created it outside Terraform",
                import_id=taken.id,
                import_identity=taken.identity,
                time=self.now,
            )
        )
        return None if expected else event

    def _emit(self, event: DriftEvent) -> DriftEvent:
        if text := hint(event):
            event = replace(event, hint=text)
        self._events.append((self._order[id(event.record)], event))
        return event

    def _event(self, track: Track, net: Net, kind: Kind, reason: str) -> DriftEvent:
        instance, (touch, difference) = track.instance, net
        path = path_text(difference.path) if difference else ""
        shown = present(instance, difference, track.known.secrets) if difference else None
        resource = replace(resource_of(instance, touch.record, path), tags=track.known.tags)
        return DriftEvent(
            record=touch.record,
            kind=kind,
            resource=resource,
            id=_event_id(touch.record, resource.address, resource.id, path, kind),
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
            time=self.now,
        )


def _change_of(record: Record, instance: Instance, difference: Difference | None) -> Change:
    attributes = instance.attributes
    tags = attributes.get("tags_all") or attributes.get("tags")
    path = path_text(difference.path) if difference else ""
    return Change(
        resource=resource_of(instance, record, path),
        attribute=difference.attribute if difference else "",
        path=path,
        tags={str(k): str(v) for k, v in tags.items()} if isinstance(tags, dict) else {},
    )


def _event_id(record: Record, *parts: str) -> str:
    # Not of its id: a forged record with the id of a real one would make what is told of that look told already.
    return hashlib.sha256("\0".join((record.content.hex(), *parts)).encode("utf-8", "replace")).hexdigest()[:32]


def resource_of(instance: Instance, record: Record, path: str) -> Resource:
    """A managed instance in the form that events have."""
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
        tool="tofu" if instance.tool == "tofu" or instance.file.endswith((".tofu", ".tofu.json")) else "",
    )
