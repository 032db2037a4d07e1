"""Parses what a user writes to name a source."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from tfdrift_core.config import Aws, Config, ConfigError, check_role, duration
from tfdrift_core.config import Source as Entry
from tfdrift_core.sources.base import SourceError, Span

POSSIBLE: Final = "a path, a directory, a pattern, - (standard input), file://, sqs://, s3:// or lookup://"

_AWS_OPTIONS = frozenset({"profile", "region", "role_arn", "external_id", "session_name", "endpoint_url"})
_SCOPE = frozenset({"accounts", "regions"})
_RANGE = frozenset({"start", "end", "follow"})
_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"follow"}),
    "file": frozenset({"follow"}),
    "sqs": _AWS_OPTIONS | _SCOPE | {"visibility", "receivers", "buckets"},
    "s3": _AWS_OPTIONS | _SCOPE | _RANGE | {"interval", "overlap"},
    "lookup": _AWS_OPTIONS | _SCOPE | _RANGE | {"interval", "overlap"},
}


class Options:
    """Options as they were written, in a URL or in YAML.  What cannot be read raises ``SourceError``."""

    def __init__(self, url: str, values: Mapping[str, Any]) -> None:
        self._url, self._values = url, values

    def flag(self, name: str, default: bool) -> bool:
        value = self._values.get(name, default)
        words = {"true": True, "1": True, "yes": True, "": True, "false": False, "0": False, "no": False}
        found = value if isinstance(value, bool) else words.get(str(value).lower())
        if found is None:
            raise SourceError(f"{self._url}: {name} is {value!r}; write true or false")
        return found

    def seconds(self, name: str, default: float) -> float:
        try:
            return duration(self._values[name]) if name in self._values else default
        except ConfigError as error:
            raise SourceError(f"{self._url}: {name}: {error}") from None

    def number(self, name: str, default: int) -> int:
        text = str(self._values.get(name, default))
        if not re.fullmatch("[0-9]{1,3}", text) or not int(text):
            raise SourceError(f"{self._url}: {name} is {text!r}; write a whole number from 1 to 999")
        return int(text)

    def texts(self, name: str) -> list[str]:
        value = self._values.get(name, [])
        return value.split(",") if isinstance(value, str) else [str(item) for item in value]

    def moment(self, name: str) -> float | None:
        """A time, or how long ago, as seconds since the epoch."""
        if name not in self._values:
            return None
        text = str(self._values[name])
        if re.fullmatch(r"[0-9.]+ ?[smhd]", text):
            return time.time() - self.seconds(name, 0.0)
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
        except (ValueError, OverflowError):
            raise SourceError(
                f"{self._url}: {name} is {text!r}; write a time such as 2026-01-31T08:00:00Z, or how long ago: 12h, 7d"
            ) from None

    def aws(self, config: Config) -> Aws:
        own = {name: str(value) for name, value in self._values.items() if name in _AWS_OPTIONS}
        try:
            check_role(own.get("role_arn"), "role_arn")
        except ConfigError as error:
            raise SourceError(f"{self._url}: {error}") from None
        return replace(config.aws, **own)  # type: ignore[arg-type]  # every one of them is text

    def span(self, interval: float, overlap: float) -> Span:
        start, end = self.moment("start"), self.moment("end")
        if start is not None and end is not None and start >= end:
            raise SourceError(f"{self._url}: start is not before end")
        follow = self.flag("follow", end is None)
        return Span(start, end, follow, self.seconds("interval", interval), self.seconds("overlap", overlap))


@dataclass(frozen=True, slots=True)
class Location:
    """``s3://bucket/prefix?start=7d`` is scheme ``s3``, rest ``bucket/prefix`` and an option; else it is a path."""

    url: str
    scheme: str
    rest: str
    options: Options

    @property
    def is_file(self) -> bool:
        return self.scheme in ("", "file")

    @property
    def replays(self) -> bool:
        """Whether each run reads the source once, from its beginning."""
        return self.is_file and not self.options.flag("follow", False)

    @property
    def ends(self) -> bool:
        """Whether the source ends at what is there now."""
        return self.replays or (self.scheme != "sqs" and not self.options.flag("follow", True))


def to_read(open_params: str, config: Config) -> list[Entry]:
    """What ``open_params`` names, else the configured ``sources``."""
    return [Entry(open_params.strip())] if open_params.strip() else list(config.sources)


def locate(entry: str | Entry) -> Location:
    """The parts of a source as it is written.

    :raises SourceError: when its kind or one of its options is unknown.
    """
    entry = Entry(entry) if isinstance(entry, str) else entry
    match = re.match(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://(.*)$", entry.url, re.DOTALL)
    if match is None:
        scheme, colon, rest = entry.url.strip().partition(":")
        if colon and scheme.lower() in _OPTIONS:
            # A file's path keeps its first slash.
            right = rest if scheme.lower() == "file" else rest.lstrip("/")
            raise SourceError(f"{entry.url}: write {scheme.lower()}://{right}; a file of this name is ./{entry.url}")
        scheme, rest, query = "", entry.url, ""
    else:
        # A query may follow any of them but a plain path, where ? is part of a pattern.
        rest, _, query = match[2].partition("?")
        scheme = match[1].lower()
    if scheme not in _OPTIONS:
        raise SourceError(f"{entry.url}: unknown kind of source {scheme}://; possible are {POSSIBLE}")
    known = _OPTIONS[scheme]
    options = {**dict(parse_qsl(query, keep_blank_values=True)), **entry.options}
    for name in options:
        if name not in known:
            raise SourceError(f"{entry.url}: unknown option {name}; known here: {', '.join(sorted(known)) or 'none'}")
    return Location(entry.url, scheme, unquote(rest) if scheme == "file" else rest, Options(entry.url, options))


def buckets(place: Location, config: Config) -> list[str]:
    """The buckets whose files the messages of a queue may name: its own option's, and those of the other sources."""
    others = (_bucket(entry) for entry in config.sources)
    return sorted({*place.options.texts("buckets"), *(bucket for bucket in others if bucket)})


def _bucket(entry: Entry) -> str:
    try:
        place = locate(entry)
    except SourceError:
        return ""  # a fault of that source alone, which is told of it
    return place.rest.partition("/")[0] if place.scheme == "s3" else ""
