"""Several sources as one."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tfdrift_core.cloudtrail.pump import Pump
from tfdrift_core.cloudtrail.source import Batch, Source, SourceError
from tfdrift_core.metrics import Metrics

RETRY: Final = 60.0
"""Seconds before a source that cannot work is tried again: the user may have mended what was wrong."""

_log = logging.getLogger("tfdrift.cloudtrail")


@dataclass(frozen=True, slots=True)
class _From:
    source: Source
    batch: Batch


class Merged:
    """Each source's batches in its own order; a source that fails is tried again while the others go on."""

    def __init__(self, sources: Sequence[Source], metrics: Metrics, retry: float = RETRY) -> None:
        self.name = ", ".join(source.name for source in sources)
        self.finite = all(source.finite for source in sources)
        self._sources, self._metrics, self._retry = sources, metrics, retry
        self._pump = Pump(self.name)
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def batches(self) -> Iterator[Batch | None]:
        for source in self._sources:
            self._pump.start(lambda source=source: self._drain(source), "merge")  # type: ignore[misc]
        yield from self._pump.batches()

    def acknowledge(self, batch: Batch) -> None:
        origin = batch.token
        assert isinstance(origin, _From)
        origin.source.acknowledge(origin.batch)

    def close(self) -> None:
        self._pump.stop.set()
        for source in self._sources:
            source.close()
        self._pump.close()

    def _drain(self, source: Source) -> None:
        told = ""
        while not self._pump.stop.is_set():
            try:
                for batch in source.batches():
                    if self._pump.stop.is_set():
                        return
                    if batch is not None and not self._pump.put(replace(batch, token=_From(source, batch))):
                        return
                return
            except SourceError as error:
                self._metrics.add("errors_sources")
                if str(error) != told:
                    told = str(error)
                    _log.error("%s; the other sources go on", error)
                with self._lock:
                    self._failed.add(source.name)
                    if len(self._failed) == len(self._sources):
                        raise
                if source.finite:
                    return
            self._pump.stop.wait(self._retry)
