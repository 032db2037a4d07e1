"""A source together with its ledger: what the pipeline reads from."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tfdrift_core.delivery.drifts import Documents, Key, Recall, Shared, StoreError
from tfdrift_core.delivery.ledger import Claim, Ledger
from tfdrift_core.records.record import Record
from tfdrift_core.sources.base import Batch, Source

_log = logging.getLogger("tfdrift.store")


class Tracked:
    """Records and events that are new, however often and by however many ways their batches come.

    For every batch, in this order: ``fresh`` once with all records of the batch; ``offer`` before each of its events is
    given to the reader; ``advance`` as the reader gets on; ``acknowledge`` when the reader has finished with all.
    ``restart`` comes after a failure and before ``batches`` is called again.
    """

    def __init__(self, make: Callable[[], Source], ledger: Ledger, shared: Shared | None = None) -> None:
        """``make`` makes the source, anew after each failure.  Replicas pass the store that they share."""
        self._make, self._ledger, self._shared = make, ledger, shared
        self._source: Source | None = make()
        self.name, self.finite = self._source.name, self._source.finite
        self._claims: dict[int, tuple[Batch, Claim]] = {}
        self._told: dict[int, list[str]] = {}

    def batches(self) -> Iterator[Batch | None]:
        if self._source is None:
            self._source = self._make()
        return self._source.batches()

    def restart(self) -> None:
        """Closes the source and forgets what is not settled: the next source delivers it again."""
        source, self._source = self._source, None
        if source is not None:
            source.close()
        self._claims.clear()
        self._ledger.restart()

    def fresh(self, batch: Batch, records: list[Record]) -> list[Record]:
        """The records that are new, oldest first."""
        claim = self._ledger.claim(batch, records)
        # What is under way is known by its keys; the records would be held until the reader has finished with them.
        self._claims[id(batch)] = batch, replace(claim, records=[])
        return claim.records

    def offer(self, batch: Batch, event_id: str) -> bool:
        """Whether to give the event to the reader.  False if it had it before a crash, or another replica tells it."""
        claim = self._claims[id(batch)][1]
        if self._shared is not None and claim.durable:
            if not self._shared.owns(event_id):
                return False
            self._told.setdefault(id(batch), []).append(event_id)
        return self._ledger.offer(claim, event_id)

    def keep(self, batch: Batch, content: Callable[[], bytes]) -> None:
        """Keep the bytes of the event that was just offered, before it is given to the reader."""
        self._ledger.keep(self._claims[id(batch)][1], content)

    @property
    def recent(self) -> Sequence[bytes]:
        """The bytes of the events that the reader took shortly before the last process ended."""
        return self._ledger.recent

    def again(self, count: int) -> None:
        """Say how many of the ``recent`` events are given to the reader now, before any other event."""
        self._ledger.again(count)

    def advance(self, count: int) -> None:
        """The reader has finished with the first ``count`` of the events that were offered since the start."""
        self._ledger.advance(count)

    @property
    def progress(self) -> Any:
        """A buffer whose first eight bytes hold that count, for C to move on; None without ``data_dir``."""
        return self._ledger.progress

    def part(self, batch: Batch) -> Batch:
        """A batch for some of another's records.  It is never acknowledged to the source."""
        return replace(batch, documents=(), token=self)

    def interim(self) -> Batch:
        """A batch without records, for events that time or a newer state causes; its source never hears of it."""
        batch = Batch("state", (), self)
        self._claims[id(batch)] = batch, self._ledger.claim(batch, ())
        return batch

    def acknowledge(self, batch: Batch, left: Documents) -> None:
        """The reader has finished with a batch; ``left`` is what it left of the resources that it touched."""
        if id(batch) in self._claims:
            claim = self._claims.pop(id(batch))[1]
            self._share(claim, left, self._told.pop(id(batch), ()))
            self._ledger.settle(claim, left)
        if self._source is not None and batch.token is not self:
            self._source.acknowledge(batch)

    def _share(self, claim: Claim, left: Documents, told: Sequence[str]) -> None:
        """Tell the other replicas.  This comes before the batch is settled: after a crash it would never happen."""
        if self._shared is None or not claim.durable:
            return
        if left:
            # A record may claim to be of the future; nothing that others know may be older than that for ever.
            now = time.time_ns()
            self._shared.keep(left, min(max((record.time for record in claim.records), default=now), now))
        self._shared.done(told)

    @property
    def salt(self) -> bytes:
        try:
            return self._ledger.salt if self._shared is None else self._shared.salt
        except StoreError as error:
            _log.error("%s; secrets are compared with those that this replica saw only, until a restart", error)
            return self._ledger.salt

    def remembered(self) -> Sequence[tuple[Key, bytes]]:
        """How settled batches left each resource."""
        return (self._shared.remembered() if self._shared is not None else ()) or self._ledger.remembered()

    @property
    def recall(self) -> Recall | None:
        """How another replica left a resource, where replicas share a store."""
        return None if self._shared is None else self._shared.recall

    def silenced(self) -> frozenset[str]:
        """The ids of drift of which nobody is reminded."""
        return self._ledger.silenced() if self._shared is None else self._shared.silenced()

    def found(self) -> Sequence[tuple[Key, bytes]]:
        """What ``tfdrift verify`` found of resources and was not marked as ``taken`` yet."""
        return self._ledger.found() if self._shared is None else self._shared.found()

    def taken(self, found: Sequence[tuple[Key, bytes]]) -> None:
        """Mark a finding as settled, or as of no use."""
        (self._ledger if self._shared is None else self._shared).taken(found)

    def plan_known(self, origin: str) -> str:
        """The version of a plan that was taken over last."""
        return str(self._ledger.checkpoint(f"plan {origin}") or "")

    def plan_taken(self, origin: str, version: str) -> None:
        """Mark a plan as settled."""
        self._ledger.save(f"plan {origin}", version)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._ledger.close()
