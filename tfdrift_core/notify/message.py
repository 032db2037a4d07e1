"""What a notification says: a title and a Markdown body for one alert or a burst of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tfdrift_core.output.alert import PRIORITIES, Alert
from tfdrift_core.output.markdown import code, plain

MAX_ALERTS = 20
"""Alerts of a burst that a message spells out, the most severe first."""

_LEVELS = {"Emergency": "failure", "Alert": "failure", "Critical": "failure", "Error": "failure", "Warning": "warning"}


@dataclass(frozen=True, slots=True)
class Message:
    """``level`` is one of Apprise's notification types: ``failure``, ``warning`` or ``info``."""

    title: str
    body: str
    level: str


def compose(alerts: Sequence[Alert]) -> Message:
    """One message for one or more alerts."""
    ordered = sorted(alerts, key=lambda alert: (alert.rank, alert.time))
    worst = ordered[0]
    if len(ordered) == 1:
        title = f"{worst.priority}: {plain(worst.rule)}: {plain(worst.resource)}{_workspace(worst)}"
    else:
        counts = Counter(alert.priority for alert in ordered)
        parts = (f"{counts[name]} {name}" for name in PRIORITIES if counts[name])
        title = f"{len(ordered)} changes outside Terraform ({', '.join(parts)})"
    blocks = [_block(alert) for alert in ordered[:MAX_ALERTS]]
    if len(ordered) > MAX_ALERTS:
        blocks.append(f"… and {len(ordered) - MAX_ALERTS} more.")
    return Message(title, "\n\n".join(blocks), _LEVELS.get(worst.priority, "info"))


def _block(alert: Alert) -> str:
    place = ", ".join(filter(None, (alert.text("cloud.account"), alert.text("cloud.region"))))
    lines = [
        f"**{alert.priority}: {plain(alert.rule)}**",
        f"Resource: {code(alert.resource)}" + (f" ({plain(place)})" if place else ""),
        *_state(alert),
        *_change(alert),
        _who(alert),
    ]
    if hint := alert.text("drift.hint"):
        lines.append(code(hint, 1000))
    if link := alert.text("drift.link"):
        lines.append(f"CloudTrail: {plain(link)}")
    return "\n\n".join(lines)


def _workspace(alert: Alert) -> str:
    return f" (workspace {plain(alert.workspace)})" if alert.workspace else ""


def _state(alert: Alert) -> list[str]:
    state = alert.text("tf.state")
    return [f"State: {code(state)}{_workspace(alert)}"] if state else []


def _change(alert: Alert) -> list[str]:
    kind = alert.text("drift.kind")
    if kind == "deleted":
        return ["Change: deleted"]
    if kind == "unmanaged":
        return [f"Change: created outside Terraform ({plain(alert.text('tf.type'))})"]
    path = alert.text("drift.path") or alert.text("drift.attribute")
    if not path:
        return ["Change: unknown; see the call"]
    if change := alert.text("drift.change"):
        return [f"Change: {code(path)}: {code(change)}"]
    added, removed = alert.text("drift.added"), alert.text("drift.removed")
    if added or removed:
        sides = [f"{sign} {code(value)}" for sign, value in (("+", added), ("-", removed)) if value]
        return [f"Change: {code(path)}: {' '.join(sides)}"]
    old, new = (code(alert.text(f"drift.{side}_value") or "(none)") for side in ("old", "new"))
    return [f"Change: {code(path)}: {old} → {new}"]


def _who(alert: Alert) -> str:
    user = alert.text("drift.user") or alert.text("user") or "somebody"
    details = [
        plain(alert.text("drift.user.type")),
        "console" if alert.text("drift.console") == "true" else "",
        "no MFA" if alert.text("drift.mfa") == "false" else "",
    ]
    where = f" from {plain(alert.text('drift.srcip'))}" if alert.text("drift.srcip") else ""
    call = f" with {plain(alert.text('ct.name'))}" if alert.text("ct.name") else ""
    inside = ", ".join(filter(None, details))
    when = alert.when.strftime("%Y-%m-%d %H:%M:%S UTC") if alert.when else alert.time
    return f"Who: {code(user)}{f' ({inside})' if inside else ''}{where}{call} at {plain(when)}"
