"""Drift in a few lines that a person reads, from its fields: the same in a replay and beside Falco's rules."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.text import Text

from tfdrift_core.output.alert import number
from tfdrift_core.output.fields import Value
from tfdrift_core.text import one_line

FIELDS = (
    "cloud.resource.id",
    "ct.name",
    "ct.recipientaccountid",
    "ct.region",
    "ct.user.accountid",
    "drift.added",
    "drift.confidence",
    "drift.duration",
    "drift.kind",
    "drift.new_value",
    "drift.old_value",
    "drift.opened",
    "drift.opened_by",
    "drift.path",
    "drift.reason",
    "drift.removed",
    "drift.resolution",
    "drift.srcip",
    "drift.time",
    "drift.user",
    "tf.address",
    "tf.file",
    "tf.line",
    "tf.state",
    "tf.type",
    "tf.workspace",
)
"""What is asked of the values."""

_STYLES = {
    "deleted": "bold red",
    "unmanaged": "magenta",
    "modified": "yellow",
    "expected": "dim",
    "resolved": "green",
    "open": "yellow",
    "attempted": "cyan",
}
_SEVERE = {"Emergency": "bold red", "Alert": "bold red", "Critical": "bold red", "Error": "red", "Warning": "yellow"}


def readable(values: Mapping[str, Value], rule: str = "", severity: str = "") -> Text:
    """An event by its field values (times in nanoseconds), with the rule that it matched, if any."""
    text = Text()

    def add(ours: str, theirs: str = "", style: str = "") -> None:
        """Our own text and layout, and behind it what a record or a state says, which may hold anything."""
        text.append(ours + one_line(theirs), style=style)

    def say(name: str) -> str:
        value = values.get(name)
        return "" if value is None else str(value)

    kind, resolution = say("drift.kind"), say("drift.resolution")
    add(_time(_moment(values)))
    text.append("  ")
    add("", f"{kind:<9}", _STYLES.get(kind, ""))
    add("  ", say("tf.address") or say("tf.type") or "unknown type", "bold")
    if say("cloud.resource.id"):
        add("  ", say("cloud.resource.id"), "dim")
    if rule:
        add("\n    ")
        add("", severity, _SEVERE.get(severity, ""))
        add("  ", rule)
    if say("tf.state"):
        workspace = "" if say("tf.workspace") in ("", "default") else f" (workspace {say('tf.workspace')})"
        add("\n    in ", f"{say('tf.state')}{workspace}", "dim")
    if say("drift.path"):
        add("\n    ", say("drift.path"))
        add(": ")
        add("", _shorten(say("drift.old_value"), "(unset)"), "red")
        add(" → ")
        add("", _shorten(say("drift.new_value"), "(unset)"), "green")
    for sign, name, style in (("-", "drift.removed", "red"), ("+", "drift.added", "green")):
        elements = values.get(name)
        for element in elements if isinstance(elements, list | tuple) else ():
            add(f"\n      {sign} ", _shorten(element, ""), style)
    if resolution:
        since = _time(number(values.get("drift.opened")) or 0)
        opener = say("drift.opened_by") or "unknown"
        add("\n    ", f"{resolution}: {say('drift.reason')}; open since {since} by {opener}", "green")
    if say("ct.name"):
        account = say("ct.recipientaccountid") or say("ct.user.accountid")
        place = " ".join(part for part in (account, say("ct.region")) if part)
        add("\n    by ", f"{say('drift.user') or 'unknown'} with {say('ct.name')}", "cyan")
        add(" from ", f"{say('drift.srcip') or 'unknown address'} in {place}", "dim")
    if say("drift.confidence") == "inferred" or kind == "expected":
        add("\n    ", f"{say('drift.confidence')}: {say('drift.reason')}", "dim")
    if say("tf.file"):
        add("\n    ", f"{say('tf.file')}:{say('tf.line')}", "dim")
    return text


def _moment(values: Mapping[str, Value]) -> int:
    """When the call was made, or the version of a state was seen that ended the drift; 0 where nobody knows."""
    opened, lasted = number(values.get("drift.opened")), number(values.get("drift.duration"))
    if values.get("drift.time") is None and values.get("drift.resolution") and opened and lasted is not None:
        return opened + lasted
    return number(values.get("drift.time")) or 0


def _time(nanoseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return "no time"
    return moment.strftime("%Y-%m-%d %H:%M:%S") if nanoseconds else "no time"


def _shorten(value: str, absent: str, length: int = 300) -> str:
    if value == "":
        return absent
    return value if len(value) <= length else f"{value[:length]}… ({len(value)} characters)"
