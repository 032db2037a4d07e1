"""Threads that fetch ahead, and the bounded queue between them and the pipeline."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from tfdrift_core.sources.base import Batch, SourceError

QUEUE_BYTES: Final = 8 << 20
"""Enough to keep a reader busy; more would leave the processor's caches before it is read, and only cost memory."""
QUEUE_BATCHES: Final = 256
IDLE: Final = 0.5
"""Seconds after which an empty queue is reported to the caller."""


class Pump:
    """A queue of batches bounded by number and by bytes, and the threads that fill it.

    ``put`` blocks while the queue is full, so that a slow reader makes the threads wait instead of memory
    grow.  An empty queue takes one batch of any size.
    """

    def __init__(self, name: str) -> None:
        self.stop = threading.Event()
        self._name = name
        self._changed = threading.Condition()
        self._queue: deque[Batch] = deque()
        self._bytes = 0
        self._threads: list[threading.Thread] = []
        self._running = 0
        self._error: SourceError | None = None

    def start(self, work: Callable[[], None], name: str = "") -> None:
        with self._changed:
            self._running += 1
        thread = threading.Thread(target=self._run, args=(work,), name=f"tfdrift-{name or self._name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        # A defect reaches threading.excepthook, and must end the source instead of leaving it waiting for ever.
        error: SourceError | None = SourceError(f"{self._name}: stopped by a defect, see the log")
        try:
            work()
            error = None
        except SourceError as known:
            error = known
        finally:
            with self._changed:
                self._error = self._error or error
                self._running -= 1
                self._changed.notify_all()

    def put(self, batch: Batch) -> bool:
        """False once the source is closing: the batch was not taken."""
        size = sum(map(len, batch.documents))
        with self._changed:
            while not self.stop.is_set():
                if not self._queue or (len(self._queue) < QUEUE_BATCHES and self._bytes + size <= QUEUE_BYTES):
                    self._queue.append(batch)
                    self._bytes += size
                    self._changed.notify_all()
                    return True
                self._changed.wait(1.0)
        return False

    def batches(self) -> Iterator[Batch | None]:
        """Batches as they come, ``None`` twice a second meanwhile; ends when every thread has ended."""
        while True:
            with self._changed:
                if not self._queue and self._running and not self.stop.is_set():
                    self._changed.wait(IDLE)
                batch = self._queue.popleft() if self._queue else None
                if batch is not None:
                    self._bytes -= sum(map(len, batch.documents))
                    self._changed.notify_all()
                elif self.stop.is_set() or not self._running:
                    if self._error is not None:
                        raise self._error
                    return
            yield batch

    def waiting(self) -> int:
        return len(self._queue)

    def close(self) -> None:
        """Ends the threads and waits for them."""
        self.stop.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
