"""Loads all configured states, keeps them fresh, and offers one index over them."""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tfdrift_core.config import Account, Config, ConfigError, Region
from tfdrift_core.metrics import Metrics
from tfdrift_core.terraform import backends
from tfdrift_core.terraform.backends import Backend, Content, Context, Ref
from tfdrift_core.terraform.backends.base import Unusable
from tfdrift_core.terraform.backends.sent import server_of, servers_named
from tfdrift_core.terraform.configuration import NO_BLOCK, NO_PROVIDER, Block, Configuration, Provider
from tfdrift_core.terraform.discovery import discover
from tfdrift_core.terraform.encryption import decrypted
from tfdrift_core.terraform.index import Index, Scopes, State
from tfdrift_core.terraform.model import IgnoredTags
from tfdrift_core.terraform.roots import below, is_configuration
from tfdrift_core.terraform.scan import EncryptedError, StateError
from tfdrift_core.text import one_line
from tfdrift_core.threads import each, unless

log = logging.getLogger("tfdrift.state")

READERS = 8
_PATIENCE = 10.0  # seconds
_CLOSING = 0.5  # seconds
_LISTED_SECONDS = 1.0  # how long a listing tells which states are locked
_LEAST_GAP = 1_000_000_000  # a burst of records that are newer than the copy checks it once a second, not once each


@dataclass(frozen=True, slots=True)
class Status:
    """One state as the store sees it.  Times are in nanoseconds since the epoch, 0 for never.

    ``state`` is the last good copy, None when there never was one.  ``error`` says why the last check failed,
    ``fault`` what is wrong with the content of ``version``.
    """

    origin: str
    workspace: str = ""
    state: State | None = None
    version: str = ""
    loaded_at: int = 0
    checked_at: int = 0
    error: str = ""
    fault: str = ""


@dataclass(slots=True)
class Place:
    """One ``state:`` entry: its backend, its states, and when they were last checked with success, and at all.

    ``directory`` is the configuration that it was found by, "" when the user named it.
    """

    backend: Backend
    spec: Mapping[str, Any]
    directory: str = ""
    refs: Sequence[Ref] = ()
    statuses: dict[str, Status] = field(default_factory=dict)
    checked_at: int = 0
    tried_at: int = 0
    listed_at: float = 0.0

    @property
    def failing(self) -> bool:
        return any(status.error for status in self.statuses.values())


