"""Where notifications go: Apprise URLs from the environment or a file, because they hold secrets."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from tfdrift_core.config import ConfigError
from tfdrift_core.notify import routes
from tfdrift_core.notify.message import Message, compose
from tfdrift_core.notify.routes import Entry, Route
from tfdrift_core.output.alert import Alert, AlertError, priority_of

logger = logging.getLogger("tfdrift.notify")

URLS = "TFDRIFT_NOTIFY_URLS"
"""The environment variable with the URLs, one a line or separated by blanks."""


class TargetError(Exception):
    """A target that cannot be used; the message says which, without its secrets, and why."""


@dataclass(frozen=True)
class Target:
    """One Apprise URL.  It takes alerts that fit one of ``routes``.  ``key`` tells it apart without its secrets."""

    name: str
    key: str
    routes: Sequence[Route]
    _service: Any = field(repr=False, compare=False)

    def send(self, alerts: Sequence[Alert]) -> int:
        """How many of the alerts the service took, from the first: a burst is one message, taken or not."""
        return len(alerts) if _notify(self._service, compose(alerts)) else 0

    def wants(self, alert: Alert) -> bool:
        return any(route.takes(alert) for route in self.routes)

    def try_out(self, sample: Alert, end: Alert) -> bool:
        """Whether the service takes a sample; what that opens there is closed by the sample's end."""
        return self.send([sample]) == 1


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

    def try_out(self, sample: Alert, end: Alert) -> bool:
        return self.send([sample, end]) == 2


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

    A line is a URL, or a priority and a URL (``critical pagerduty://…``); ``#`` starts a comment line.  A file whose
    name ends in ``.yaml`` or ``.yml`` holds targets with their routes.
    """
    apprise = _apprise()
    entries = [_line(URLS, number, word, priority) for number, word in enumerate(environment.get(URLS, "").split(), 1)]
    if file is not None and file.suffix in (".yaml", ".yml"):
        try:
            routed = routes.read(_read(file), str(file), environment)
        except ConfigError as error:
            raise TargetError(str(error)) from None
        entries += [replace(entry, routes=entry.routes or (Route(priority),)) for entry in routed]
    elif file is not None:
        lines = [(number, line.strip()) for number, line in enumerate(_read(file).splitlines(), 1)]
        entries += [
            _line(str(file), number, line, priority) for number, line in lines if line and not line.startswith("#")
        ]
    if not entries:
        raise TargetError(f"nowhere to send to: put Apprise URLs into ${URLS} or into the file that --urls names")
    return [_target(apprise, entry) for entry in entries]


def _line(file: str, number: int, line: str, default: str) -> Entry:
    place, words = f"{file}:{number}", line.split()
    try:
        priority = priority_of(words[0]) if len(words) == 2 else default
    except AlertError as error:
        raise TargetError(f"{place}: {error}") from error
    # A third word makes it no URL.
    return Entry(place, words[-1] if len(words) <= 2 else line, "", (Route(priority),))


def _read(file: Path) -> str:
    try:
        if file.stat().st_mode & 0o077 and os.name == "posix":
            logger.warning("%s holds secrets and others may read it; chmod 600 it", file)
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"cannot read {file}: {error}") from error


def _target(apprise: ModuleType, entry: Entry) -> Target:
    url = entry.url
    # The URL itself may hold a token anywhere: only its scheme is shown.
    scheme = url.partition("://")[0] if "://" in url and " " not in url else "it"
    # Apprise logs the whole URL that it cannot parse.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    service = None if scheme == "it" else apprise.Apprise.instantiate(url, suppress_exceptions=True)
    logging.getLogger("apprise").setLevel(logging.WARNING)
    if service is None:
        raise TargetError(f"{entry.place}: {scheme} is not a URL that Apprise knows or is incomplete; see its list")
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    name = f"{entry.name or service.service_name or scheme} ({entry.place})"
    if scheme.lower() == "pagerduty":
        options = apprise.plugins.url_to_dict(url)
        return Incidents(name, key, entry.routes, service, options, apprise.Apprise.instantiate)
    return Target(name, key, entry.routes, service)


def keys(targets: Iterable[Target], alert: Alert) -> list[str]:
    """The keys of the targets that want an alert."""
    return [target.key for target in targets if target.wants(alert)]
