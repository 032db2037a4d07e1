"""The CloudTrail record."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import orjson

MAX_REMEMBERED: Final = 1024
_MAX_LATELY: Final = 16
_Answer = TypeVar("_Answer")

_VERSION_SUFFIX = re.compile(r"(?:\d{8}|\d{4}_\d\d_\d\d)(?:v\d+)?$")

_DENIED = re.compile(r"(?:Client\.)?(?:AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|Forbidden)\w*")
"""Errors that say that the caller may not do it; those that say that nobody knows who he is are others."""


class RecordError(ValueError):
    """A document or record that cannot be read.

    ``problem`` says what is wrong, ``origin`` names the document, ``position`` counts its records from 1 (0: the
    document itself).  The message joins the three.
    """

    def __init__(self, problem: str, origin: str = "", position: int = 0) -> None:
        self.problem, self.origin, self.position = problem, origin, position
        place = [part for part in (origin, f"record {position}" if position else "") if part]
        super().__init__(": ".join([*place, problem]))


def remembered(answer: Callable[[str], _Answer]) -> Callable[[str], _Answer]:
    """Caches the answers of a function of one text: a trail has few different names and user agents.

    A text that is longer than CloudTrail writes is not cached: it would only fill memory.
    """
    kept = lru_cache(4096)(answer)

    @wraps(answer)
    def ask(text: str) -> _Answer:
        return kept(text) if len(text) <= MAX_REMEMBERED else answer(text)

    return ask


if TYPE_CHECKING:
    from functools import cached_property

    once = cached_property
else:

    class once:  # noqa: N801 - used like ``property``
        """``functools.cached_property`` without its lock, which Python 3.11 takes at every first access."""

        def __init__(self, find):
            self._find, self._name = find, find.__name__

        def __get__(self, instance, owner):
            value = instance.__dict__[self._name] = self._find(instance)
            return value


@remembered
def base_name(event_name: str) -> str:
    """The API operation behind an event name: ``CreateFunction20150331v2`` is ``CreateFunction``."""
    return _VERSION_SUFFIX.sub("", event_name)


def _mapping(value: object) -> Mapping[str, Any]:
    """A member that is an object.  Exports of CloudTrail to tables hold it as JSON text."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def digest(value: object) -> bytes:
    """16 bytes that stand for a JSON value, in whatever order its members are.

    A value nested too deeply to walk is represented by the texts of its outer levels.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):
        # Halves of surrogate pairs, and numbers beyond 64 bits.
        try:
            text = json.dumps(value, sort_keys=True, default=str).encode()
        except RecursionError:
            members = value.items() if isinstance(value, dict) else ()
            outer = sorted((name, item) for name, item in members if isinstance(item, str))
            text = repr(outer).encode("utf-8", "replace")
    return hashlib.blake2b(text, digest_size=16).digest()


def is_true(value: object) -> bool:
    """Whether a flag is true.  Some records log it as text.  The number 1 is not true, although Python's is."""
    return value is True or value == "true"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Record:
    """One CloudTrail record.

    ``raw`` is the parsed JSON object as it was logged and is not to be changed.  Every accessor tolerates a missing or
    mistyped member: it then gives ``""`` or an empty mapping.  Record contents:
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """

    raw: Mapping[str, Any]

    @once
    def id(self) -> str:
        return _text(self.raw.get("eventID"))

    @once
    def content(self) -> bytes:
        """A digest of the whole record.  The id alone proves nothing: a forger chooses it."""
        return digest(self.raw)

    @once
    def event_name(self) -> str:
        return _text(self.raw.get("eventName"))

    @once
    def operation(self) -> str:
        return base_name(self.event_name)

    @once
    def event_source(self) -> str:
        return _text(self.raw.get("eventSource"))

    @once
    def service(self) -> str:
        return self.event_source.partition(".")[0]

    @once
    def region(self) -> str:
        return _text(self.raw.get("awsRegion"))

    @once
    def account(self) -> str:
        """The account that owns the resource: the recipient, else the caller's."""
        return _text(self.raw.get("recipientAccountId")) or _text(self.identity.get("accountId"))

    @once
    def identity(self) -> Mapping[str, Any]:
        return _mapping(self.raw.get("userIdentity"))

    @once
    def request(self) -> Mapping[str, Any]:
        return _mapping(self.raw.get("requestParameters"))

    @once
    def response(self) -> Mapping[str, Any]:
        return _mapping(self.raw.get("responseElements"))

    @once
    def withheld(self) -> str:
        """Why the record lacks the parameters that the call had; "" when it has them."""
        parameters = self.raw.get("requestParameters")
        if isinstance(parameters, dict):
            reason = _text(parameters.get("reason"))
            left_out = f"its parameters are left out ({reason})" if reason else "its parameters are left out"
            return left_out if is_true(parameters.get("omitted")) else ""
        return "its parameters cannot be read" if parameters and not self.request else ""

    @once
    def arns(self) -> tuple[str, ...]:
        """ARNs of the resources that the record lists outside its parameters."""
        named = self.raw.get("resources")
        if isinstance(named, str) and named.lstrip()[:1] == "[":
            try:
                named = json.loads(named)
            except (ValueError, RecursionError):
                named = None
        entries = (_mapping(entry) for entry in (named if isinstance(named, list) else ()))
        return tuple(arn for entry in entries if (arn := _text(entry.get("ARN") or entry.get("arn"))))

    @once
    def error_code(self) -> str:
        return _text(self.raw.get("errorCode"))

    @once
    def denied(self) -> bool:
        """Whether the caller may not do what he tried."""
        return _DENIED.fullmatch(self.error_code) is not None

    @once
    def source_ip(self) -> str:
        return _text(self.raw.get("sourceIPAddress"))

    @once
    def user_agent(self) -> str:
        return _text(self.raw.get("userAgent"))

    @once
    def time(self) -> int:
        """``eventTime`` in nanoseconds since the epoch, 0 when it is missing, not a time or beyond 64 bits."""
        text = _text(self.raw.get("eventTime"))
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return 0
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        nanoseconds = int(moment.timestamp()) * 1_000_000_000
        return nanoseconds if 0 <= nanoseconds < 1 << 63 else 0


class Lately(Generic[_Answer]):
    """Remembers the answers for the latest records: a record that is told of is encoded soon after."""

    def __init__(self, find: Callable[..., _Answer]) -> None:
        self._find = find
        # Replaced, never changed: several threads may ask.
        self._answers: tuple[tuple[Record, tuple[object, ...], _Answer], ...] = ()

    def of(self, record: Record, *more: object) -> _Answer:
        """The answer of ``find``, computed anew for another record or other dependencies."""
        for known, others, answer in self._answers:
            if known is record and others == more:
                return answer
        answer = self._find(record, *more)
        self._answers = ((record, more, answer), *self._answers[: _MAX_LATELY - 1])
        return answer
