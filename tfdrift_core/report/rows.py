"""Alerts as rows: one per drift, with the columns that every form of the report shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tfdrift_core.output.alert import Alert


@dataclass(frozen=True, slots=True)
class Row:
    """One drift.  ``time`` is RFC 3339 in UTC; ``added`` and ``removed`` are elements; absent values are ""."""

    id: str
    time: str
    priority: str
    rule: str
    kind: str
    account: str
    region: str
    service: str
    type: str
    resource: str
    path: str
    old: str
    new: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
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
    tags: tuple[str, ...]


def rows(alerts: Iterable[Alert]) -> list[Row]:
    """One row for each drift, in the order of time; of alerts with one id the most severe counts."""
    by_id: dict[str, Alert] = {}
    for alert in alerts:
        kept = by_id.get(alert.id)
        if kept is None or alert.rank < kept.rank:
            by_id[alert.id] = alert
    return [
        _row(alert)
        for alert in sorted(by_id.values(), key=lambda a: (a.when or datetime.max.replace(tzinfo=UTC), a.id))
    ]


def _row(alert: Alert) -> Row:
    text = alert.text
    line = text("tf.line")
    return Row(
        id=alert.id,
        time=alert.when.strftime("%Y-%m-%dT%H:%M:%SZ") if alert.when else "",
        priority=alert.priority,
        rule=alert.rule,
        kind=text("drift.kind"),
        account=text("cloud.account"),
        region=text("cloud.region"),
        service=text("cloud.service"),
        type=text("tf.type"),
        resource=alert.resource,
        path=text("drift.path") or text("drift.attribute"),
        old=text("drift.old_value"),
        new=text("drift.new_value"),
        added=_elements(alert, "drift.added"),
        removed=_elements(alert, "drift.removed"),
        user=text("drift.user") or text("user"),
        user_type=text("drift.user.type"),
        role=text("drift.user.role"),
        source_ip=text("drift.srcip"),
        call=text("ct.name") or text("evt.name"),
        console=text("drift.console"),
        mfa=text("drift.mfa"),
        confidence=text("drift.confidence"),
        place=f"{text('tf.file')}:{line}" if line and text("tf.file") else text("tf.file"),
        hint=text("drift.hint"),
        link=text("drift.link"),
        tags=alert.tags,
    )


def _elements(alert: Alert, name: str) -> tuple[str, ...]:
    value = alert.fields.get(name)
    return tuple(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else ()
