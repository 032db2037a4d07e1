"""How a source reports trouble, waits, and recovers."""

import logging
import random
import threading
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from tfdrift_core.metrics import Metrics

AWS_ERRORS: Final = (ClientError, BotoCoreError, OSError)
"""What a call to AWS may raise: its own answer, what botocore found before or after it, a broken connection."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0

_log = logging.getLogger("tfdrift.cloudtrail")

_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})
_ASSUME: Final = "allow sts:AssumeRole on the role of role_arn to this identity, here and in that role's trust policy"
_ADVICE = {
    "AccessDenied": "tfdrift doctor --iam-policy prints the policy that is needed",
    "AccessDeniedException": "tfdrift doctor --iam-policy prints the policy that is needed",
    "AWS.SimpleQueueService.NonExistentQueue": "create the queue, or correct its name, region and account",
    "QueueDoesNotExist": "create the queue, or correct its name, region and account",
    "ExpiredToken": "the credentials have expired",
    "ExpiredTokenException": "the credentials have expired",
    "RequestTimeTooSkewed": "set the clock of this machine",
    "SignatureDoesNotMatch": "check the secret key, and the clock of this machine",
    "KMS.DisabledException": "enable the KMS key, and allow kms:Decrypt",
    "KMS.NotFoundException": "the KMS key of the object is gone",
    "NoSuchBucket": "create the bucket, or correct its name",
    "NoCredentialsError": "give the process a role, or set aws.profile",
}


def code_of(error: Exception) -> str:
    """AWS's error code (``AccessDenied``), or the exception's name where the error is not AWS's answer."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "")) or type(error).__name__
    return type(error).__name__


def explained(error: Exception) -> str:
    """The error, and what to do about it where that is known."""
    code = code_of(error)
    if isinstance(error, ClientError) and error.operation_name == "AssumeRole" and code in _DENIED:
        return f"{error} ({_ASSUME})"
    return f"{error} ({_ADVICE[code]})" if code in _ADVICE else str(error)


def pause(failures: int) -> float:
    """Seconds to wait after a failure that so many others came before: growing, and never the same for two."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 16))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret


class Health:
    """The state of one thing that works or fails as a whole: logs each change of state once, counts every error.

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
        """The same for what is tried again at its own time."""
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
        """One thing that went wrong and that waiting does not mend."""
        self._metrics.add(self._metric)
        _log.error("%s: " + message, self.what, *details)
