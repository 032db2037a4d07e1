"""What the user expects: rules over who, what, where and when, read from ``expected`` of the configuration."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tfdrift_core.config import ConfigError
from tfdrift_core.drift.classify.globs import Globs
from tfdrift_core.drift.classify.identity import Identity
from tfdrift_core.drift.event import Resource
from tfdrift_core.records.record import Record

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT = timedelta(days=1)
_KEYS = re.compile(r"\[(?:\d+|\"(?:[^\"\\]|\\.)*\")\]")


@dataclass(frozen=True, slots=True)
class Change:
    """One drifted attribute, as far as a rule may ask for it.  ``tags`` are the resource's before the change."""

    resource: Resource
    attribute: str = ""
    path: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """When a rule applies: every day in ``days`` from ``start`` up to ``end``, or once between two moments.

    Times of day are wall-clock times in ``zone``.  A daily window whose end is not after its start reaches into the
    next day, and belongs to the day on which it started.
    """

    zone: tzinfo
    days: frozenset[int] = frozenset(range(7))
    start: timedelta = timedelta()
    end: timedelta = _MIDNIGHT
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether an aware moment lies in the window; its end does not."""
        if (self.since and moment < self.since) or (self.until and moment >= self.until):
            return False
        local = moment.astimezone(self.zone)
        clock = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
        today = local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        return (today in self.days and clock >= self.start) or ((today - 1) % 7 in self.days and clock < self.end)


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of ``expected.rules``: every condition that is set has to hold."""

    reason: str
    identity: Globs | None = None
    event: Globs | None = None
    invoked_by: Globs | None = None
    agent: Globs | None = None
    account: frozenset[str] = frozenset()
    region: Globs | None = None
    resource: Globs | None = None
    attribute: Globs | None = None
    tag: Mapping[str, Globs] = field(default_factory=dict)
    time: tuple[Window, ...] = ()

    @property
    def needs_change(self) -> bool:
        return bool(self.resource or self.attribute or self.tag)

    def fits_record(self, record: Record, identity: Identity) -> bool:
        return (
            (self.identity is None or identity.matches(self.identity))
            and (self.event is None or self.event.match(*event_names(record)))
            and (self.invoked_by is None or self.invoked_by.match(identity.invoked_by))
            and (self.agent is None or self.agent.match(record.user_agent))
            and (not self.account or record.account in self.account)
            and (self.region is None or self.region.match(record.region))
            and (not self.time or within(self.time, record.time))
        )

    def fits_change(self, change: Change) -> bool:
        resource = change.resource
        return (
            (
                self.resource is None
                or self.resource.match(
                    resource.address, _without_keys(resource.address), resource.type, resource.id, resource.arn
                )
            )
            and (self.attribute is None or self.attribute.match(change.attribute, change.path))
            and all(key in change.tags and globs.match_any(change.tags[key]) for key, globs in self.tag.items())
        )


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the user expects: the ``expected`` object of the configuration, checked and compiled."""

    terraform: bool = True
    terraform_identities: Globs | None = None
    terraform_agents: Globs | None = None
    auto_scaling: bool = True
    aws_services: bool = True
    rules: tuple[Rule, ...] = ()

    @property
    def ask_for_changes(self) -> bool:
        """Whether a rule has to know what changed, and in which resource."""
        return any(rule.needs_change for rule in self.rules)

    @classmethod
    def parse(cls, mapping: Mapping[str, Any] | None) -> "Expectations":
        """Check and compile ``expected``.

        :raises ConfigError: with one line for each fault.
        """
        reader = _Reader()
        where = "init_config.expected"
        values = reader.members(where, mapping, ("terraform", "auto_scaling", "aws_services", "rules"))
        terraform = values.get("terraform", True)
        bound: Mapping[str, Any] = {}
        if not isinstance(terraform, bool):
            bound = reader.members(f"{where}.terraform", terraform, ("identities", "agents"))
        rules = reader.items(f"{where}.rules", values.get("rules", []))
        found = cls(
            terraform=terraform is not False,
            terraform_identities=reader.globs(f"{where}.terraform", bound, "identities"),
            terraform_agents=reader.globs(f"{where}.terraform", bound, "agents"),
            auto_scaling=reader.flag(where, values, "auto_scaling"),
            aws_services=reader.flag(where, values, "aws_services"),
            rules=tuple(reader.rule(f"{where}.rules[{n}]", rule) for n, rule in enumerate(rules)),
        )
        if reader.faults:
            raise ConfigError("\n".join(reader.faults))
        return found


def event_names(record: Record) -> tuple[str, ...]:
    names = (record.operation.lower(), record.event_name.lower())
    return (*names, *(f"{record.service}:{name}".lower() for name in names))


def within(windows: Iterable[Window], nanoseconds: int) -> bool:
    if not nanoseconds:
        return False
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return any(window.holds(moment) for window in windows)


def _without_keys(address: str) -> str:
    """``aws_instance.app`` means every instance of it, as Terraform's own ``-target`` does."""
    return _KEYS.sub("", address)


