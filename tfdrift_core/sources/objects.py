"""Fetches CloudTrail's files from S3 and decompresses them, large ones in parallel parts, within a limit of memory."""

import io
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from botocore.exceptions import ClientError

from tfdrift_core.records.sift import Document, Packed, Sifter
from tfdrift_core.sources.files import DamagedError, LargeError, documents

PART: Final = 8 << 20
MAX_OBJECT: Final = 128 << 20
"""Bytes of one compressed object; CloudTrail's own files have a few megabytes."""

LARGEST: Final = 16 << 20
"""Bytes of an object that is held decompressed."""

_TOTAL = re.compile(r"/(\d+)$")
_EMPTY = frozenset({"InvalidRange", "416"})
_DELETED = "was deleted before it was read"
GONE: Final[Mapping[str, str]] = {
    "NoSuchKey": _DELETED,
    "404": _DELETED,
    "NotFound": _DELETED,
    "InvalidObjectState": "is archived (S3 Glacier), so its records are not read; restore it and read its time again"
    " with start and end",
}
"""AWS's answers that no waiting changes, and what they mean for the object.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Errors"."""

_REFUSED = frozenset({"AccessDenied", "403", "Forbidden", "InvalidRequest"})


def is_refused(code: str) -> bool:
    """Whether this error can concern one object alone: its policy, its owner or its KMS key."""
    return code in _REFUSED or code.startswith("KMS.")


def fetch(client: Any, bucket: str, key: str, parts: ThreadPoolExecutor) -> bytes:
    """The object's bytes.  Most need one request; the rest of a large object is read in parallel ranges.

    :raises ClientError: and botocore's other errors, as they come.
    :raises DamagedError: when it has more than ``MAX_OBJECT`` bytes.
    """
    try:
        first = client.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{PART - 1}")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _EMPTY:
            return b""
        raise
    match = _TOTAL.search(first.get("ContentRange", ""))
    total = int(match[1]) if match else first["ContentLength"]
    if total > MAX_OBJECT:
        first["Body"].close()
        raise DamagedError(f"the object has {total:,} bytes, more than {MAX_OBJECT:,}")
    head: bytes = first["Body"].read()
    if len(head) >= total:
        return head

    def part(begin: int) -> bytes:
        # Without the tag, parts of an object and of its successor could be put together.
        span = f"bytes={begin}-{min(begin + PART, total) - 1}"
        body: bytes = client.get_object(Bucket=bucket, Key=key, Range=span, IfMatch=first["ETag"])["Body"].read()
        return body

    return b"".join([head, *parts.map(part, range(len(head), total, PART))])


def unpack(data: bytes, sifter: Sifter | None = None) -> tuple[tuple[Document | Packed, ...], str]:
    """The documents of one object, and what is wrong with it, if anything.

    A large one stays compressed until it is read, since many wait at once.
    """
    if sifter is not None and (sifted := sifter.sift(data)) is not None:
        return (sifted,), ""
    held: list[Document | Packed] = []
    size = 0
    try:
        for document in documents(io.BytesIO(data), LARGEST):
            held.append(document)
            size += len(document)
            if size > LARGEST:
                return (Packed(data),), ""
    except LargeError:
        return (Packed(data),), ""
    except DamagedError as error:
        return tuple(held), str(error)
    return tuple(held), ""
