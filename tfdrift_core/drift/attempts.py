"""What calls that were denied would have done to managed resources."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from tfdrift_core.drift.batch import Batch, Call, Settings, View
from tfdrift_core.drift.change.effect import Create, Effect
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.classify.classify import Outcome
from tfdrift_core.drift.event import Confidence, DriftEvent, Kind
from tfdrift_core.drift.memory import Memory
from tfdrift_core.drift.tell import Teller
from tfdrift_core.drift.track import Touch, Track
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Instance, StateIndex

_MOST: Final = 100
_ERRORS: Final = ("errorCode", "errorMessage")

_NAMED = re.compile(r"on resource: \"?(?:(?P<kind>role|user|group|instance profile) )?(?P<name>[^\s\"]+)")
_ARN = re.compile(r"(?:on resource: \"?|policy )(?P<arn>arn:[^\s\"]+)")
"""How AWS says in the message what was denied.  Most services log none of the parameters of a denied call."""

_IAM_TYPES: Final[Mapping[str, str]] = {
    "role": "aws_iam_role",
    "user": "aws_iam_user",
    "group": "aws_iam_group",
    "instance profile": "aws_iam_instance_profile",
}


class Rehearsal(Batch):
    """Works out what a record would have done, and remembers nothing of it."""

    def _settle(self, track: Track) -> None:
        self._tell(track)

    def _create(self, call: Call, effect: Effect, create: Create, scope: Scope, confidence: Confidence) -> None:
        """Nothing that is managed is touched by what was not made."""

    def _end_unmanaged(self, call: Call, effect: Effect, scope: Scope) -> None:
        """What was made beside Terraform is not managed."""


def attempts(settings: Settings, view: View, memory: Memory, record: Record, now: int) -> Iterator[DriftEvent]:
    """One event for each managed attribute that a denied call was to change, or for the resource that it names.

    What would have been expected had it been allowed is not told.
    """
    known = settings.catalog.event(record)
    if known is not None and known.ignored:
        return
    allowed = Record({name: value for name, value in record.raw.items() if name not in _ERRORS})
    events = Rehearsal(replace(settings, emit_expected=False), view, memory, now).run([allowed]).events
    if not events and not record.request:
        events = _named(settings, view, memory, record, allowed, now)
    for event in events:
        if event.kind in (Kind.MODIFIED, Kind.DELETED):
            wanted = "; it would have deleted the resource" if event.kind is Kind.DELETED else ""
            reason = f"{record.operation} was denied{wanted}"
            yield replace(event, record=record, kind=Kind.ATTEMPTED, hint="", reason=reason)


def _named(
    settings: Settings, view: View, memory: Memory, record: Record, allowed: Record, now: int
) -> tuple[DriftEvent, ...]:
    """The resources that the message of the error names; what was to become of them nobody says."""
    verdict = Call(allowed, settings.expectations).verdict
    if verdict.outcome is not Outcome.CHANGE:
        return ()
    teller = Teller(settings.expectations, emit_expected=False, now=now)
    teller.begin(allowed)
    for instance in list(dict.fromkeys(_mentioned(view.index, record)))[:_MOST]:
        known = view.known(instance)
        track = Track(known, memory.recall(known.key, known.attributes))
        teller.unknown(track, Touch(allowed, verdict, Confidence.INFERRED, ""))
    return teller.events


def _mentioned(index: StateIndex, record: Record) -> Iterator[Instance]:
    message: Any = record.raw.get("errorMessage")
    text = message[:4096] if isinstance(message, str) else ""
    for found in _ARN.finditer(text):
        yield from index.find_any(found["arn"], account=record.account)
    for found in _NAMED.finditer(text):
        if type := _IAM_TYPES.get(found["kind"] or ""):
            yield from index.find(type, "name", found["name"], account=record.account)
