"""The interface through which the pipeline hands out its events."""

from typing import Protocol

from tfdrift_core.drift.event import DriftEvent


class Sink(Protocol):
    """Takes drift events in order.

    ``put`` may block (back-pressure) and returns False once the reader has closed: the pipeline then stops.
    ``handed_over`` is how many events the reader has finished with, counted since the start; the pipeline acknowledges
    a batch to its source only when this has passed the batch's last event.
    """

    def put(self, event: DriftEvent) -> bool: ...

    def handed_over(self) -> int: ...
