"""From records to drift events: for each record classify, resolve, change; for each resource compare and tell.

Every stage has a room of its own and ``batch.py`` calls them in order; this module keeps what lasts between batches.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from tfdrift_core.drift.batch import Batch, Result, Settings, View
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.classify.classify import Expectations
from tfdrift_core.drift.memory import Memory, Snapshot
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import StateIndex


def merged(results: Iterable[Result]) -> Result:
    """Several results, in order, as one."""
    results = tuple(results)
    expected: Counter[str] = Counter()
    for result in results:
        expected.update(result.expected)
    return Result(
        tuple(event for result in results for event in result.events),
        sum(result.relevant for result in results),
        expected,
        any(result.terraform_ran for result in results),
    )


class Engine:
    """Turns batches of records into drift events.  Not safe for use from several threads at once."""

    def __init__(
        self,
        catalog: Catalog,
        expectations: Expectations,
        *,
        emit_expected: bool = False,
        coalesce: bool = True,
    ) -> None:
        self._settings = Settings(catalog, expectations, emit_expected)
        self._coalesce = coalesce
        self._memory = Memory()
        self._view: View | None = None

    def process(self, index: StateIndex, records: Sequence[Record], now: int = 0) -> Result:
        """The drift that ``records``, in their order, made; ``now`` is the time to stamp events with, in nanoseconds.

        With ``coalesce`` what the records of one batch do to a resource is reported as one net change, by the last
        caller who touched the attribute.
        """
        if self._view is None or self._view.index is not index:
            self._view = View(index)
        groups = [records] if self._coalesce else [[record] for record in records]
        return merged(Batch(self._settings, self._view, self._memory, now).run(group) for group in groups)

    def snapshot(self) -> Snapshot:
        """What the engine remembers, for ``restore``."""
        return self._memory.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Forget what was processed since the snapshot."""
        self._memory.restore(snapshot)
