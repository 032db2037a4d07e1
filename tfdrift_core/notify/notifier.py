"""Takes alerts, lets bursts gather, sends one message a burst and target, and sends again what failed."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from tfdrift_core.notify.spool import Spool
from tfdrift_core.notify.targets import Target, keys
from tfdrift_core.output.alert import Alert
from tfdrift_core.text import counted

logger = logging.getLogger("tfdrift.notify")

MAX_BURST = 200
"""Alerts that go into one message at most."""


@dataclass
class Notifier:
    """``window`` is how long a burst gathers, in seconds.  Times are seconds since the epoch, given by the caller."""

    targets: Sequence[Target]
    spool: Spool
    window: float
    duplicates: int = 0
    sent: int = 0
    failed: int = 0

    def accept(self, alert: Alert, now: float) -> None:
        if not self.spool.add(alert, keys(self.targets, alert), now, now + self.window):
            self.duplicates += 1

    def next_due(self) -> float | None:
        """When ``flush`` has something to do, ``None`` while nothing waits."""
        return self.spool.next_due([target.key for target in self.targets])

    def flush(self, now: float) -> None:
        """Send the bursts that are due.  A target that fails keeps its alerts; the others do not wait for it."""
        for target in self.targets:
            while alerts := self.spool.claim(target.key, now, now + self.window, MAX_BURST):
                sent = target.send(alerts)
                self.spool.sent(target.key, alerts[:sent])
                self.sent += sent
                if sent == len(alerts):
                    continue
                self.failed += len(alerts) - sent
                wait = self.spool.failed(target.key, now) - now
                logger.error(
                    "%s did not take %s; kept, again in %d s", target.name, counted(len(alerts) - sent, "alert"), wait
                )
                break
