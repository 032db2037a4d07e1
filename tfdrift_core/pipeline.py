"""Joins source, state, engine and sink: the one loop that everything else serves."""

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tfdrift_core.baseline.look import NoPlans, Plans
from tfdrift_core.baseline.waiting import Settle, Waiting
from tfdrift_core.config import Config, ConfigError
from tfdrift_core.context import Contexts
from tfdrift_core.delivery.drifts import Documents
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.delivery.open import open_sources
from tfdrift_core.delivery.tracked import Tracked
from tfdrift_core.drift import document as written
from tfdrift_core.drift.batch import Result
from tfdrift_core.drift.change import catalog
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.engine import Engine, merged
from tfdrift_core.drift.event import DriftEvent, Opening
from tfdrift_core.drift.finding import Finding
from tfdrift_core.drift.memory import Memory
from tfdrift_core.metrics import Metrics
from tfdrift_core.output.sink import Sink
from tfdrift_core.records.record import Record
from tfdrift_core.records.scan import HELD_BYTES, HELD_RECORDS, Scan, parts
from tfdrift_core.records.sift import Document, Packed, Sifter
from tfdrift_core.sources.base import Batch, Source
from tfdrift_core.sources.files import DamagedError, unpacked
from tfdrift_core.terraform.model import StateIndex
from tfdrift_core.terraform.store import StateStore

log = logging.getLogger("tfdrift.pipeline")

_APPLY_POLL = 0.5
_PLAN_POLL = 0.05
_LOOK_AFTER = 1_000_000_000  # nanoseconds between two looks at newer states and long open drift


@dataclass(frozen=True, slots=True)
class _Delivered:
    """A batch that may be acknowledged once ``last`` events have been handed over, and what it left.

    ``settles`` are to be called after that.
    """

    batch: Batch
    last: int
    left: Documents
    settles: Sequence[Settle] = ()


