"""Alerts as rows: one per drift, with the columns that every form of the report shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from tfdrift_core.drift.event import Kind
from tfdrift_core.drift.present import change
from tfdrift_core.drift.present.change import Part
from tfdrift_core.output.alert import PRIORITIES, Alert, number

_LAST = datetime.max.replace(tzinfo=UTC)


class Status(StrEnum):
    """What became of a drift; an open one has not been seen to end, an attempted one never was."""

    OPEN = "open"
    EXPECTED = "expected"
    RESOLVED = "resolved"
    ATTEMPTED = "attempted"


@dataclass(frozen=True, slots=True)
class Row:
    """One drift.  Times are RFC 3339 in UTC; ``added`` and ``removed`` are elements; absent values are ""."""

    id: str
    time: str
    priority: str
    rule: str
    kind: str
    status: Status
    account: str
    region: str
    service: str
    type: str
    resource: str
    state: str
    workspace: str
    path: str
    old: str
    new: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    change: str
    user: str
    user_type: str
    role: str
    source_ip: str
    call: str
    console: str
    mfa: str
    confidence: str
    place: str
    hint: str
    link: str
    ended: str
    duration: str
    resolution: str
    ended_by: str
    tags: tuple[str, ...]
    parts: tuple[Part, ...] = ()


def rows(alerts: Iterable[Alert]) -> list[Row]:
    """One row for each drift, in the order of time.

    Of alerts with one id the most severe counts.  What tells of a drift's end, or that it is still open, goes into the
    row of that drift; where the alert that opened it is missing, it makes a row of its own.
    """
    by_id: dict[str, Alert] = {}
    for alert in alerts:
        kept = by_id.get(alert.id)
        if kept is None or alert.rank < kept.rank:
            by_id[alert.id] = alert
    later: dict[str, Alert] = {}
    for alert in by_id.values():
        opened_by = alert.text("drift.opened_id")
        if opened_by and (opened_by not in later or _kind(alert) == Kind.RESOLVED):
            later[opened_by] = alert
    found = [
        (alert, later.get(alert.text("drift.opened_id") or alert.id))
        for alert in by_id.values()
        if not alert.text("drift.opened_id")
        or (alert.text("drift.opened_id") not in by_id and later[alert.text("drift.opened_id")] is alert)
    ]
    found.sort(key=lambda pair: (_opened(pair[0]) or _LAST, pair[0].id))
    return [_row(alert, last) for alert, last in found]


_STATUSES: Mapping[str, Status] = {Kind.EXPECTED: Status.EXPECTED, Kind.ATTEMPTED: Status.ATTEMPTED}


def by_urgency(found: Iterable[Row]) -> list[Row]:
    """What is open first, then the most severe, then the newest."""
    order = list(Status)
    newest = sorted(found, key=lambda row: row.time, reverse=True)
    return sorted(newest, key=lambda row: (order.index(row.status), PRIORITIES.index(row.priority)))


def _row(alert: Alert, last: Alert | None) -> Row:
    """``last`` tells of the drift's end, or reminds of it; it may be the alert itself."""
    text = alert.text
    line = text("tf.line")
    end = last if last is not None and _kind(last) == Kind.RESOLVED else None
    old, new = (_value(alert, f"drift.{side}_value") for side in ("old", "new"))
    added, removed = _elements(alert, "drift.added"), _elements(alert, "drift.removed")
    parts = change.parts(old, new, added, removed)
    return Row(
        id=alert.id,
        time=_text_of(_opened(alert)),
        priority=alert.priority,
        rule=alert.rule,
        kind=text("drift.kind"),
        status=Status.RESOLVED if end else _STATUSES.get(_kind(alert), Status.OPEN),
        account=text("cloud.account"),
        region=text("cloud.region"),
        service=text("cloud.service"),
        type=text("tf.type"),
        resource=alert.resource,
        state=text("tf.state"),
        workspace=text("tf.workspace"),
        path=text("drift.path") or text("drift.attribute"),
        old=old or "",
        new=new or "",
        added=added,
        removed=removed,
        change=text("drift.change") or change.in_words(parts, text("cloud.account")),
        user=text("drift.opened_by") or ("" if alert is end else text("drift.user") or text("user")),
        user_type="" if alert is end else text("drift.user.type"),
        role="" if alert is end else text("drift.user.role"),
        source_ip="" if alert is end else text("drift.srcip"),
        call="" if alert is end else text("ct.name") or text("evt.name"),
        console="" if alert is end else text("drift.console"),
        mfa="" if alert is end else text("drift.mfa"),
        confidence=text("drift.confidence"),
        place=f"{text('tf.file')}:{line}" if line and text("tf.file") else text("tf.file"),
        hint="" if end else text("drift.hint"),
        link=text("drift.link"),
        ended=_text_of(end.when) if end else "",
        duration=last.duration if last else "",
        resolution=end.text("drift.resolution") if end else "",
        ended_by=end.text("drift.user") if end else "",
        tags=alert.tags,
        parts=parts,
    )


def _kind(alert: Alert) -> str:
    return alert.text("drift.kind")


def _opened(alert: Alert) -> datetime | None:
    """When the drift began: for the alert of its end, what that says of it."""
    nanoseconds = number(alert.fields.get("drift.opened"))
    if nanoseconds is None:
        return alert.when
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return alert.when


def _text_of(time: datetime | None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""


def _value(alert: Alert, name: str) -> str | None:
    return alert.text(name) if name in alert.fields else None


def _elements(alert: Alert, name: str) -> tuple[str, ...]:
    value = alert.fields.get(name)
    return tuple(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else ()
