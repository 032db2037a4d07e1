"""Which drift a command shows: by time, person, resource type and severity."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tfdrift_core.config import ConfigError, Source
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.output.alert import AlertError, last_rule, number, priority_of, rank
from tfdrift_core.output.fields import Value, values
from tfdrift_core.output.sink import Sink
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.location import locate

_NAMES = (
    "drift.user",
    "drift.user.role",
    "drift.user.session",
    "drift.user.verified",
    "drift.user.arn",
    "drift.opened_by",
)
FIELDS = ("drift.time", "tf.type", *_NAMES)
"""What a choice asks of an event's values."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--since", default="", metavar="TIME", help="only calls from then on: 2026-01-31T08:00:00Z, or 12h, 7d ago")
    add("--until", default="", metavar="TIME", help="only calls before then")
    add(
        "--by",
        action="append",
        default=[],
        metavar="NAME",
        help="only calls of this user, role or ARN; * is any text",
    )
    add("--type", action="append", default=[], metavar="TYPE", help="only this resource type; aws_iam_* is possible")
    add(
        "--min-severity",
        default="debug",
        metavar="PRIORITY",
        help="only what is as severe: notice, warning, ...",
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Times are in nanoseconds since the epoch, None where there is no bound.  Names are patterns, in lower case.

    Everything is compared and tracked all the same: what is left out may be where a later drift began.
    """

    since: int | None = None
    until: int | None = None
    by: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    least: str = "Debug"

    @classmethod
    def of(cls, args: argparse.Namespace) -> "Choice":
        """:raises ConfigError: when a time or priority is none."""
        try:
            least = priority_of(args.min_severity)
        except AlertError as error:
            raise ConfigError(f"--min-severity: {error}") from None
        since, until = _moment("--since", args.since), _moment("--until", args.until)
        if since is not None and until is not None and since >= until:
            raise ConfigError("--since is not before --until")
        return cls(since, until, tuple(name.lower() for name in args.by), tuple(args.type), least)

    @property
    def is_all(self) -> bool:
        return self == Choice()

    def takes(self, values: Mapping[str, Value], severity: str) -> bool:
        """Whether to show it, by its fields.  What has no time is in every span: nothing is hidden by a bad time."""
        time = number(values.get("drift.time"))
        if time and ((self.since is not None and time < self.since) or (self.until is not None and time >= self.until)):
            return False
        kind = str(values.get("tf.type") or "")
        return (
            rank(severity) <= rank(self.least)
            and (not self.types or any(fnmatchcase(kind, pattern) for pattern in self.types))
            and (not self.by or self._by(values))
        )

    def _by(self, values: Mapping[str, Value]) -> bool:
        names = [str(values[name]).lower() for name in _NAMES if values.get(name)]
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.by)


class ChosenSink:
    """Hands on what is chosen, and counts what comes of it.  An event is as severe as the last rule that catches it."""

    def __init__(self, sink: Sink, choice: Choice) -> None:
        self._sink, self._choice = sink, choice
        self._count = 0
        self.shown = 0

    def put(self, event: DriftEvent) -> bool:
        self._count += 1
        if not self._choice.is_all and not self._choice.takes(values(event), last_rule(event.kind)[1]):
            return True
        self.shown += 1
        return self._sink.put(event)

    def handed_over(self) -> int:
        return self._count


def _moment(option: str, text: str) -> int | None:
    if not text:
        return None
    try:
        found = locate(Source("lookup://", {"start": text})).options.moment("start")
    except SourceError as error:
        raise ConfigError(str(error).replace("lookup://: start", option)) from None
    return None if found is None else int(found * 1e9)
