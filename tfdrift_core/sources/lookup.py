"""LookupEvents: CloudTrail's own event history.  Needs no trail; records come some minutes after the change."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tfdrift_core.metrics import Metrics
from tfdrift_core.sources.base import Batch, Checkpoints, Span
from tfdrift_core.sources.health import AWS_ERRORS, Health
from tfdrift_core.sources.pump import Pump

SPACING: Final = 0.5
"""LookupEvents allows two requests a second for each account and region.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html"""

INTERVAL: Final = 15.0
OVERLAP: Final = 900.0
"""Seconds that are asked for again: an event may appear that much later than its time."""

SLICE: Final = 3600.0
"""Seconds of history that are held at once: answers come newest first, and are given oldest first."""

HISTORY: Final = 90 * 86_400.0


@dataclass(slots=True)
class _Place:
    """One account in one region."""

    name: str
    client: Any
    health: Health
    reached: float | None = None
    acknowledged: float = 0.0
    given: dict[str, float] = field(default_factory=dict)
    asked: float = 0.0


@dataclass(frozen=True, slots=True)
class _Until:
    place: str
    time: float


class Lookup:
    """Polls the mutating events of several accounts and regions, each in the order of time, until ``end`` or for ever.

    ``find_places`` gives a client of CloudTrail for each account and region, by name; it is called in a thread and may
    fail as AWS does.
    """

    def __init__(
        self,
        find_places: Callable[[], Mapping[str, Any]],
        checkpoints: Checkpoints,
        metrics: Metrics,
        span: Span,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = "lookup://"
        self.finite = not span.follow
        self._find_places, self._checkpoints, self._metrics, self._clock = find_places, checkpoints, metrics, clock
        self._interval, self._overlap = span.interval, span.overlap
        self._start, self._end = span.start, span.until(clock())
        self._pump = Pump(self.name)
        self._places: dict[str, _Place] = {}

    def batches(self) -> Iterator[Batch | None]:
        self._pump.start(self._begin, "lookup")
        yield from self._pump.batches()

    def acknowledge(self, batch: Batch) -> None:
        until = batch.token
        assert isinstance(until, _Until)
        place = self._places[until.place]
        if until.time != place.acknowledged:
            place.acknowledged = until.time
            self._checkpoints.save(f"lookup {place.name}", until.time)

    def close(self) -> None:
        self._pump.close()

    def _begin(self) -> None:
        health = Health(self.name, "lookup", self._metrics, self._pump.stop)
        while not self._pump.stop.is_set():
            try:
                found = self._find_places()
            except AWS_ERRORS as error:
                health.failed(error, "find accounts and regions")
                continue
            health.worked()
            for name, client in found.items():
                own = Health(f"lookup://{name}", "lookup", self._metrics, self._pump.stop)
                place = _Place(name, client, own, self._checkpoints.checkpoint(f"lookup {name}"))
                self._places[name] = place
                self._pump.start(lambda place=place: self._poll(place), "lookup")  # type: ignore[misc]
            return

    def _poll(self, place: _Place) -> None:
        while not self._pump.stop.is_set():
            now = self._clock()
            until = min(now, self._end)
            if place.reached is not None:
                # A clock that was set back since then must not stop the reading until it has caught up.
                begin = min(place.reached, now) - self._overlap
            else:
                begin = now - self._overlap if self._start is None else self._start
            begin = max(begin, now - HISTORY)
            while begin < until:
                last = min(begin + max(SLICE, self._overlap), until)
                try:
                    if not self._slice(place, begin, last):
                        return
                except AWS_ERRORS as error:
                    place.health.failed(error, "look up events")
                    break
                place.health.worked()
                place.reached = begin = last
            else:
                if self.finite:
                    return
                # Hundreds of places share one machine: three requests a second keep it nearly idle.
                self._pump.stop.wait(max(self._interval, len(self._places) / 3))

    def _slice(self, place: _Place, begin: float, end: float) -> bool:
        """Gives the new events of the slice, oldest first.  False once the source is closing."""
        found: list[tuple[float, str, bytes]] = []
        more: dict[str, str] = {}
        while True:
            wait = place.asked + SPACING - time.monotonic()
            if wait > 0 and self._pump.stop.wait(wait):
                return False
            place.asked = time.monotonic()
            answer = place.client.lookup_events(
                LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "false"}],
                StartTime=datetime.fromtimestamp(begin, UTC),
                EndTime=datetime.fromtimestamp(end, UTC),
                MaxResults=50,
                **more,
            )
            for event in answer.get("Events", []):
                text, moment = event.get("CloudTrailEvent"), event.get("EventTime")
                identity = str(event.get("EventId") or text)
                if isinstance(text, str) and identity not in place.given:
                    stamp = moment.timestamp() if isinstance(moment, datetime) else begin
                    found.append((stamp, identity, text.encode("utf-8", "surrogatepass")))
            if not answer.get("NextToken"):
                break
            more = {"NextToken": answer["NextToken"]}
        found.sort()
        origin = f"lookup://{place.name}"
        if found or end - (place.acknowledged or 0.0) > 60:
            # Lines must be lines whatever the events look like.
            lines = b"\n".join(_one_line(text) for _, _, text in found)
            if not self._pump.put(Batch(origin, (lines,) if lines else (), _Until(place.name, end))):
                return False
        for stamp, identity, _ in found:
            place.given[identity] = stamp
        for identity in [i for i, stamp in place.given.items() if stamp < end - 2 * self._overlap]:
            del place.given[identity]
        return True


def _one_line(text: bytes) -> bytes:
    if b"\n" not in text:
        return text
    try:
        return json.dumps(json.loads(text)).encode()
    except ValueError:
        return text.replace(b"\n", b" ")
