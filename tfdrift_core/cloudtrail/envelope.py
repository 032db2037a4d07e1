"""What a queue message holds.  Users wire CloudTrail to SQS in many ways; each is recognised by its content."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

_DEEPEST: Final = 4
_VALIDATION = b"CloudTrail validation"
_SNS_HOUSEKEEPING = frozenset({"SubscriptionConfirmation", "UnsubscribeConfirmation"})


class PoisonError(ValueError):
    """A message that holds nothing known; it is left to the queue's redrive policy."""


@dataclass(frozen=True, slots=True)
class Message:
    """``document`` holds records, ``objects`` are buckets and keys of files with records; neither: nothing to do.

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
        return Message(objects=tuple((value["s3Bucket"], key) for key in value["s3ObjectKey"] if isinstance(key, str)))
    if value.get("Event") == "s3:TestEvent" or "CloudTrail validation" in _text(value.get("message")):
        return Message()
    raise PoisonError(f"no known envelope; its members are {', '.join(sorted(value)[:8])}")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _sns(value: Mapping[str, Any], depth: int) -> Message:
    if value["Type"] in _SNS_HOUSEKEEPING:
        return Message()
    return _unwrap(_text(value.get("Message")).encode("utf-8", "surrogatepass"), depth + 1)


def _eventbridge(value: Mapping[str, Any], detail: Mapping[str, Any], body: bytes) -> Message:
    if isinstance(detail.get("eventName"), str):
        return Message(body, time=_text(detail.get("eventTime")))
    bucket, item = detail.get("bucket"), detail.get("object")
    if isinstance(bucket, dict) and isinstance(item, dict) and isinstance(item.get("key"), str):
        # Unlike S3's own notifications, EventBridge's do not URL-encode the key.
        created = _text(value.get("detail-type")) == "Object Created"
        return Message(objects=((_text(bucket.get("name")), item["key"]),) if created else ())
    raise PoisonError(f"an EventBridge event of type {_text(value.get('detail-type'))!r} holds no CloudTrail record")


def _records(items: list[Any], body: bytes) -> Message:
    notifications = [item for item in items if isinstance(item, dict) and isinstance(item.get("s3"), dict)]
    if not notifications:
        return Message(body)
    created = [item["s3"] for item in notifications if "ObjectCreated" in _text(item.get("eventName"))]
    try:
        return Message(objects=tuple((s3["bucket"]["name"], unquote_plus(s3["object"]["key"])) for s3 in created))
    except (KeyError, TypeError, AttributeError):
        raise PoisonError("an S3 notification without bucket or key") from None
