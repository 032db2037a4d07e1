"""What Falco's cloudtrail plugin tells of the calls of single services (its ``extract.go``, 0.17), from a record."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from tfdrift_core.drift.event import DriftEvent


def text_at(*steps: str) -> Callable[[DriftEvent], str | None]:
    """A member of the record if it is a text.  The cloudtrail plugin gives only texts for these fields."""

    def get(event: DriftEvent) -> str | None:
        value = _at(event.record.raw, steps)
        return value if isinstance(value, str) else None

    return get


def _at(value: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def s3_uri(event: DriftEvent) -> str | None:
    bucket, key = (_at(event.record.raw, ("requestParameters", name)) for name in ("bucketName", "key"))
    return f"s3://{bucket}/{key}" if isinstance(bucket, str) and isinstance(key, str) else None


def transferred(*names: str) -> Callable[[DriftEvent], int | None]:
    """Bytes that S3 logs as a number, at times with a decimal point."""

    def get(event: DriftEvent) -> int | None:
        found = [_at(event.record.raw, ("additionalEventData", name)) for name in names]
        numbers = [int(n) for n in found if _is_number(n)]
        return max(sum(numbers), 0) if numbers else None

    return get


def _is_number(value: object) -> bool:
    """Whether it is one of JSON's: a record's text may hold 1e999 and integers that no float holds."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and math.isfinite(value)
    )


_COUNTED = {"GetObject": "get", "PutObject": "put"}


def one_of(kind: str) -> Callable[[DriftEvent], int | None]:
    return lambda event: 1 if _COUNTED.get(event.record.event_name, "other") == kind else None


def instance_name(event: DriftEvent) -> str | None:
    named = _at(event.record.raw, ("requestParameters", "tagSpecificationSet", "items"))
    for specification in named if isinstance(named, list) else ():
        tags = _at(specification, ("tags",)) if _at(specification, ("resourceType",)) == "instance" else None
        for tag in tags if isinstance(tags, list) else ():
            value = _at(tag, ("value",))
            if _at(tag, ("key",)) == "Name" and isinstance(value, str):
                return value
    return None


def images(event: DriftEvent) -> tuple[str, ...]:
    """Of the instances that were started, else the one that the request names."""
    started = _at(event.record.raw, ("responseElements", "instancesSet", "items"))
    if isinstance(started, list):
        found = [_at(item, ("imageId",)) for item in started]
    else:
        found = [_at(event.record.raw, ("requestParameters", *steps)) for steps in _IMAGES]
    images = [image for image in found if isinstance(image, str) and image]
    return tuple(images if isinstance(started, list) else images[:1])


_IMAGES = (
    ("imageId",),
    ("DescribeFastLaunchImagesRequest", "ImageId", "content"),
    ("launchSpecification", "imageId"),
)
