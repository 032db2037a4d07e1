"""How a source reports trouble, waits, and recovers."""

import logging
import random
import threading
from typing import Final

from botocore.exceptions import ClientError

from tfdrift_core import aws
from tfdrift_core.metrics import Metrics

AWS_ERRORS: Final = (*aws.ERRORS, OSError)
"""What a call to AWS may raise, a broken connection included."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0

_log = logging.getLogger("tfdrift.cloudtrail")


def code_of(error: Exception) -> str:
    """AWS's error code (``AccessDenied``), or the exception's name for an error that is no answer of AWS."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "")) or type(error).__name__
    return type(error).__name__


def explained(error: Exception) -> str:
    """The error, and what to do about it where that is known."""
    if isinstance(error, aws.ERRORS):
        return aws.explain(error, allow="what tfdrift doctor --iam-policy prints")
    return str(error)


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row: growing, with jitter."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 16))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret


class Health:
    """The health of one part that works or fails as a whole.  Logs each change once, and counts every error.

    Safe to use from several threads.
    """

    def __init__(self, what: str, kind: str, metrics: Metrics, stop: threading.Event) -> None:
        self.what, self._metric, self._metrics, self._stop = what, f"errors_{kind}", metrics, stop
        self._lock = threading.Lock()
        self._code = ""
        self._failures = 0

    def failed(self, error: Exception, doing: str) -> None:
        """Counts the error, logs it when it is a new one, and waits before the next attempt (or until the end)."""
        self.told(error, doing)
        with self._lock:
            wait = pause(self._failures)
            self._failures += 1
        self._stop.wait(wait)

    def told(self, error: Exception, doing: str) -> None:
        """Like ``failed``, without waiting: for work that has its own time of retry."""
        self._metrics.add(self._metric)
        code = code_of(error)
        with self._lock:
            changed, self._code = self._code != code, code
        if changed:
            _log.error("%s: cannot %s: %s; will keep trying", self.what, doing, explained(error))

    def worked(self) -> None:
        if self._code:
            with self._lock:
                self._code, self._failures = "", 0
            _log.warning("%s: works again", self.what)

    def note(self, message: str, *details: object) -> None:
        """Counts and logs one problem that waiting does not solve."""
        self._metrics.add(self._metric)
        _log.error("%s: " + message, self.what, *details)
