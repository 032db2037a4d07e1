"""What a notification says: a title and a Markdown body for one alert or a burst of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tfdrift_core.output.alert import PRIORITIES, Alert
from tfdrift_core.output.markdown import code, plain
from tfdrift_core.text import counted

MAX_ALERTS = 20
"""Alerts of a burst that a message spells out, the most severe first."""

_LEVELS = {"Emergency": "failure", "Alert": "failure", "Critical": "failure", "Error": "failure", "Warning": "warning"}


@dataclass(frozen=True, slots=True)
class Message:
    """``level`` is one of Apprise's notification types: ``failure``, ``warning``, ``info`` or ``success``."""

    title: str
    body: str
    level: str


def compose(alerts: Sequence[Alert]) -> Message:
    """One message for one or more alerts."""
    ordered = sorted(alerts, key=lambda alert: (alert.kind == "resolved", alert.rank, alert.time))
    worst = ordered[0]
    title = f"{_heading(worst)}: {plain(worst.resource)}{_workspace(worst)}" if len(ordered) == 1 else _count(ordered)
    blocks = [_block(alert) for alert in ordered[:MAX_ALERTS]]
    if len(ordered) > MAX_ALERTS:
        blocks.append(f"… and {len(ordered) - MAX_ALERTS} more.")
    level = "success" if worst.kind == "resolved" else _LEVELS.get(worst.priority, "info")
    return Message(title, "\n\n".join(blocks), level)


def _heading(alert: Alert) -> str:
    if alert.kind == "resolved":
        return "Ended"
    still = "Still open, " if alert.kind == "open" else ""
    return f"{still}{alert.priority}: {plain(alert.rule)}"


def _count(alerts: Sequence[Alert]) -> str:
    """What a burst holds: what is new by priority, what is told again, and what is over."""
    kinds = Counter(alert.kind if alert.kind in _APART else "new" for alert in alerts)
    counts = Counter(alert.priority for alert in alerts if alert.kind not in _APART)
    priorities = ", ".join(f"{counts[name]} {name}" for name in PRIORITIES if counts[name])
    texts = {"new": f"{counted(kinds['new'], 'change')} outside Terraform ({priorities})"}
    texts |= {kind: f"{kinds[kind]} {text}" for kind, text in _APART.items()}
    return ", ".join(text for kind, text in texts.items() if kinds[kind])


_APART = {"open": "still open", "attempted": "denied", "resolved": "ended"}


def _block(alert: Alert) -> str:
    place = ", ".join(filter(None, (alert.text("cloud.account"), alert.text("cloud.region"))))
    lines = [
        f"**{_heading(alert)}**",
        f"Resource: {code(alert.resource)}" + (f" ({plain(place)})" if place else ""),
        *_state(alert),
        *_change(alert),
        *(_end(alert) if alert.kind == "resolved" else _opened(alert)),
    ]
    if alert.kind != "resolved" and (hint := alert.text("drift.hint")):
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
    kind = alert.kind
    if kind == "deleted":
        return ["Change: deleted"]
    if kind == "unmanaged":
        return [f"Change: created outside Terraform ({plain(alert.text('tf.type'))})"]
    what = "Tried" if kind == "attempted" else "Change"
    path = alert.text("drift.path") or alert.text("drift.attribute")
    if not path:
        reason = plain(alert.text("drift.reason")) if kind == "attempted" else ""
        return [f"{what}: {reason or 'unknown; see the call'}"]
    if change := alert.text("drift.change"):
        return [f"{what}: {code(path)}: {code(change)}"]
    added, removed = alert.text("drift.added"), alert.text("drift.removed")
    if added or removed:
        sides = [f"{sign} {code(value)}" for sign, value in (("+", added), ("-", removed)) if value]
        return [f"{what}: {code(path)}: {' '.join(sides)}"]
    old, new = (code(alert.text(f"drift.{side}_value") or "(none)") for side in ("old", "new"))
    return [f"{what}: {code(path)}: {old} → {new}"]


_ENDS = {
    "reverted": "put back by another call",
    "applied": "put back by Terraform",
    "adopted": "taken over into the state",
    "removed": "gone with its resource",
    "gone": "gone, as Terraform sees it",
}


def _end(alert: Alert) -> list[str]:
    """How the drift ended, after how long, whose it was, and who ended it where a call did."""
    resolution = alert.text("drift.resolution")
    how = _ENDS.get(resolution, plain(resolution) or "unknown")
    after = f" after {alert.duration}" if alert.duration else ""
    opener = alert.text("drift.opened_by")
    lines = [f"Ended: {how}{after}" + (f"; opened by {code(opener)}" if opener else "")]
    return [*lines, _who(alert)] if alert.text("ct.name") else lines


def _opened(alert: Alert) -> list[str]:
    return [_who(alert), *([f"Open for: {alert.duration}"] if alert.kind == "open" and alert.duration else [])]


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
