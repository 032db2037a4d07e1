"""Where notifications go: Apprise URLs from the environment or a file, because they hold secrets."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tfdrift_core.notify.message import Message, compose
from tfdrift_core.output.alert import PRIORITIES, Alert, AlertError, priority_of

logger = logging.getLogger("tfdrift.notify")

URLS = "TFDRIFT_NOTIFY_URLS"
"""The environment variable with the URLs, one a line or separated by blanks."""


class TargetError(Exception):
    """A target that cannot be used; the message says which, without its secrets, and why."""


@dataclass(frozen=True)
class Target:
    """One Apprise URL.  It takes alerts of ``priority`` and worse.  ``key`` tells it apart without its secrets."""

    name: str
    key: str
    priority: str
    _service: Any = field(repr=False, compare=False)

    def send(self, alerts: Sequence[Alert]) -> int:
        """How many of the alerts the service took, from the first: a burst is one message, taken or not."""
        return len(alerts) if _notify(self._service, compose(alerts)) else 0

    def wants(self, rank: int) -> bool:
        return rank <= PRIORITIES.index(self.priority)


@dataclass(frozen=True)
class Incidents(Target):
    """PagerDuty: one incident for each drift, under the id of the alert that told of it first.  Its end resolves it.

    ``_options`` is the URL as Apprise has parsed it, ``_instantiate`` what makes a service of that.
    """

    _options: Mapping[str, Any] = field(repr=False, compare=False)
    _instantiate: Callable[[Mapping[str, Any]], Any] = field(repr=False, compare=False)

    def send(self, alerts: Sequence[Alert]) -> int:
        for done, alert in enumerate(alerts):
            action = "resolve" if alert.kind == "resolved" else "trigger"
            service = self._instantiate({**self._options, "dedup": alert.told, "action": action})
            if not _notify(service, compose([alert])):
                return done
        return len(alerts)


def _notify(service: Any, message: Message) -> bool:
    """Whether the service took the message; Apprise turns every failure of the network into False."""
    sent: bool = service.notify(
        body=message.body, title=message.title, notify_type=message.level, body_format="markdown"
    )
    return sent


def _apprise() -> ModuleType:
    try:
        import apprise
    except ImportError as error:
        raise TargetError("tfdrift notify needs Apprise: pip install 'tfdrift-falco[notify]'") from error
    module: ModuleType = apprise
    return module


def load(environment: Mapping[str, str], file: Path | None, priority: str) -> list[Target]:
    """The targets of the environment and of ``file``.  Raises ``TargetError``.

    A line is a URL, or a priority and a URL (``critical pagerduty://…``); ``#`` starts a comment line.
    """
    apprise = _apprise()
    lines = [(URLS, number, word) for number, word in enumerate(environment.get(URLS, "").split(), 1)]
    if file is not None:
        lines += [(str(file), number, line) for number, line in enumerate(_read(file), 1)]
    targets = [
        _target(apprise, place, number, line.strip(), priority)
        for place, number, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not targets:
        raise TargetError(f"nowhere to send to: put Apprise URLs into ${URLS} or into the file that --urls names")
    return targets


def _read(file: Path) -> Sequence[str]:
    try:
        if file.stat().st_mode & 0o077 and os.name == "posix":
            logger.warning("%s holds secrets and others may read it; chmod 600 it", file)
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"cannot read {file}: {error}") from error


def _target(apprise: ModuleType, place: str, number: int, line: str, default: str) -> Target:
    words = line.split()
    try:
        priority = priority_of(words[0]) if len(words) == 2 else default
    except AlertError as error:
        raise TargetError(f"{place}:{number}: {error}") from error
    # The URL itself may hold a token anywhere: only its scheme is shown.
    scheme = words[-1].partition("://")[0] if "://" in words[-1] else "it"
    # Apprise logs the whole URL that it cannot parse.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    service = apprise.Apprise.instantiate(words[-1], suppress_exceptions=True) if len(words) <= 2 else None
    logging.getLogger("apprise").setLevel(logging.WARNING)
    if service is None:
        raise TargetError(f"{place}:{number}: {scheme} is not a URL that Apprise knows or is incomplete; see its list")
    key = hashlib.sha256(words[-1].encode()).hexdigest()[:16]
    name = f"{service.service_name or scheme} ({place}:{number})"
    if scheme.lower() == "pagerduty":
        options = apprise.plugins.url_to_dict(words[-1])
        return Incidents(name, key, priority, service, options, apprise.Apprise.instantiate)
    return Target(name, key, priority, service)


def keys(targets: Iterable[Target], rank: int) -> list[str]:
    """The keys of the targets that want an alert of this rank."""
    return [target.key for target in targets if target.wants(rank)]
