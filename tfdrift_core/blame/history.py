"""The records that may explain a drift: from a trail, or from CloudTrail's event history."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from tfdrift_core.blame.plan import Drifted
from tfdrift_core.config import Config
from tfdrift_core.config import Source as Entry
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.metrics import Metrics
from tfdrift_core.records.record import Record
from tfdrift_core.records.scan import parts
from tfdrift_core.records.sift import Document, Packed
from tfdrift_core.sources.base import Batch
from tfdrift_core.sources.files import DamagedError, unpacked
from tfdrift_core.sources.open import open_source

log = logging.getLogger("tfdrift.blame")

SPACING: Final = 0.5
"""Seconds between two requests to one account and region: LookupEvents takes two a second
(https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html)."""

_GLOBAL: Final = "us-east-1"


def from_source(entry: str | Entry, config: Config, catalog: Catalog, since: float) -> Iterator[Record]:
    """The changes in a source that ends, not older than ``since`` (seconds since the epoch).

    What is damaged is told; what was before it, and what comes after, is read.

    :raises SourceError: when it cannot be read.
    """
    source = open_source(entry, config, Ledger(), Metrics())
    try:
        for batch in source.batches():
            if batch is None:
                continue
            for document in batch.documents:
                try:
                    yield from (record for record in _records(document, batch, catalog) if record.time >= since * 1e9)
                except DamagedError as error:
                    log.error("%s: %s; what was before is read", batch.origin, error)
            source.acknowledge(batch)
    finally:
        source.close()


def _records(document: Document | Packed, batch: Batch, catalog: Catalog) -> Iterator[Record]:
    for one in unpacked(document) if isinstance(document, Packed) else (document,):
        for part in parts(one, batch.origin, catalog.ignores, batch.place):
            for fault in part.errors:
                log.warning("%s", fault)
            yield from part.records


class EventHistory:
    """CloudTrail's event history, asked by resource name, one account and region at a time.

    ``client`` gives a client for a region.  What was asked is kept for as long as this lives.
    """

    def __init__(
        self, client: Callable[[str], Any], since: float, *, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._client, self._since, self._wait = client, since, wait
        self._known: dict[tuple[str, str], list[Record]] = {}
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()

    def of(self, drifted: Drifted, region: str) -> Iterable[Record]:
        """Every change that names the resource, in its own region, or for a global service in the one that has it."""
        instance = drifted.instance
        places = [instance.region or region] if instance.region else [region, _GLOBAL]
        for place in dict.fromkeys(places):
            for name in _names(drifted):
                yield from self._lookup(place, name)

    def _lookup(self, region: str, name: str) -> list[Record]:
        with self._lock:
            known = self._known.get((region, name))
            if known is None:
                known = self._known[region, name] = list(self._pages(region, name))
        return known

    def _pages(self, region: str, name: str) -> Iterator[Record]:
        more: dict[str, str] = {}
        while True:
            pause = self._asked.get(region, 0.0) + SPACING - time.monotonic()
            if pause > 0:
                self._wait(pause)
            self._asked[region] = time.monotonic()
            answer = self._client(region).lookup_events(
                LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": name}],
                StartTime=datetime.fromtimestamp(self._since, UTC),
                EndTime=datetime.now(UTC),
                MaxResults=50,
                **more,
            )
            for event in answer.get("Events", ()):
                raw = orjson.loads(event.get("CloudTrailEvent") or "null")
                if isinstance(raw, dict) and raw.get("readOnly") is not True:
                    yield Record(raw)
            if not answer.get("NextToken"):
                return
            more = {"NextToken": answer["NextToken"]}


def _names(drifted: Drifted) -> list[str]:
    """What CloudTrail may call a resource: by id, name or ARN."""
    found = (drifted.before.get(name) for name in ("id", "name", "arn", "bucket", "identifier", "function_name"))
    return list(dict.fromkeys(text for text in found if isinstance(text, str) and text))
