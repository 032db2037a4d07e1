"""What every CloudTrail source gives the pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from tfdrift_core.records.places import ANYWHERE, Place
from tfdrift_core.records.sift import Document, Packed


@dataclass(frozen=True, slots=True)
class Batch:
    """One document of records: a file, an S3 object, the records of one queue message or one page of LookupEvents.

    ``documents`` holds undecoded JSON (already decompressed): each item is a ``{"Records": [...]}`` object, one
    record, or JSON lines; or what was sifted from a file; or a large file as it came.  ``origin`` names the place for
    messages (``s3://bucket/key``, a path).  ``token`` is whatever the source needs to acknowledge the batch.
    ``durable`` is false where a restart begins anew, as it does with a local file: what was read then counts as new
    again.
    ``place`` is where AWS says that its records are from.
    """

    origin: str
    documents: tuple[Document | Packed, ...]
    token: object = None
    durable: bool = True
    place: Place = ANYWHERE


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a source of history reads, in seconds since the epoch, and how it goes on afterwards.

    A following source looks again every ``interval`` seconds, ``overlap`` seconds further back than it has come;
    another ends at ``end``, or where it was made when that is None.
    """

    start: float | None
    end: float | None
    follow: bool
    interval: float
    overlap: float

    def until(self, now: float) -> float:
        if self.end is not None:
            return self.end
        return float("inf") if self.follow else now


class Source(Protocol):
    """A place that CloudTrail records come from.

    ``batches`` blocks while it waits and yields ``None`` at least once a second when there is nothing, so that the
    caller can look after state and shutdown.  It ends at the end of a finite source.  It recovers by itself from
    whatever may pass (network, throttling, expired credentials) and raises ``SourceError`` only for what the user
    must fix and that waiting cannot.  ``acknowledge`` is called, in order, once every event that the batch gave rise
    to has been handed over; a batch that was not acknowledged must be delivered again after a restart.

    ``batches`` is called once.  Whatever has failed is closed, and another source made in its place, which goes on from
    the checkpoints: so nothing of what was under way is lost, and nothing is read by two of them.  ``close`` may be
    called again, and ``acknowledge`` after it.
    """

    name: str
    finite: bool

    def batches(self) -> Iterator[Batch | None]: ...

    def acknowledge(self, batch: Batch) -> None: ...

    def close(self) -> None: ...


class Checkpoints(Protocol):
    """Where a source keeps how far it has come."""

    def checkpoint(self, name: str) -> Any:
        """The value last saved under this name, or None."""

    def save(self, name: str, value: Any) -> None: ...


class SourceError(Exception):
    """A source cannot work until the user changes something.  The message says what."""


class NotYetError(SourceError):
    """Something that the source needs is missing now and may appear later without a change of the configuration."""