class StateStore:
    """The states of a configuration.

    A new store is empty; the first ``refresh`` loads everything.  ``index`` is swapped as a whole and never changes
    after that, so it may be read from any thread; ``refresh`` may be called from any thread too.  No failure of a
    state is raised: the last good copy stays, ``errors`` and the log (once) tell, and ``state_errors`` counts.

    :raises ConfigError: when the configuration names a backend or option that does not exist.
    """

    def __init__(
        self,
        config: Config,
        *,
        metrics: Metrics | None = None,
        clock: Callable[[], int] = time.time_ns,
        context: Context | None = None,
    ) -> None:
        self._config = config
        self._metrics = metrics or Metrics()
        self._clock = clock
        self._interval = int(config.refresh_interval * 1e9)
        self._context = context or Context(config.aws, config.max_state_size)
        self._places = [Place(backends.create(spec, self._context), spec) for spec in config.state]
        self._named = {
            *(place.backend.sent.server for place in self._places),
            *(server for host in config.credential_hosts for server in servers_named(host)),
            *_servers_of_environment(),
        }
        self._configurations: Mapping[str, Configuration] = {}
        self._always_ignored = _ignored_by_environment(os.environ)
        self._links: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._told_roots: dict[str, str] = {}
        self._warned: set[str] = set()
        self._told_twins: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._closed, self._heeded = threading.Event(), threading.Event()
        self._worker: threading.Thread | None = None
        self._index = Index()

    @property
    def index(self) -> Index:
        return self._index

    @property
    def statuses(self) -> Sequence[Status]:
        """Every state, and every place that has none to show, in the order of the configuration."""
        first: dict[str, Status] = {}
        for place in self._places:
            for origin, status in place.statuses.items():
                first.setdefault(origin, status)
        return tuple(first.values())

    @property
    def errors(self) -> Mapping[str, str]:
        """Origin to message for everything whose last check failed."""
        return {s.origin: s.error for s in self.statuses if s.error}

    def loaded_at(self, origin: str) -> int:
        """When the copy of this state was read, in nanoseconds since the epoch; 0 when there is none."""
        return next((s.loaded_at for s in self.statuses if s.origin == origin), 0)

    def directory(self, origin: str) -> str:
        """The configuration directory that a state belongs to; where that is not known, the only one, else ""."""
        if known := self._links.get(origin):
            return known
        return next(iter(self._configurations)) if len(self._configurations) == 1 else ""

    def refresh(self, *, force: bool = False, wait: bool = True) -> bool:
        """Look for new versions where ``refresh_interval`` has passed, or everywhere; whether the index changed.

        Without ``wait`` a thread does it, one at a time, and the index changes when it is done: a slow server then
        does not keep the caller.
        """
        now = self._clock()

        def due(place: Place) -> bool:
            return force or not place.tried_at or not self._within(place, now, self._interval)

        if wait:
            return self._check(due)
        idle = not (self._worker and self._worker.is_alive())
        if idle and (not self._places or any(map(due, self._places))):
            self._worker = threading.Thread(target=self._look, args=(due,), name="tfdrift-state", daemon=True)
            self._worker.start()
        return False

    def ensure_fresh(self, newer_than_ns: int) -> bool:
        """Look for new versions of every state that was last checked before that time; whether the index changed.

        A place that just failed is not asked again before its next turn, and a check that is under way is not waited
        for long: the last good copy has to do.
        """
        now = self._clock()

        def due(place: Place) -> bool:
            known = newer_than_ns < place.checked_at <= now
            return not known and not self._within(place, now, self._interval if place.failing else _LEAST_GAP)

        return self._check(due)

    def applying(self, origins: Collection[str] = ()) -> bool:
        """Whether a Terraform run holds the lock of one of these states (of any, when none is named).

        Backends whose locks cannot be seen cheaply count as not locked.
        """

        def locked() -> bool:
            refs = [(place, ref) for place in self._places for ref in place.refs]
            return any(_locked(place, ref) for place, ref in refs if not origins or ref.origin in origins)

        return bool(unless(self._ended, locked, "tfdrift-lock"))

    def heed(self, stop: threading.Event) -> None:
        """Once ``stop`` is set nobody waits for a server any more; what is under way ends by itself."""
        self._heeded = stop

    def close(self) -> None:
        self._closed.set()
        # A backend that is in use is left to the end of what uses it.
        if self._lock.acquire(timeout=_CLOSING):
            for place in self._places:
                place.backend.close()
            self._lock.release()

    def _ended(self) -> bool:
        return self._closed.is_set() or self._heeded.is_set()

    @staticmethod
    def _within(place: Place, now: int, gap: int) -> bool:
        """Whether the place was tried that short a time ago; a clock that was set back says nothing."""
        return 0 <= now - place.tried_at < gap

    def _check(self, due: Callable[[Place], bool]) -> bool:
        known = self._configurations or not self._config.config
        if known and not any(map(due, self._places)):
            return False
        return bool(unless(self._ended, lambda: self._look(due), "tfdrift-state"))

    def _look(self, due: Callable[[Place], bool]) -> bool:
        if not self._lock.acquire(timeout=_PATIENCE):
            return False
        try:
            if not self._configurations or any(map(due, self._places)):
                self._configure()
            places = [place for place in self._places if due(place)]
            if not places:
                return False
            started = self._clock()
            listed = each(_listed, places, READERS, "tfdrift-state")
            seen: set[str] = set()
            for place, (refs, _) in zip(places, listed, strict=True):
                self._links.update({ref.origin: place.directory for ref in refs if place.directory})
                place.refs = [ref for ref in refs if ref.origin not in seen]  # two places may name one file
                seen.update(ref.origin for ref in place.refs)
            work = [(place, ref) for place in places for ref in place.refs]
            results = each(lambda item: self._one(*item), work, READERS, "tfdrift-state")
            if self._ended():
                return False
            for place, (_, error) in zip(places, listed, strict=True):
                place.tried_at = started
                if error:
                    kept = place.statuses or {place.backend.origin: Status(place.backend.origin)}
                    place.statuses = {origin: replace(status, error=error) for origin, status in kept.items()}
                else:
                    place.statuses = {
                        r.origin: r for (owner, _), r in zip(work, results, strict=True) if owner is place
                    }
                if not place.failing:
                    place.checked_at = started
            return self._publish()
        finally:
            self._lock.release()

    def _one(self, place: Place, ref: Ref) -> Status:
        known = replace(place.statuses.get(ref.origin) or Status(ref.origin), workspace=ref.workspace)
        now = self._clock()
        if ref.version and ref.version == known.version:
            return replace(known, error=known.fault, checked_at=known.checked_at if known.fault else now)
        try:
            content = place.backend.read(ref, known.version)
            if content is None or content.version == known.version:
                return replace(known, error=known.fault, checked_at=known.checked_at if known.fault else now)
        except StateError as error:
            return replace(known, error=str(error))
        except Exception as error:  # noqa: BLE001 - see unforeseen
            return replace(known, error=unforeseen(error))
        return self._loaded(place, ref, content, known, now)

    def _loaded(self, place: Place, ref: Ref, content: Content, known: Status, now: int) -> Status:
        def loaded(data: bytes) -> State:
            return State(data, ref.origin, ref.workspace, self._scopes_of(place), self._block, self._ignored_tags)

        try:
            state = loaded(content.data)
        except EncryptedError:
            return self._unlocked(content, loaded, known, now)
        except StateError as error:
            return replace(known, version=content.version, error=str(error), fault=str(error))
        except Exception as error:  # noqa: BLE001 - see unforeseen
            return replace(known, version=content.version, error=unforeseen(error), fault=unforeseen(error))
        return Status(ref.origin, ref.workspace, state, content.version, now, now)

    def _unlocked(self, content: Content, loaded: Callable[[bytes], State], known: Status, now: int) -> Status:
        """A state that has to be decrypted; what fails may succeed the next time, with the same version."""
        try:
            state = loaded(decrypted(content.data, self._config.aws))
        except StateError as error:
            return replace(known, error=str(error))
        except Exception as error:  # noqa: BLE001 - see unforeseen
            return replace(known, error=unforeseen(error))
        return Status(known.origin, known.workspace, state, content.version, now, now)

    def _scopes_of(self, place: Place) -> Scopes:
        def scopes(origin: str, alias: str) -> tuple[str, str]:
            account = place.spec.get("account") or _entry(self._config.accounts, origin, alias, "id")
            region = _entry(self._config.regions, origin, alias, "name")
            provider = self._provider(origin, alias)
            return account or provider.account, region or provider.region

        return scopes

    def _configure(self) -> None:
        """Read the configuration directories again and look for states that they name and we do not know yet."""
        said, self._warned = self._warned, set()

        def warn(problem: str) -> None:
            if problem not in said | self._warned:
                log.warning("%s", problem)
            self._warned.add(problem)

        configurations: dict[str, Configuration] = {}
        places = [place for place in self._places if not place.directory]
        for directory in self._directories(warn):
            try:
                configuration = Configuration(directory, warn)
                configuration.preload()
                found = discover(configuration)
            except Exception as error:  # noqa: BLE001 - see unforeseen
                warn(f"configuration {directory}: {unforeseen(error)}; what was read of it before stays")
                if directory in self._configurations:
                    configurations[directory] = self._configurations[directory]
                places += [place for place in self._places if place.directory == directory]
                continue
            configurations[directory] = configuration
            if found.problem and self._config.state:
                if not is_configuration(configuration.directory):
                    warn(f"configuration {directory}: {found.problem}; ignore_changes, file and line are not known")
                log.debug("configuration %s: %s", directory, found.problem)  # the user says where the state is
            elif found.problem:
                places.append(self._unusable(directory, found.problem))
            for spec in found.states:
                same = (p for p in self._places if p.directory == directory and p.spec == spec)
                places.append(next(same, None) or self._found(spec, directory))
        self._configurations = configurations
        for gone in self._places:
            if not any(gone is place for place in places):
                gone.backend.close()
        self._places = places

    def _directories(self, warn: Callable[[str], None]) -> Iterator[str]:
        """The root modules that ``config`` names, or that are below what it names."""
        for given in self._config.config:
            directory = Path(given).expanduser()
            roots = [] if is_configuration(directory) else below(directory, warn)
            if not roots:
                yield given
                continue
            names = ", ".join(one_line(os.path.relpath(root, directory)) for root in roots)
            if self._told_roots.get(given) != names:
                log.info("configuration %s: it has no Terraform files; read are the root modules in %s", given, names)
                self._told_roots[given] = names
            yield from map(str, roots)

    def _found(self, spec: Mapping[str, Any], directory: str) -> Place:
        try:
            backend = backends.create(spec, self._context)
            if objection := backend.sent.objection(self._named):
                backend.close()
                return self._unusable(directory, f"its {spec.get('backend')} backend is not asked: {objection}")
            return Place(backend, spec, directory)
        except ConfigError as error:
            return self._unusable(directory, str(error))
        except Exception as error:  # noqa: BLE001 - see unforeseen
            return self._unusable(directory, unforeseen(error))

    def _unusable(self, directory: str, problem: str) -> Place:
        for place in self._places:
            if isinstance(place.backend, Unusable) and place.backend == Unusable(directory, problem):
                return place
        return Place(Unusable(directory, problem), {}, directory)

    def _block(self, origin: str, module: str, type: str, name: str) -> Block:
        """The block in the configuration that the state belongs to, else in the only one that has such a block."""
        directory = self._links.get(origin, "")
        if directory in self._configurations:
            return self._configurations[directory].block(module, type, name)
        found = [c.block(module, type, name) for c in self._configurations.values()]
        found = [block for block in found if block is not NO_BLOCK]
        if len(found) > 1:
            log.debug("%s: %s.%s is in several configurations; file and line are left out", origin, type, name)
        return found[0] if len(found) == 1 else NO_BLOCK

    def _ignored_tags(self, origin: str, alias: str) -> IgnoredTags:
        return self._provider(origin, alias).ignored_tags | self._always_ignored

    def _provider(self, origin: str, alias: str) -> Provider:
        directory = self.directory(origin)
        return self._configurations[directory].provider(alias) if directory in self._configurations else NO_PROVIDER

    def _publish(self) -> bool:
        statuses = self.statuses
        self._tell({s.origin: s.error for s in statuses if s.error})
        states = tuple(s.state for s in statuses if s.state)
        changed = states != self._index.states
        if changed:
            index = Index(states, self._index.used)
            for state in set(states) - set(self._index.states):
                for note in state.notes:
                    log.info("%s: %s", state.origin, note)
            self._tell_twins(index)
            self._index = index
        self._metrics.set("state_resources", len(self._index))
        self._metrics.set("states", len(states))
        self._metrics.set("states_failing", sum(1 for s in statuses if s.error))
        oldest = min((s.checked_at for s in statuses if s.checked_at), default=0)
        self._metrics.set("state_age", max(self._clock() - oldest, 0) // 1_000_000_000 if oldest else 0)
        return changed

    def _tell_twins(self, index: Index) -> None:
        """One line for each pair of states that hold the same objects, the first time they do."""
        pairs: dict[tuple[str, str], list[str]] = {}
        for twin, first in index.duplicates.items():
            pairs.setdefault((twin.state, first.state), []).append(twin.address)
        for pair, found in pairs.items():
            if pair not in self._told_twins:
                log.info("%s holds %d objects that %s holds too (%s ...); each is reported once, for the latter",
                         pair[0], len(found), pair[1], found[0])  # fmt: skip
                self._told_twins.add(pair)

    def _tell(self, errors: Mapping[str, str]) -> None:
        for origin, error in errors.items():
            self._metrics.add("state_errors")
            if self._told.get(origin) != error:
                log.error("state %s: %s", origin, error)
        for origin in self._told.keys() - errors.keys():
            log.info("state %s: well again", origin)
        self._told = dict(errors)


def _servers_of_environment() -> Iterator[str]:
    """The servers that the variables name which credentials stand beside."""
    yield "https://app.terraform.io"
    for variable in ("TF_HTTP_ADDRESS", "TF_CLOUD_HOSTNAME", "CONSUL_HTTP_ADDR"):
        address = os.environ.get(variable, "")
        yield server_of(address if "://" in address else f"https://{address}")


def _listed(place: Place) -> tuple[Sequence[Ref], str]:
    place.listed_at = time.monotonic()
    try:
        return place.backend.refs(), ""
    except StateError as error:
        return (), str(error)
    except Exception as error:  # noqa: BLE001 - see unforeseen
        return (), unforeseen(error)


def _ignored_by_environment(environment: Mapping[str, str]) -> IgnoredTags:
    """What the provider reads beside its own block, separated by commas."""
    keys, prefixes = (
        [text.strip() for text in environment.get(f"TF_AWS_IGNORE_TAGS_{name}", "").split(",") if text.strip()]
        for name in ("KEYS", "KEY_PREFIXES")
    )
    return IgnoredTags(frozenset(keys), tuple(prefixes))


def unforeseen(error: Exception) -> str:
    """A server may answer what no backend expects; that must keep one state from being read, and no other."""
    log.debug("unforeseen", exc_info=error)
    return f"{type(error).__name__}: {error}; check the location, and if it is right, please report this"


def _locked(place: Place, ref: Ref) -> bool:
    try:
        if place.backend.locks_are_listed and time.monotonic() - place.listed_at >= _LISTED_SECONDS:
            place.backend.refs()
            place.listed_at = time.monotonic()
        return place.backend.locked(ref)
    except Exception as error:  # noqa: BLE001 - the next check of the state itself reports it
        unforeseen(error)
        return False


def _entry(entries: Sequence[Account | Region], origin: str, alias: str, name: str) -> str:
    """What the user's mapping says about a state and provider; a single entry without conditions is for all."""
    for entry in entries:
        if not entry.state and not entry.provider and len(entries) > 1:
            continue
        if entry.state and not any(fnmatchcase(origin, pattern) for pattern in entry.state):
            continue
        if entry.provider and alias not in entry.provider:
            continue
        return str(getattr(entry, name))
    return ""
