"""Old records, compared with what state was when each of them was logged."""

import logging
import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from tfdrift_core.config import Config
from tfdrift_core.delivery.tracked import Tracked
from tfdrift_core.metrics import Metrics
from tfdrift_core.output.sink import Sink
from tfdrift_core.pipeline import Pipeline
from tfdrift_core.records.ordered import Ordered
from tfdrift_core.records.record import Record
from tfdrift_core.records.scan import HELD_RECORDS
from tfdrift_core.sources.base import Batch
from tfdrift_core.terraform.backends import History
from tfdrift_core.terraform.versions import VersionStore

log = logging.getLogger("tfdrift.replay")

_SECOND: Final = 1_000_000_000
_TOGETHER: Final = 300 * _SECOND
"""What is done to a resource within so long comes to one net change, as in a file of a trail: it has five minutes."""


class AtTheTime(Pipeline):
    """Reads a source to its end, and then compares its records in their order, each with the states of its time."""

    store: VersionStore

    def __init__(self, config: Config, metrics: Metrics | None = None) -> None:
        metrics = metrics or Metrics()
        self._moment = 0
        super().__init__(config, metrics, store=VersionStore(config, metrics=metrics), clock=lambda: self._moment)
        self._ordered = Ordered()
        self._span: tuple[int, int] | None = None
        self._before = 0

    def close(self) -> None:
        super().close()
        self._ordered.close()

    def _work(self, source: Tracked, batch: Batch, sink: Sink, stop: threading.Event) -> bool:
        for records, _ in self._scan(batch):
            self._ordered.add(records)
        source.acknowledge(batch, {})
        return not stop.is_set()

    def _read(self, source: Tracked, sink: Sink, stop: threading.Event) -> None:
        self.store.list_versions()
        super()._read(source, sink, stop)
        begins = sorted({version.moment for history in self.store.histories for version in history.versions})
        for records in _in_versions(self._ordered, begins):
            first, last = records[0].time, records[-1].time
            self._span = (self._span[0] if self._span else first, last)
            place = bisect_right(begins, first)
            if not place:
                self._before += len(records)
                continue
            self._acknowledge(source, sink)
            if stop.is_set() or not self._go_to(begins[place - 1], source, sink):
                return
            self._moment = last
            batch = source.part(Batch("records in the order of their times", (), durable=False))
            if not self._report(source, batch, records, sink, stop):
                return
        if begins and self._span and self._go_to(begins[-1], source, sink):
            self._wait(source, sink, stop)

    def _go_to(self, moment: int, source: Tracked, sink: Sink) -> bool:
        """Let the states be those of a moment, and tell what they ended; false once the sink has closed."""
        self._moment = moment
        if not self.store.go_to(moment):
            return True
        result = self._engine.process(self.store.index, (), moment)
        self._engine.commit()
        return self._deliver(source, source.interim(), result, sink)

    def gaps(self) -> Iterator[str]:
        """Which part of the time that the records are from has no version of a state."""
        if self._before:
            yield f"{self._before} records tell no time, or one before every version of a state: they are not compared"
        if self._span is not None:
            first, last = self._span
            for history in self.store.histories:
                yield from _gaps(history, first, last)


def _gaps(history: History, first: int, last: int) -> Iterator[str]:
    versions = history.versions
    held = f"{history.ref.origin}: {len(versions)} version{'s' * (len(versions) != 1)}"
    if versions[0].moment > first:
        yield f"{held}, the first of {_time(versions[0].moment)}; of the time from {_time(first)} to then it has none"
    elif versions[0].moment == 0:
        known = min((version.moment for version in versions if version.moment), default=last)
        yield f"{held}; since when the first was current nothing tells: all before {_time(known)} is compared with it"
    for version, following in zip(versions, [*versions[1:], None], strict=True):
        ended = following.moment if following is not None else last
        if not version.key and version.moment <= last and ended >= first:
            until = f"until {_time(ended)}" if following is not None else "on"
            yield f"{history.ref.origin}: it was deleted from {_time(version.moment)} {until}"


def _in_versions(records: Iterable[Record], begins: Sequence[int]) -> Iterator[list[Record]]:
    """Records that follow each other: of the same versions and within ``_TOGETHER``, as many as may be held."""
    held: list[Record] = []
    place = 0
    for record in records:
        own = bisect_right(begins, record.time)
        if held and (own != place or len(held) >= HELD_RECORDS or record.time - held[0].time >= _TOGETHER):
            yield held
            held = []
        held.append(record)
        place = own
    if held:
        yield held


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment / _SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")
