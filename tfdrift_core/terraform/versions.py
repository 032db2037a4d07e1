"""The states of a configuration as they were at a moment that moves on."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tfdrift_core.config import Config
from tfdrift_core.metrics import Metrics
from tfdrift_core.terraform.backends import Content, History, Version, Versioned
from tfdrift_core.terraform.backends.base import Unusable
from tfdrift_core.terraform.scan import StateError
from tfdrift_core.terraform.store import READERS, Place, StateStore, Status, unforeseen
from tfdrift_core.threads import each


def current(versions: Sequence[Version], moment: int) -> Version | None:
    """The version that was current at a moment, or ``None`` before the first; the oldest first.

    One that was written at that very moment is current: a record tells its second, and counts from its beginning.
    """
    place = bisect_right(versions, moment, key=lambda version: version.moment)
    return versions[place - 1] if place else None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A state, the place that keeps it, and its versions."""

    place: Place
    history: History


class VersionStore(StateStore):
    """States of which ``go_to`` chooses the versions; before that the index is empty.

    Each version is read when its time comes and let go of with the next.  Why one cannot be read stays in ``errors``.
    """

    def __init__(self, config: Config, *, metrics: Metrics | None = None) -> None:
        super().__init__(config, metrics=metrics)
        self._kept: Sequence[_Kept] = ()
        self._failed: dict[str, str] = {}

    def list_versions(self) -> None:
        """Look for all states and their versions; none is read."""
        with self._lock:
            self._configure()
            found = each(_histories, self._places, READERS, "tfdrift-state")
            kept: dict[str, _Kept] = {}
            for place, (histories, error) in zip(self._places, found, strict=True):
                place.refs = [history.ref for history in histories]
                self._links.update({ref.origin: place.directory for ref in place.refs if place.directory})
                for history in histories:
                    kept.setdefault(history.ref.origin, _Kept(place, history))
                if error:
                    self._failed[place.backend.origin] = error
                    place.statuses = {place.backend.origin: Status(place.backend.origin, error=error)}
            self._kept = list(kept.values())
            self._publish()

    @property
    def histories(self) -> Sequence[History]:
        return [kept.history for kept in self._kept]

    @property
    def errors(self) -> Mapping[str, str]:
        return {**self._failed, **super().errors}

    def go_to(self, moment: int) -> bool:
        """Let the index hold what was current at a moment, in nanoseconds since the epoch; whether it changed."""
        with self._lock:
            work = [(kept, current(kept.history.versions, moment)) for kept in self._kept]
            moved = [(kept, version) for kept, version in work if _key(version) != self._known(kept).version]
            for (kept, _), status in zip(
                moved, each(lambda item: self._read(*item), moved, READERS, "tfdrift-state"), strict=True
            ):
                kept.place.statuses[kept.history.ref.origin] = status
                if status.error:
                    self._failed[status.origin] = status.error
            return bool(moved) and self._publish()

    def refresh(self, *, force: bool = False, wait: bool = True) -> bool:
        """The index moves on with ``go_to`` alone."""
        return False

    def ensure_fresh(self, newer_than_ns: int) -> bool:
        return False

    def applying(self, origins: Iterable[str] = ()) -> bool:
        return False

    def _known(self, kept: _Kept) -> Status:
        ref = kept.history.ref
        return kept.place.statuses.get(ref.origin) or Status(ref.origin, ref.workspace)

    def _read(self, kept: _Kept, version: Version | None) -> Status:
        """A state as it was; where a version cannot be read the one before it stays, for nothing has been removed."""
        ref = kept.history.ref
        if version is None or not version.key:
            return Status(ref.origin, ref.workspace, version=_key(version))
        before = replace(self._known(kept), version=version.key, error="", fault="")
        try:
            backend = kept.place.backend
            assert isinstance(backend, Versioned)
            content = Content(backend.read_version(ref, version), version.key)
        except StateError as error:
            return replace(before, error=f"{version.key}: {error}")
        except Exception as error:  # noqa: BLE001 - see unforeseen
            return replace(before, error=f"{version.key}: {unforeseen(error)}")
        found = self._loaded(kept.place, ref, content, before, version.moment)
        return replace(found, error=f"{version.key}: {found.error}") if found.error else found


def _key(version: Version | None) -> str:
    return version.key if version is not None else ""


def _histories(place: Place) -> tuple[Sequence[History], str]:
    try:
        if isinstance(place.backend, Unusable):
            raise StateError(place.backend.reason)
        if not isinstance(place.backend, Versioned):
            raise StateError(
                "its backend is not asked for older versions; S3, Cloud Storage, HCP Terraform and files are"
            )
        return place.backend.histories(), ""
    except StateError as error:
        return (), str(error)
    except Exception as error:  # noqa: BLE001 - see unforeseen
        return (), unforeseen(error)
