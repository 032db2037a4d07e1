"""Several sources as one."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from tfdrift_core.metrics import Metrics
from tfdrift_core.sources.base import Batch, Source, SourceError
from tfdrift_core.sources.pump import Pump

RETRY: Final = 60.0
"""Seconds before a source that cannot work is tried again: the user may have mended what was wrong."""

_log = logging.getLogger("tfdrift.cloudtrail")


@dataclass(frozen=True, slots=True)
class _From:
    source: Source
    batch: Batch


class Merged:
    """Merges sources.  Each keeps its own order; one that fails is opened again while the others go on.

    Sources that all end are read one after the other: what the user named first happened first.
    """

    def __init__(self, makers: Sequence[Callable[[], Source]], metrics: Metrics, retry: float = RETRY) -> None:
        """``makers`` make the sources; they are called again for one that has failed."""
        self._makers, self._metrics, self._retry = makers, metrics, retry
        self._sources = [make() for make in makers]
        self.name = ", ".join(source.name for source in self._sources)
        self.finite = all(source.finite for source in self._sources)
        self._pump = Pump(self.name)
        self._failed: set[int] = set()
        self._lock = threading.Lock()

    def batches(self) -> Iterator[Batch | None]:
        places = range(len(self._sources))
        for together in [places] if self.finite else [[place] for place in places]:
            self._pump.start(partial(self._drain_all, together), "merge")
        yield from self._pump.batches()

    def acknowledge(self, batch: Batch) -> None:
        origin = batch.token
        assert isinstance(origin, _From)
        origin.source.acknowledge(origin.batch)

    def close(self) -> None:
        # First the threads here, one of which may be about to open a source anew.
        self._pump.close()
        for source in self._sources:
            source.close()

    def _drain_all(self, places: Sequence[int]) -> None:
        for place in places:
            self._drain(place)

    def _drain(self, place: int) -> None:
        told = ""
        while not self._pump.stop.is_set():
            source = self._sources[place]
            try:
                for batch in source.batches():
                    if told:
                        told = ""
                        with self._lock:
                            self._failed.discard(place)
                        _log.warning("%s: works again", source.name)
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
                    self._failed.add(place)
                    if len(self._failed) == len(self._sources):
                        raise
                if source.finite:
                    return
            if self._pump.stop.wait(self._retry):
                return
            source.close()
            self._sources[place] = self._makers[place]()
