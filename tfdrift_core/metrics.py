"""Counters and gauges of one running pipeline."""

import threading
from collections.abc import Mapping


class Metrics:
    """Named numbers, safe to change and to read from any thread.

    Names are ``a_b`` words without a unit suffix: Falco removes ``_ts``, ``_bytes``, ``_sec`` and the like from metric
    names when it exposes them.  A name that was ``set`` is a gauge, one that was ``add``-ed to a counter.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, int] = {}
        self._gauges: dict[str, int] = {}

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._counters[name] = self._counters.get(name, 0) + amount

    def set(self, name: str, value: int) -> None:
        with self._lock:
            self._gauges[name] = value

    def counters(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._counters)

    def gauges(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._gauges)
