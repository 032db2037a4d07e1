"""The alert that Falco prints as one JSON line, for whoever reads alerts: notifications and reports."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

PRIORITIES = ("Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug")
"""Falco's priorities, the most severe first."""


LAST_RULES = {
    "modified": ("Managed resource changed", "Warning"),
    "deleted": ("Managed resource deleted", "Error"),
    "unmanaged": ("Resource created outside Terraform", "Notice"),
    "expected": ("Expected change", "Informational"),
    "open": ("Drift is still open", "Warning"),
    "resolved": ("Drift has ended", "Notice"),
    "attempted": ("Change was denied", "Notice"),
}
"""The rule that catches what no other rule does, and its priority, by kind of drift."""


def last_rule(kind: str) -> tuple[str, str]:
    """The rule that a replay's line of this kind gets, and its priority."""
    return LAST_RULES[kind]


def rank(priority: str) -> int:
    """The place in ``PRIORITIES``: the smaller, the more severe."""
    return PRIORITIES.index(priority)


class AlertError(ValueError):
    """A line is not an alert.  The message says why."""


def priority_of(text: str) -> str:
    """The name of a priority as Falco prints it, from any case; ``info`` stands for ``Informational``, as in Falco."""
    wanted = text.strip().lower()
    for name in PRIORITIES:
        if name.lower() == wanted or (wanted == "info" and name == "Informational"):
            return name
    raise AlertError(f"{text!r} is not a priority; use one of {', '.join(PRIORITIES).lower()}")


@dataclass(frozen=True)
class Alert:
    """One alert.  ``fields`` are Falco's ``output_fields``, without those that were absent."""

    rule: str
    priority: str
    time: str
    output: str
    fields: Mapping[str, Any]
    tags: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """A field as text, "" where it is absent; a list is joined with commas."""
        value = self.fields.get(name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return ", ".join(map(str, value))
        return str(value)

    @cached_property
    def id(self) -> str:
        """The drift's id, which is the same for a replayed record; without one, a digest of the alert."""
        return self.text("drift.id") or hashlib.sha256(f"{self.time}\0{self.output}".encode()).hexdigest()[:32]

    @property
    def kind(self) -> str:
        return self.text("drift.kind")

    @property
    def told(self) -> str:
        """The id of the alert that told of the drift first: another one's for an end or a reminder."""
        return self.text("drift.opened_id") or self.id

    @property
    def duration(self) -> str:
        """How long the drift was open: ``2 d 3 h``, ``5 min`` or ``40 s``; "" if nothing says so."""
        nanoseconds = number(self.fields.get("drift.duration"))
        if nanoseconds is None:
            return ""
        seconds = nanoseconds // 1_000_000_000
        units = []
        for name, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
            count, seconds = divmod(seconds, size)
            if count:
                units.append(f"{count} {name}")
        return " ".join(units[:2]) or "0 s"

    @property
    def rank(self) -> int:
        return rank(self.priority)

    @property
    def resource(self) -> str:
        return self.text("drift.resource") or self.text("tf.address") or self.text("cloud.resource.id")

    @property
    def workspace(self) -> str:
        """The workspace of the resource's state, "" for the default one."""
        name = self.text("tf.workspace")
        return "" if name == "default" else name

    @cached_property
    def when(self) -> datetime | None:
        """When the change was made: the record's time, else the alert's."""
        for text in (self.text("ct.time"), self.time):
            try:
                moment = datetime.fromisoformat(text)
                return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
            except (ValueError, OverflowError):  # no time, or one before the first year
                continue
        return None


def number(value: object) -> int | None:
    """A time or duration as Falco's JSON has it: a number, or its digits."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    digits = str(value)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None


def parse(line: str | bytes) -> Alert:
    """The alert of one line of Falco's JSON output, or of ``tfdrift replay --json``.  Raises ``AlertError``.

    A line of a replay holds fields only: it gets the rule and the priority of the last rule that would catch it.
    """
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise AlertError(f"not JSON: {error}; set json_output: true in falco.yaml") from error
    if not isinstance(raw, dict):
        raise AlertError("not an alert of Falco: not an object")
    last = LAST_RULES.get(str(raw.get("drift.kind")))
    if last is not None:
        rule, priority = last
        fields, time, output = raw, str(raw.get("ct.time", "")), f"{rule} ({raw.get('drift.resource', '')})"
    elif isinstance(raw.get("rule"), str):
        rule, priority = raw["rule"], priority_of(str(raw.get("priority", "")))
        found = raw.get("output_fields")
        fields = found if isinstance(found, dict) else {}
        time, output = str(raw.get("time", "")), str(raw.get("output", ""))
    else:
        raise AlertError("not an alert of Falco: it has no rule")
    tags = raw.get("tags")
    return Alert(
        rule,
        priority,
        time,
        output,
        {name: value for name, value in fields.items() if value is not None},
        tuple(map(str, tags)) if isinstance(tags, list) else (),
    )
