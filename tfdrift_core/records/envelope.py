"""What a queue message holds.  Users wire CloudTrail to SQS in many ways; each is recognised by its content."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from tfdrift_core.records.places import envelope_of
from tfdrift_core.records.record import Record

_DEEPEST: Final = 4
_VALIDATION = b"CloudTrail validation"
_LONGEST_BUCKET: Final = 255
_LONGEST_KEY: Final = 1024
"""Bytes that S3 allows; old buckets of us-east-1 may have names of 255.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

_SNS_HOUSEKEEPING = frozenset({"SubscriptionConfirmation", "UnsubscribeConfirmation"})


class PoisonError(ValueError):
    """A message of no known form.  It is left to the queue's redrive policy."""


class RefusedError(PoisonError):
    """A message of a known form whose content contradicts where it came from."""


@dataclass(frozen=True, slots=True)
class Message:
    """Holds records (``document``), or buckets and keys of files with records (``objects``), or nothing.

    ``time`` is the record's ``eventTime`` text, to order messages by; empty where there are several records.
    """

    document: bytes = b""
    objects: tuple[tuple[str, str], ...] = ()
    time: str = ""


def unwrap(body: str) -> Message:
    """What one SQS message body holds.

    Known are: EventBridge events with the record in ``detail``; EventBridge "Object Created"; S3 notifications;
    CloudTrail's own SNS notifications; a bare record or ``{"Records": [...]}``; each of them inside an SNS notification
    (without raw delivery) or bare (with it).  S3's test messages, CloudTrail's validation message and SNS confirmations
    hold nothing.

    :raises RefusedError: for an event that AWS did not make, though it looks like one.
    :raises PoisonError: for anything else.
    """
    return _unwrap(body.encode("utf-8", "surrogatepass"), 0)


def _unwrap(body: bytes, depth: int) -> Message:
    if body.startswith(_VALIDATION):
        return Message()
    try:
        value = orjson.loads(body)
    except ValueError:
        if b'"eventName"' in body:
            # A record that is not valid JSON: the scan repairs it, or says what is wrong.
            return Message(body)
        raise PoisonError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise PoisonError("the body is not a JSON object")
    if isinstance(value.get("eventName"), str):
        return Message(body, time=_text(value.get("eventTime")))
    if "Type" in value and depth < _DEEPEST:
        return _sns(value, depth)
    if isinstance(value.get("detail"), dict):
        return _eventbridge(value, value["detail"], body)
    if isinstance(value.get("Records"), list):
        return _records(value["Records"], body)
    if isinstance(value.get("s3Bucket"), str) and isinstance(value.get("s3ObjectKey"), list):
        return Message(objects=tuple(_place(value["s3Bucket"], key) for key in value["s3ObjectKey"]))
    if value.get("Event") == "s3:TestEvent" or "CloudTrail validation" in _text(value.get("message")):
        return Message()
    raise PoisonError(f"no known envelope; its members are {', '.join(sorted(value)[:8])}")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _place(bucket: object, key: object) -> tuple[str, str]:
    """A bucket and key that botocore accepts.  A bad name would fail again each time the message comes back."""
    for what, name, longest in (("bucket", bucket, _LONGEST_BUCKET), ("key", key, _LONGEST_KEY)):
        if not isinstance(name, str) or not 0 < len(name.encode("utf-8", "surrogatepass")) <= longest:
            raise PoisonError(f"the {what} that it names is no text of 1 to {longest} bytes")
    return str(bucket), str(key)


def _sns(value: Mapping[str, Any], depth: int) -> Message:
    if value["Type"] in _SNS_HOUSEKEEPING:
        return Message()
    return _unwrap(_text(value.get("Message")).encode("utf-8", "surrogatepass"), depth + 1)


def _eventbridge(value: Mapping[str, Any], detail: Mapping[str, Any], body: bytes) -> Message:
    envelope = envelope_of(value)
    if isinstance(detail.get("eventName"), str):
        if problem := envelope.contradiction(Record(detail)):
            raise RefusedError(f"its record {problem}")
        return Message(body, time=_text(detail.get("eventTime")))
    bucket, item = detail.get("bucket"), detail.get("object")
    if isinstance(bucket, dict) and isinstance(item, dict):
        # Unlike S3's own notifications, EventBridge's do not URL-encode the key.
        created = _text(value.get("detail-type")) == "Object Created"
        if created and envelope.source not in ("", "aws.s3"):
            raise RefusedError(f"S3 makes such events, and it came from {envelope.source}")
        return Message(objects=(_place(bucket.get("name"), item.get("key")),) if created else ())
    raise PoisonError(f"an EventBridge event of type {_text(value.get('detail-type'))!r} holds no CloudTrail record")


def _records(items: list[Any], body: bytes) -> Message:
    notifications = [item for item in items if isinstance(item, dict) and isinstance(item.get("s3"), dict)]
    if not notifications:
        return Message(body)
    created = [item["s3"] for item in notifications if "ObjectCreated" in _text(item.get("eventName"))]
    return Message(
        objects=tuple(
            _place(_member(s3, "bucket", "name"), unquote_plus(_text(_member(s3, "object", "key")))) for s3 in created
        )
    )


def _member(value: Mapping[str, Any], *path: str) -> object:
    found: object = value
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found
