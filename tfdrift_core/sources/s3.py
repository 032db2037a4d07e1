"""Reads CloudTrail's files in S3: history from a start to an end, or new files as they arrive."""

import heapq
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from tfdrift_core.metrics import Metrics
from tfdrift_core.records.places import Scope, parse_key, place_of
from tfdrift_core.records.sift import Sifter
from tfdrift_core.sources.base import Batch, Checkpoints, Span
from tfdrift_core.sources.files import DamagedError
from tfdrift_core.sources.health import AWS_ERRORS, Health, code_of, explained
from tfdrift_core.sources.objects import GONE, fetch, is_refused, unpack
from tfdrift_core.sources.pump import Pump

FETCHERS: Final = 8
AHEAD: Final = 16
"""Objects that are fetched or wait decompressed in front of the queue."""

TRIES: Final = 3
"""Requests for an object that AWS refuses, a second apart, until the others go on without it."""

INTERVAL: Final = 60.0
OVERLAP: Final = 3600.0
"""Seconds before the newest file that are listed again: CloudTrail may deliver an older file later."""

DAY: Final = 86_400.0
REREAD: Final = 7 * DAY
"""Seconds that are read again behind a checkpoint that is wrong: so long records are known again."""

_ROOT = "AWSLogs/"
_IN_REGION = re.compile(r"AWSLogs/.*/CloudTrail/[a-z0-9-]+/")
_log = logging.getLogger("tfdrift.cloudtrail")
_SHARD = re.compile(r"(?P<account>\d{12})/CloudTrail/(?P<region>[a-z0-9-]+)/$", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class _Object:
    """``time``: of the file name, or of the upload where the name tells none, or one that had not come when it was
    uploaded.  ``reached`` is the time until which all is read once this is; 0 where it proves nothing.
    """

    time: float
    key: str
    shard: str
    reached: float


class S3:
    """Objects below ``s3://bucket/prefix``, oldest first.

    A finite pass ends at ``end`` (or now).  A following one looks again every ``interval`` seconds.  How far each
    account and region has come is remembered; what is listed again after a restart is told apart by the records' ids.

    An object that AWS refuses to give (its policy, owner or KMS key) holds up no other one.  It is asked for again in
    every look, and given up in the first one that begins when a file ``overlap`` seconds newer of the same account and
    region has been read.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        make_client: Callable[[str, str], Any],
        scope: Scope,
        checkpoints: Checkpoints,
        metrics: Metrics,
        span: Span,
        clock: Callable[[], float] = time.time,
        sifter: Sifter | None = None,
    ) -> None:
        """Without a start a following source begins at what is new, a finite one at the very first file."""
        self.name = f"s3://{bucket}/{prefix}"
        self.finite = not span.follow
        self._bucket, self._prefix, self._make_client = bucket, prefix, make_client
        self._scope, self._checkpoints, self._metrics, self._sifter = scope, checkpoints, metrics, sifter
        self._interval, self._overlap = span.interval, span.overlap
        self._start = span.start if span.start is not None else (clock() if span.follow else 0.0)
        self._end = span.until(clock())
        self._clock = clock
        self._pump = Pump(self.name)
        self._health = Health(self.name, "s3", metrics, self._pump.stop)
        self._key = f"{self.name} {'follow' if span.follow else f'{span.start} {span.end}'}"
        self._reached: dict[str, float | None] = {}
        self._acknowledged: dict[str, float] = {}
        self._given: dict[str, dict[str, float]] = {}
        self._refused: dict[str, dict[str, float]] = {}
        self._last_chance: dict[str, float] = {}

    def batches(self) -> Iterator[Batch | None]:
        self._client = self._make_client("s3", "")
        saved = self._checkpoints.checkpoint(self._key)
        if saved is None:
            self._checkpoints.save(self._key, self._start)
        else:
            self._start = saved
        self._pump.start(self._work)
        yield from self._pump.batches()

    def acknowledge(self, batch: Batch) -> None:
        item = batch.token
        assert isinstance(item, _Object)
        if item.reached > self._acknowledged.get(item.shard, 0.0):
            self._acknowledged[item.shard] = item.reached
            self._checkpoints.save(f"{self._key} {item.shard}", item.reached)

    def close(self) -> None:
        self._pump.close()

    def _work(self) -> None:
        with (
            ThreadPoolExecutor(FETCHERS, thread_name_prefix="tfdrift-s3-fetch") as fetchers,
            ThreadPoolExecutor(4, thread_name_prefix="tfdrift-s3-part") as parts,
        ):
            while not self._pump.stop.is_set():
                begun = time.monotonic()
                try:
                    self._pass(fetchers, parts)
                except AWS_ERRORS as error:
                    self._health.failed(error, "list objects")
                    continue
                self._health.worked()
                self._give_up()
                if self.finite:
                    return
                self._pump.stop.wait(max(self._interval, time.monotonic() - begun))

    def _pass(self, fetchers: ThreadPoolExecutor, parts: ThreadPoolExecutor) -> None:
        ahead: deque[tuple[_Object, Future[Batch | ClientError | None]]] = deque()
        listed = heapq.merge(*(self._objects(shard) for shard in self._shards(self._prefix)))
        try:
            for item in listed:
                ahead.append((item, fetchers.submit(self._fetch, item, parts)))
                if len(ahead) >= AHEAD and not self._give(*ahead.popleft()):
                    return
            while ahead:
                if not self._give(*ahead.popleft()):
                    return
        finally:
            for _, future in ahead:
                future.cancel()

    def _give(self, item: _Object, future: Future[Batch | ClientError | None]) -> bool:
        """False once the source is closing."""
        batch = future.result()
        refused = self._refused.setdefault(item.shard, {})
        if isinstance(batch, ClientError):
            if not refused:
                self._health.note(
                    "cannot read s3://%s/%s: %s; goes on without it", self._bucket, item.key, explained(batch)
                )
            refused[item.key] = item.time
            return True
        if batch is None or not self._pump.put(batch):
            return False
        refused.pop(item.key, None)
        if not item.reached:
            self._health.note(
                "s3://%s/%s names no time at which it can have been made; it is read all the same",
                self._bucket,
                item.key,
            )
        reached = self._reached[item.shard] = max(item.reached, self._reached[item.shard] or 0.0)
        given = self._given.setdefault(item.shard, {})
        given[item.key] = item.time
        oldest = min([reached - self._overlap, *refused.values()])
        for key in [key for key, moment in given.items() if moment < oldest]:
            del given[key]
        return True

    def _give_up(self) -> None:
        """Gives up the objects that this look was the last attempt for."""
        for shard, refused in self._refused.items():
            before = float("inf") if self.finite else self._last_chance[shard]
            lost = sorted(key for key, moment in refused.items() if moment < before)
            if not lost or self._pump.stop.is_set():
                continue
            for key in lost:
                del refused[key]
            self._metrics.add("objects_refused", len(lost))
            self._health.note(
                "%d objects are given up, AWS has refused to give them: s3://%s/%s%s; once they can be read, read their"
                " time again with start and end",
                len(lost),
                self._bucket,
                lost[0],
                f" to {lost[-1]}" if len(lost) > 1 else "",
            )

    def _fetch(self, item: _Object, parts: ThreadPoolExecutor) -> Batch | ClientError | None:
        """The batch of the object, or why AWS refuses to give it; ``None`` once the source is closing."""
        origin = f"s3://{self._bucket}/{item.key}"
        # Where one was refused the next is likely to be: such a row is walked through fast.
        tries = 1 if self._refused.get(item.shard) else TRIES
        while not self._pump.stop.is_set():
            try:
                documents, problem = unpack(fetch(self._client, self._bucket, item.key, parts), self._sifter)
            except DamagedError as error:
                documents, problem = (), str(error)
            except AWS_ERRORS as error:
                code = code_of(error)
                if isinstance(error, ClientError) and is_refused(code):
                    tries -= 1
                    if not tries:
                        return error
                    self._pump.stop.wait(1.0)
                    continue
                if code not in GONE:
                    self._health.failed(error, f"read {origin}")
                    continue
                documents, problem = (), GONE[code]
            else:
                self._health.worked()
                problem = problem and f"{problem}; what was before is read"
            if problem:
                self._health.note("%s: %s", origin, problem)
            return Batch(origin, documents, item, place=place_of(item.key))
        return None

    def _shards(self, prefix: str) -> list[str]:
        """The prefixes of accounts and regions below ``prefix``, unwanted ones left out before anything is read."""
        if _ROOT not in prefix:
            roots = [below for below in self._prefixes(prefix) if below == f"{prefix}{_ROOT}"]
            return self._shards(roots[0]) if roots else [prefix]
        if _IN_REGION.search(prefix):
            return [prefix]
        found: list[str] = []
        for below in self._prefixes(prefix):
            folder, name = below[:-1].rpartition("/")[::2]
            if folder.endswith("/CloudTrail"):
                found += [below] if self._scope.wants_region(name) else []
            elif name == "CloudTrail" or name.startswith("o-") or (name.isdigit() and self._scope.wants_account(name)):
                found += self._shards(below)
        return found

    def _prefixes(self, prefix: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, Delimiter="/"
        )
        return [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]

    def _objects(self, shard: str) -> Iterator[_Object]:
        """The wanted objects of a shard that were not read yet, in the order of time."""
        if shard not in self._reached:
            self._reached[shard] = self._recalled(shard)
        reached = self._reached[shard]
        oldest = self._start if reached is None else max(self._start, reached - self._overlap)
        self._last_chance[shard] = oldest
        begin = min([oldest, *self._refused.get(shard, {}).values()])
        # A file's name tells the minute only.
        begin -= begin % 60
        given = self._given.get(shard, {})
        for item in self._listed(shard, begin):
            if begin <= item.time <= self._end and item.key not in given:
                yield item

    def _recalled(self, shard: str) -> float | None:
        """How far an earlier process came.  A time in the future is dropped: with it no later file would be read."""
        saved: float | None = self._checkpoints.checkpoint(f"{self._key} {shard}")
        now = self._clock()
        if saved is None or saved <= now + DAY:
            return saved
        _log.error(
            "%s: the checkpoint of %s lies in the future; what came within the last week is read again",
            self.name,
            shard,
        )
        return now - REREAD

    def _listed(self, shard: str, begin: float) -> Iterator[_Object]:
        match = _SHARD.search(shard)
        if match is None:
            # Keys come in any order of time; the user has narrowed such a prefix down.
            yield from sorted(self._list(shard, "", shard))
            return
        # Within an account and region, the order of keys is that of time.
        moment = datetime.fromtimestamp(begin, UTC)
        after = f"{shard}{moment:%Y/%m/%d}/{match['account']}_CloudTrail_{match['region']}_{moment:%Y%m%dT%H%M}"
        last = f"{shard}{datetime.fromtimestamp(self._end, UTC):%Y/%m/%d}/~" if self._end < float("inf") else ""
        for item in self._list(shard, after if begin > 0 else "", shard):
            if last and item.key > last:
                break
            yield item
        else:
            return
        # What is filed under a day that has not come is not CloudTrail's: it is to be seen, whatever is asked for.
        tomorrow = f"{shard}{datetime.fromtimestamp(self._clock() + DAY, UTC):%Y/%m/%d}/~"
        yield from self._list(shard, max(last, tomorrow), shard)

    def _list(self, prefix: str, after: str, shard: str) -> Iterator[_Object]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, **({"StartAfter": after} if after else {})
        )
        for page in pages:
            for item in page.get("Contents", []):
                key = item["Key"]
                if self._scope.wants(key):
                    yield _object(key, shard, item["LastModified"].timestamp())


def _object(key: str, shard: str, uploaded: float) -> _Object:
    place = parse_key(key)
    if place is None:
        return _Object(uploaded, key, shard, uploaded)
    if place.time is None or place.time > uploaded + DAY:
        return _Object(uploaded, key, shard, 0.0)
    # The clock of whoever made the file may be ahead, but not what is read.
    return _Object(place.time, key, shard, min(place.time, uploaded))