class _Reader:
    """Reads ``expected`` and collects every fault instead of stopping at the first."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, where: str, text: str) -> None:
        self.faults.append(f"{where}: {text}")

    def members(self, where: str, value: Any, known: Sequence[str]) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.fault(where, f"{value!r} is not allowed here; write a map with {', '.join(known)}")
            return {}
        for key in value:
            if key not in known:
                self.fault(f"{where}.{key}", f"unknown key; known here: {', '.join(known)}")
        return value

    def items(self, where: str, value: Any) -> Sequence[Any]:
        if value is None:
            return []
        if not isinstance(value, (list, tuple)):
            self.fault(where, f"{value!r} is not allowed here; write a list")
            return []
        return value

    def flag(self, where: str, values: Mapping[str, Any], key: str) -> bool:
        value = values.get(key, True)
        if isinstance(value, bool):
            return value
        self.fault(f"{where}.{key}", f"{value!r} is not allowed here; write true or false")
        return True

    def texts(self, where: str, values: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """A text or a non-empty list of texts; () where the key is not there."""
        if key not in values:
            return ()
        value = values[key]
        listed = list(value) if isinstance(value, (list, tuple)) else [value]
        if not listed or not all(isinstance(item, str) and item for item in listed):
            # An empty list read as "no restriction" would silently expect everything.
            self.fault(f"{where}.{key}", f"{value!r} is not allowed here; write a text or a list of texts")
            return ()
        return tuple(listed)

    def globs(self, where: str, values: Mapping[str, Any], key: str, lower: bool = False) -> Globs | None:
        texts = self.texts(where, values, key)
        return Globs.of(text.lower() if lower else text for text in texts) if texts else None

    def rule(self, where: str, value: Any) -> Rule:
        known = tuple(part.name for part in fields(Rule))
        if not isinstance(value, Mapping):
            self.fault(where, f"{value!r} is not allowed here; write a map with {', '.join(known)}")
            return Rule("")
        values = self.members(where, value, known)
        reason = values.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            self.fault(where, "reason is missing; say why the change is expected, it is shown with the change")
        if not any(key in values for key in known[1:]):
            self.fault(where, f"would expect every change; add at least one of {', '.join(known[1:])}")
        return Rule(
            reason=str(reason),
            identity=self.globs(where, values, "identity"),
            event=self.globs(where, values, "event", lower=True),
            invoked_by=self.globs(where, values, "invoked_by"),
            agent=self.globs(where, values, "agent"),
            account=frozenset(self.texts(where, values, "account")),
            region=self.globs(where, values, "region"),
            resource=self.globs(where, values, "resource"),
            attribute=self.globs(where, values, "attribute"),
            tag=self.tags(where, values),
            time=self.windows(f"{where}.time", values.get("time")) if "time" in values else (),
        )

    def tags(self, where: str, values: Mapping[str, Any]) -> Mapping[str, Globs]:
        value = values.get("tag")
        if isinstance(value, Mapping):
            pairs = {key: self.globs(f"{where}.tag", value, key) for key in value}
            if not pairs:
                self.fault(f"{where}.tag", "is empty; write Name: value, or remove it")
            return {key: globs for key, globs in pairs.items() if globs}
        found: dict[str, Globs] = {}
        for text in self.texts(where, values, "tag"):
            key, equals, wanted = text.partition("=")
            found[key] = Globs.of([wanted if equals else "*"])
        return found

    def windows(self, where: str, value: Any) -> tuple[Window, ...]:
        listed = value if isinstance(value, (list, tuple)) else [value]
        if not listed or not all(isinstance(item, Mapping) and item for item in listed):
            self.fault(where, f"{value!r} is not allowed here; write a map with from, to, days or timezone")
            return ()
        return tuple(self.window(f"{where}[{n}]" if listed is value else where, item) for n, item in enumerate(listed))

    def window(self, where: str, value: Mapping[str, Any]) -> Window:
        values = self.members(where, value, ("from", "to", "days", "timezone"))
        zone = self.zone(where, values.get("timezone", "UTC"))
        days = self.days(where, values)
        start, since = self.moment(f"{where}.from", values.get("from"), zone)
        end, until = self.moment(f"{where}.to", values.get("to"), zone)
        if not {"from", "to", "days"} & values.keys():
            self.fault(where, "says no time; write from and to, or days")
        if (start is not None and until) or (since and end is not None):
            self.fault(where, "from and to have to be both times of day or both dates")
        if since and until and until <= since:
            self.fault(
                where, f"to ({values['to']}) is not after from ({values['from']}); nothing would ever be expected"
            )
        return Window(
            zone,
            days,
            start if start is not None else timedelta(),
            end if end is not None else _MIDNIGHT,
            since,
            until,
        )

    def zone(self, where: str, name: Any) -> tzinfo:
        if name == "UTC":
            return UTC
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            self.fault(f"{where}.timezone", f"{name!r} is not a time zone; write a name such as Europe/Berlin, or UTC")
            return UTC

    def days(self, where: str, values: Mapping[str, Any]) -> frozenset[int]:
        found: set[int] = set()
        for text in self.texts(where, values, "days"):
            first, dash, last = (part.strip().lower()[:3] for part in text.partition("-"))
            if first not in _DAYS or (dash and last not in _DAYS):
                self.fault(
                    f"{where}.days", f"{text!r} is not a day; write mon, tue, wed, thu, fri, sat, sun or mon-fri"
                )
                continue
            start, end = _DAYS.index(first), _DAYS.index(last if dash else first)
            found.update((start + n) % 7 for n in range((end - start) % 7 + 1))
        return frozenset(found) or frozenset(range(7))

    def moment(self, where: str, value: Any, zone: tzinfo) -> tuple[timedelta | None, datetime | None]:
        """A time of day, or a moment; YAML reads an unquoted 22:30 as 1350."""
        if value is None:
            return None, None
        if str(value).isascii() and str(value).isdigit() and int(value) <= 1440:
            return timedelta(minutes=int(value)), None
        text = value.isoformat() if isinstance(value, date) else value
        if isinstance(text, str):
            if text in ("24:00", "24:00:00"):
                return _MIDNIGHT, None
            try:
                clock = time.fromisoformat(text) if ":" in text[:3] else None
                if clock is not None and clock.tzinfo is None:
                    return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second), None
                if clock is None:
                    found = datetime.fromisoformat(text)
                    return None, found if found.tzinfo else found.replace(tzinfo=zone)
            except ValueError:
                pass
        self.fault(where, f"{value!r} is neither a time of day (22:30) nor a moment (2026-05-01T22:30)")
        return None, None
