"""From records to drift events: for each record classify, resolve, change; for each resource compare and tell.

``batch.py`` calls the stages in order; this module keeps what lasts between batches.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tfdrift_core.drift.attempts import attempts
from tfdrift_core.drift.batch import Batch, Result, Settings, View
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.ends import outdated
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.drift.finding import Finding
from tfdrift_core.drift.memory import Documents, Key, Memory
from tfdrift_core.drift.opening import reminder, resolved
from tfdrift_core.drift.present.imports import templates
from tfdrift_core.drift.verify import verify
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Instance, StateIndex


def merged(results: Iterable[Result]) -> Result:
    """Joins several results in order."""
    results = tuple(results)
    expected: Counter[str] = Counter()
    for result in results:
        expected.update(result.expected)
    return Result(
        tuple(event for result in results for event in result.events),
        sum(result.relevant for result in results),
        expected,
        any(result.terraform_ran for result in results),
        {key: instance for result in results for key, instance in result.touched.items()},
        sum(result.unknown for result in results),
    )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an engine remembered at one moment."""

    mark: int
    versions: Mapping[str, object]
    view: View | None


class Engine:
    """Turns batches of records into drift events.  Not safe for use from several threads at once."""

    def __init__(
        self,
        catalog: Catalog,
        expectations: Expectations,
        *,
        emit_expected: bool = False,
        coalesce: bool = True,
        emit_attempts: bool = False,
        memory: Memory | None = None,
    ) -> None:
        """``memory`` is what an earlier engine left."""
        self._emit_attempts = emit_attempts
        # Now, not at the first record: an update of TFDrift may replace the files of a plugin that runs.
        templates()
        self._settings = Settings(catalog, expectations, emit_expected)
        self._coalesce = coalesce
        self.memory = memory or Memory()
        self._view: View | None = None
        self._versions: Mapping[str, object] = {}

    def process(self, index: StateIndex, records: Sequence[Record], now: int = 0) -> Result:
        """The drift that ``records`` made or ended, in their order, after what a newer ``index`` ended.

        ``now`` is the time to stamp events with, in nanoseconds since the epoch.  With ``coalesce`` what the records of
        one batch do to a resource is reported as one net change, by the last caller who touched the attribute.  What
        was denied comes last.
        """
        ended = self._compare_states(index, now)
        denied = [record for record in records if record.denied] if self._emit_attempts else []
        if denied:
            records = [record for record in records if not record.denied]
        groups = [records] if self._coalesce else [[record] for record in records]
        return merged(
            (
                ended,
                *(self._batch(index, now).run(group) for group in groups),
                *(self._attempted(index, record, now) for record in denied),
            )
        )

    def recall(self, memory: Memory, documents: Iterable[tuple[Key, bytes]]) -> None:
        """Begin with what was kept of each resource, and forget the rest."""
        memory.load(documents)
        self.memory, self._view, self._versions = memory, None, {}

    def commit(self) -> None:
        """Make what was remembered final: earlier snapshots are void."""
        self.memory.commit()

    def is_current(self, index: StateIndex) -> bool:
        """Whether this version of the states was compared with what is remembered."""
        return self._view is not None and self._view.index is index

    def remind(self, now: int, period: int, silenced: Collection[str]) -> Result:
        """A reminder of each drift that has been open for another ``period``; both are in nanoseconds.

        ``silenced`` are the ids of drift that somebody acknowledged.
        """
        events: list[DriftEvent] = []
        touched: dict[Key, Instance | None] = {}
        for key in self.memory.due(now, period):
            openings = self.memory.openings(key)
            due = {o.id for o in openings if o.id not in silenced and now >= o.opened + (o.reminded + 1) * period}
            if not due:
                continue
            events += [reminder(opening, now) for opening in openings if opening.id in due]
            # One reminder for all the periods that a pipeline was not there to count.
            self.memory.replace_openings(
                key,
                [replace(o, reminded=(now - o.opened) // period) if o.id in due else o for o in openings],
            )
            touched[key] = self._instance(key)
        return Result(tuple(events), touched=touched)

    def _instance(self, key: Key) -> Instance | None:
        state, address = key
        return self._view.index.at(state, {address}).get(address) if self._view is not None and state else None

    def documents(self, result: Result) -> Documents:
        """The documents to keep of all that a result touched; ``None`` for what there is no room for."""
        dropped = dict.fromkeys(self.memory.dropped())
        return dropped | {key: self.memory.document(key, instance) for key, instance in result.touched.items()}

    def unknown(self, index: StateIndex, record: Record, why: str, now: int = 0) -> Result:
        """Tell what a record touches, where ``why`` says that its change cannot be worked out."""
        return self._batch(index, now).run([record], why)

    def _attempted(self, index: StateIndex, record: Record, now: int) -> Result:
        return Result(tuple(attempts(self._settings, self._view_of(index), self.memory, record, now)))

    def verify(self, index: StateIndex, findings: Iterable[Finding], now: int = 0) -> Result:
        """Compare findings of Terraform's plans with what is remembered: more drift, or the end of some."""
        ended, view = self._compare_states(index, now), self._view_of(index)
        return merged((ended, *(verify(self._settings, view, self.memory, finding, now) for finding in findings)))

    def _batch(self, index: StateIndex, now: int) -> Batch:
        return Batch(self._settings, self._view_of(index), self.memory, now)

    def _view_of(self, index: StateIndex) -> View:
        if self._view is None or self._view.index is not index:
            self._view = View(index)
        return self._view

    def snapshot(self) -> Snapshot:
        """A snapshot of what the engine remembers, for ``restore``."""
        return Snapshot(self.memory.snapshot(), self._versions, self._view)

    def restore(self, snapshot: Snapshot) -> None:
        """Forget what was processed since the snapshot."""
        self.memory.restore(snapshot.mark)
        self._versions, self._view = snapshot.versions, snapshot.view

    def _compare_states(self, index: StateIndex, now: int) -> Result:
        """Compare what is remembered with a newer version of the states."""
        if self.is_current(index):
            return Result()
        events: list[DriftEvent] = []
        touched: dict[Key, Instance | None] = {}
        for found in outdated(self.memory, index, self._versions):
            events += [resolved(end.opening, end.resolution, None, now) for end in found.ends]
            self.memory.forget(found.key, now)
            touched[found.key] = None
            if found.moved is not None:
                self.memory.remember(found.moved.key, found.moved.remembered, now)
                touched[found.moved.key] = found.moved.instance
        self._versions = dict(index.versions)
        return Result(tuple(events), touched=touched)