class Pipeline:
    """One configured pipeline.

    Making it validates the whole configuration and touches neither network nor source; ``open`` says what to read and
    ``run`` reads it on the calling thread until the source ends or ``stop`` is set.

    :raises ConfigError: when the configuration cannot work.
    """

    def __init__(
        self,
        config: Config,
        metrics: Metrics | None = None,
        *,
        sifter: Sifter | None = None,
        clock: Callable[[], int] = time.time_ns,
        store: StateStore | None = None,
        baseline: bool = False,
    ) -> None:
        """``store`` has the states of the configuration; one is made where none is given.

        ``baseline`` is whether the plans of the configuration are read: not where old records are read again.
        """
        self.metrics = metrics or Metrics()
        self._config = config
        self._sifter = sifter
        self._clock = clock
        # From the start: whoever watches them must tell "nothing came" from "not there".
        self.metrics.add("records_read", 0)
        self.metrics.set("last_record_time", clock() // 1_000_000_000)
        try:
            events = catalog.load(config.catalog)
        except catalog.CatalogError as error:
            raise ConfigError(str(error)) from error
        self._ignores = events.ignores
        self._engine = Engine(
            events,
            Expectations.parse(config.expected),
            emit_expected=config.emit_expected,
            coalesce=config.coalesce,
            emit_attempts=config.emit_attempts,
        )
        self.store = store or StateStore(config, metrics=self.metrics, clock=clock)
        self._contexts = Contexts(self.store, config.authors)
        self._source: Tracked | None = None
        self._delivered: deque[_Delivered] = deque()
        self._sent = 0
        self._left_locks: set[str] = set()
        self._recalled = False
        self._looked_at = 0
        self._plans = _plans(config, events, self.metrics)
        self._waiting = Waiting(self._plans)
        self._reads_plans = baseline

    def open(self, params: str) -> None:
        """Choose what to read: a source's URL or path, or "" for the configured ``sources``.

        :raises ConfigError, SourceError: when there is nothing to read or it cannot be read.
        """
        self._source = open_sources(params, self._config, self.metrics, self._sifter)
        if not self._config.state and not self._config.config:
            log.warning("no state is configured, so only what is created is drift; add state or config to init_config")

    @property
    def open_drift(self) -> Sequence[Opening]:
        """The drift that was reported and is not over, the oldest first."""
        memory = self._engine.memory
        found = [opening for key in memory.drifted() for opening in memory.openings(key)]
        return sorted(found, key=lambda opening: opening.opened)

    def open_with(self, make: Callable[[], Source]) -> None:
        """Read what ``make`` makes, and remember nothing over a restart."""
        self._source = Tracked(make, Ledger())

    @property
    def progress(self) -> Any:
        """Eight bytes, in the machine's order, in which the reader may count the events that it has finished with.

        A crash then takes nothing of that count back.  ``None`` where nothing is kept over a restart.
        """
        return self._source.progress if self._source is not None else None

    def close(self) -> None:
        """Let go of source and state.  ``run`` must have returned."""
        self._plans.close()
        if self._source is not None:
            self._source.close()
            self._source = None
        self._contexts.close()
        self.store.close()

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Read, compare and report until the source ends, ``stop`` is set or the sink closes.

        After an exception it may be run again, with the same sink: what was not reported is then read anew.
        """
        source = self._source
        if source is None:
            raise ConfigError("the pipeline was run before it was opened")
        if not self._recalled:
            self._recall(source)
        self.store.heed(stop)
        try:
            if self._repeat(source, sink):
                self._read(source, sink, stop)
        except Exception:
            try:
                # What is on its way to the reader would be reported again if its batch came again.
                self._wait(source, sink, stop)
            finally:
                self._delivered.clear()
                source.restart()
                self._waiting.restart()
                # Batches that come again are compared with what the settled ones left.
                self._recalled = not self._config.data_dir
            raise
        finally:
            self._acknowledge(source, sink)

    def _recall(self, source: Tracked) -> None:
        """Begin with what is remembered over restarts."""
        self._engine.recall(Memory(source.salt, source.recall), source.remembered())
        self._recalled = True

    def _repeat(self, source: Tracked, sink: Sink) -> bool:
        """Offer again what the reader took last before a restart; False once the sink has closed."""
        events = [event for content in source.recent if (event := self._written(content)) is not None]
        source.again(len(events))
        if events:
            log.info("%d events are given again, marked drift.repeated: their alerts may have been lost", len(events))
            self.metrics.add("events_repeated", len(events))
        for event in events:
            if not sink.put(replace(event, repeated=True)):
                return False
            self._sent += 1
        return True

    def _written(self, content: bytes) -> DriftEvent | None:
        try:
            return written.from_bytes(content)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("data_dir: an event that another version wrote is not repeated: %r", error)
            return None

    def _read(self, source: Tracked, sink: Sink, stop: threading.Event) -> None:
        self.store.refresh(force=True)
        if self._reads_plans:
            self._plans.start(source.plan_known)
        for batch in source.batches():
            if stop.is_set():
                return
            self._acknowledge(source, sink)
            self.store.refresh(wait=False)
            if not self._look_after(source, sink):
                return
            if batch is not None and not self._work(source, batch, sink, stop):
                return
        if self._await_plans(source, sink, stop):
            self._wait(source, sink, stop)

    def _await_plans(self, source: Tracked, sink: Sink, stop: threading.Event) -> bool:
        """Where the records come to an end: take over every plan that was there; False once the sink has closed."""
        while self._reads_plans and not self._waiting.idle and not stop.wait(_PLAN_POLL):
            self._looked_at = 0
            self._acknowledge(source, sink)
            if not self._look_after(source, sink):
                return False
        return True

    def _look_after(self, source: Tracked, sink: Sink) -> bool:
        """Tell what a newer state ended and what is open for long; False once the sink has closed."""
        now = self._clock()
        if 0 <= now - self._looked_at < _LOOK_AFTER:
            return True
        self._looked_at = now
        index, period = self.store.index, int(self._config.remind_after * 1e9)
        results = [] if self._engine.is_current(index) else [self._engine.process(index, (), now)]
        found, settles = self._waiting.take(source, self._engine.memory, index, now)
        results += [self._verified(index, finding, now) for finding in found]
        if period:
            results.append(self._engine.remind(now, period, source.silenced()))
        self._engine.commit()
        memory = self._engine.memory
        self.metrics.set("open_drifts", memory.open_drifts)
        self.metrics.set("open_drift_oldest_age", max(now - memory.oldest, 0) // 10**9 if memory.oldest else 0)
        result = merged(results)
        if not (result.events or result.touched or settles):
            return True
        return self._deliver(source, source.interim(), result, sink, settles)

    def _verified(self, index: StateIndex, finding: Finding, now: int) -> Result:
        before = self._engine.snapshot()
        try:
            return self._engine.verify(index, [finding], now)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end detection
            self._engine.restore(before)
            self._defect(f"{finding.key[1]}: what {finding.origin} shows is left out", error)
            return Result()

    def _wait(self, source: Tracked, sink: Sink, stop: threading.Event) -> None:
        """Until the reader has finished with everything that it was given, or ``stop`` is set."""
        self._acknowledge(source, sink)
        while self._delivered and not stop.wait(0.01):
            self._acknowledge(source, sink)

    def _acknowledge(self, source: Tracked, sink: Sink) -> None:
        done = sink.handed_over()
        source.advance(done)
        while self._delivered and self._delivered[0].last <= done:
            delivered = self._delivered.popleft()
            source.acknowledge(delivered.batch, delivered.left)
            for settle in delivered.settles:
                settle()

    def _work(self, source: Tracked, batch: Batch, sink: Sink, stop: threading.Event) -> bool:
        """Report the drift of one batch; False once the sink has closed.

        Of a batch of very many records each part is settled by itself, and the source hears of the last one.
        """
        for records, last in self._scan(batch):
            if stop.is_set() or not self._report(source, batch if last else source.part(batch), records, sink, stop):
                return False
        return True

    def _report(self, source: Tracked, batch: Batch, records: list[Record], sink: Sink, stop: threading.Event) -> bool:
        result = self._process(source.fresh(batch, records), stop)
        self._engine.commit()
        return self._deliver(source, batch, result, sink)

    def _deliver(
        self,
        source: Tracked,
        batch: Batch,
        result: Result,
        sink: Sink,
        settles: Sequence[Settle] = (),
    ) -> bool:
        self._count(result)
        # Now: what the next batch does to the same resources belongs to that batch.
        left = self._engine.documents(result) if batch.durable else {}
        for event in result.events:
            if not source.offer(batch, event.id):
                continue
            event = replace(event, context=self._contexts.of(event))
            source.keep(batch, partial(written.to_bytes, event))
            if not sink.put(event):
                return False
            self._sent += 1
        self._delivered.append(_Delivered(batch, self._sent, left, settles))
        return True

    def _scan(self, batch: Batch) -> Iterator[tuple[list[Record], bool]]:
        """The records of a batch, as many at a time as may be held, and whether these are the last."""
        records: list[Record] = []
        weight = 0
        self.metrics.add("batches_read")
        for document in batch.documents:
            try:
                for part in self._parts(document, batch):
                    weight += part.weight
                    if records and (len(records) + len(part.records) > HELD_RECORDS or weight > HELD_BYTES):
                        yield records, False
                        records, weight = [], part.weight
                    records += part.records
                    self._count_read(part)
            except DamagedError as error:
                self.metrics.add("errors_files")
                log.error("%s: %s; what was before is read", batch.origin, error)
            except Exception as error:  # noqa: BLE001 - the batch would come again and again, and nothing after it
                self._defect(f"{batch.origin} is left out", error)
        yield records, True

    def _parts(self, document: Document | Packed, batch: Batch) -> Iterator[Scan]:
        for one in unpacked(document) if isinstance(document, Packed) else (document,):
            yield from parts(one, batch.origin, self._ignores, batch.place, denied=self._config.emit_attempts)

    def _count_read(self, found: Scan) -> None:
        self.metrics.add("records_read", found.read)
        if found.read:
            self.metrics.set("last_record_time", self._clock() // 1_000_000_000)
        if found.bad:
            self.metrics.add("records_bad", found.bad)
        if found.refused:
            self.metrics.add("records_refused", found.refused)
        for fault in found.errors:
            log.warning("%s", fault)

    def _process(self, records: Sequence[Record], stop: threading.Event) -> Result:
        """Compare with state; when that shows drift and state may be older than the record, with newer state again."""
        before, index = self._engine.snapshot(), self.store.index
        result = self._compare(records)
        if result.terraform_ran:
            self.store.ensure_fresh(self._clock())
        if not result.events:
            return result
        waited = self._wait_for_apply({event.resource.state for event in result.events if event.resource.state}, stop)
        # What a run wrote that has ended meanwhile is newer than any copy.
        self.store.ensure_fresh(self._clock() if waited else max(event.record.time for event in result.events))
        if self.store.index is not index:
            self._engine.restore(before)
            result = self._compare(records)
        return result

    def _compare(self, records: Sequence[Record]) -> Result:
        """What the engine says; a record that it cannot take is told alone, for a batch comes again and again."""
        before = self._engine.snapshot()
        try:
            return self._engine.process(self.store.index, records, self._clock())
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end detection
            self._engine.restore(before)
            if len(records) > 1:
                return merged(self._compare([record]) for record in records)
            (record,) = records
            name = f"record {record.id} ({record.event_name} of {record.event_source})"
            self._defect(f"{name} is not worked out", error)
            return self._unknown(record, name)

    def _unknown(self, record: Record, name: str) -> Result:
        """What a record touches, where working on it failed: whoever made it fail must not pass unseen."""
        before = self._engine.snapshot()
        try:
            return self._engine.unknown(self.store.index, record, "working on it failed", self._clock())
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end detection
            self._engine.restore(before)
            self._defect(f"{name} is left out", error)
            return Result()

    def _defect(self, what: str, error: Exception) -> None:
        self.metrics.add("errors_internal")
        log.error("%s, please report this: %s", what, "".join(traceback.format_exception(error)).rstrip())

    def _wait_for_apply(self, states: Collection[str], stop: threading.Event) -> bool:
        """While Terraform holds a state's lock its next version may explain the change: wait for it, within bounds.

        Whether there was one to wait for.  A lock that outlives the wait was left behind; that state is not waited for
        again until its lock has gone.
        """
        if self._config.apply_wait <= 0:
            return False
        locked = self._locked(states)
        self._left_locks -= set(states) - locked
        awaited = locked - self._left_locks
        waited = bool(awaited)
        deadline = time.monotonic() + self._config.apply_wait
        while awaited and time.monotonic() < deadline:
            if stop.wait(_APPLY_POLL):
                return True
            awaited = self._locked(awaited)
        for state in sorted(awaited):
            log.warning(
                "%s has been locked for more than %g s; drift is reported without waiting for it any longer",
                state,
                self._config.apply_wait,
            )
        self._left_locks |= awaited
        return waited

    def _locked(self, states: Collection[str]) -> set[str]:
        return {state for state in states if self.store.applying({state})}

    def _count(self, result: Result) -> None:
        self.metrics.add("records_relevant", result.relevant)
        if result.unknown:
            self.metrics.add("records_unknown", result.unknown)
        for event in result.events:
            self.metrics.add(f"drift_{event.kind}" if event.resolution is None else f"resolved_{event.resolution}")
        for reason, count in result.expected.items():
            self.metrics.add(f"expected_{reason}", count)
        self.metrics.set("state_resources", len(self.store.index))


def _plans(config: Config, events: catalog.Catalog, metrics: Metrics) -> Plans:
    """:raises ConfigError: when an entry names no place."""
    if not config.baseline:
        return NoPlans()
    # What speaks to AWS and other servers takes long to load, and not everybody has plans.
    from tfdrift_core.baseline.reader import Reader

    return Reader(config, events, metrics)
