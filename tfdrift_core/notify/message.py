"""What a notification says: a title and a Markdown body for one alert or a burst of them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tfdrift_core.output.alert import PRIORITIES, Alert
from tfdrift_core.text import one_line

MAX_VALUE = 300
"""Characters of a value that a message shows."""

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
        title = f"{worst.priority}: {_plain(worst.rule)}: {_plain(worst.resource)}{_workspace(worst)}"
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
        f"**{alert.priority}: {_plain(alert.rule)}**",
        f"Resource: {_code(alert.resource)}" + (f" ({_plain(place)})" if place else ""),
        *_state(alert),
        *_change(alert),
        _who(alert),
    ]
    if hint := alert.text("drift.hint"):
        lines.append(_code(hint, 1000))
    if link := alert.text("drift.link"):
        lines.append(f"CloudTrail: {_plain(link)}")
    return "\n\n".join(lines)


def _workspace(alert: Alert) -> str:
    return f" (workspace {_plain(alert.workspace)})" if alert.workspace else ""


def _state(alert: Alert) -> list[str]:
    state = alert.text("tf.state")
    return [f"State: {_code(state)}{_workspace(alert)}"] if state else []


def _change(alert: Alert) -> list[str]:
    kind = alert.text("drift.kind")
    if kind == "deleted":
        return ["Change: deleted"]
    if kind == "unmanaged":
        return [f"Change: created outside Terraform ({_plain(alert.text('tf.type'))})"]
    path = alert.text("drift.path") or alert.text("drift.attribute")
    if not path:
        return ["Change: unknown; see the call"]
    if change := alert.text("drift.change"):
        return [f"Change: {_code(path)}: {_code(change)}"]
    added, removed = alert.text("drift.added"), alert.text("drift.removed")
    if added or removed:
        sides = [f"{sign} {_code(value)}" for sign, value in (("+", added), ("-", removed)) if value]
        return [f"Change: {_code(path)}: {' '.join(sides)}"]
    old, new = (_code(alert.text(f"drift.{side}_value") or "(none)") for side in ("old", "new"))
    return [f"Change: {_code(path)}: {old} → {new}"]


def _who(alert: Alert) -> str:
    user = alert.text("drift.user") or alert.text("user") or "somebody"
    details = [
        _plain(alert.text("drift.user.type")),
        "console" if alert.text("drift.console") == "true" else "",
        "no MFA" if alert.text("drift.mfa") == "false" else "",
    ]
    where = f" from {_plain(alert.text('drift.srcip'))}" if alert.text("drift.srcip") else ""
    call = f" with {_plain(alert.text('ct.name'))}" if alert.text("ct.name") else ""
    inside = ", ".join(filter(None, details))
    when = alert.when.strftime("%Y-%m-%d %H:%M:%S UTC") if alert.when else alert.time
    return f"Who: {_code(user)}{f' ({inside})' if inside else ''}{where}{call} at {_plain(when)}"


_MARKUP = re.compile(r"[<>`*|~\[\]]|&(?=#?\w+;)")
_IN_CODE = re.compile(r"[<>`]|&(?=#?\w+;)")
# A mention is one without brackets, too: @here.  An address (a@b) is none.
_MENTION = re.compile(r"(?<!\w)@(?=\w)")


def _plain(text: str) -> str:
    """Text of others between ours: no mark-up, links or mentions, in Markdown, Slack's dialect or HTML."""
    return _MENTION.sub("@ ", _MARKUP.sub("'", _cut(text, MAX_VALUE)))


def _code(text: str, limit: int = MAX_VALUE) -> str:
    """Text of others as a code span, where Markdown means nothing.

    Some services look for mentions and links even there, and for brackets that are written as ``&lt;``.
    """
    text = _IN_CODE.sub("'", _cut(text, limit)).replace("](", "] (")
    return f"`{_MENTION.sub('@ ', text)}`"


def _cut(text: str, limit: int) -> str:
    # What is cut off is not looked at: a value may have megabytes.
    line = one_line(text[: limit + 1])
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
