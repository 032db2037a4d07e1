"""Remembers how earlier calls left resources, where that differs from state, and the drift that is open.

What is remembered of a resource has two forms.  In memory it is an ``Overlay`` over the attributes object of state.  On
disk it is a document of plain data, without any secret, that fits whatever version of state still has the same
attributes; it is read only when a call or a newer state asks for the resource.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol

import orjson

from tfdrift_core.drift.compare.sealed import digest_of, seal, unseal
from tfdrift_core.drift.event import Opening
from tfdrift_core.drift.opening import from_document, to_document
from tfdrift_core.drift.present.present import masked
from tfdrift_core.terraform.model import Attributes, Instance

MAX_RESOURCES: Final = 100_000
"""Resources that are remembered; beyond that the ones that were touched first are forgotten."""

_MAX_CREATED: Final = 1000

Key = tuple[str, str]
"""State and address: two workspaces of one configuration have the same addresses.  What is outside of Terraform has no
state; its type and id stand for the address."""


def outside(type: str, id: str) -> Key:
    """The key of a resource that was made outside Terraform."""
    # A record may hold halves of surrogate pairs, which no database takes.
    return "", f"{type} {id}".encode("utf-8", "replace").decode()


Documents = Mapping[Key, bytes | None]
"""What is to be kept of each resource, ``None`` for nothing."""


class Left(Protocol):
    """How records up to ``moment`` left a resource; without a ``document`` nothing is remembered."""

    @property
    def moment(self) -> int: ...
    @property
    def document(self) -> bytes | None: ...


class Overlay(NamedTuple):
    """A resource as earlier calls left it; ``current`` is ``None`` when they deleted it.

    ``baseline`` is what Terraform wants: state, or what Terraform itself set since state was read.  ``state`` is the
    attributes object that both started from: once state holds another, the overlay is outdated.
    """

    state: Attributes
    baseline: Attributes
    current: Attributes | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a resource beyond state: how calls left it, and its open drift."""

    overlay: Overlay
    openings: tuple[Opening, ...] = ()

    @property
    def is_nothing(self) -> bool:
        state, baseline, current = self.overlay
        return not self.openings and current is not None and current == state == baseline


@dataclass(frozen=True, slots=True)
class _Written:
    """A document from disk that was not read yet."""

    data: bytes


class Memory:
    """What is remembered of each resource, and what was logged of resources that were made outside Terraform.

    ``salt`` makes digests of secrets useless to whoever does not have it.  Where several pipelines share what they
    know, ``recall`` gives what any of them left of a resource, and the time of the record that it knew last; what is of
    the same time or older changes nothing here.
    """

    def __init__(self, salt: bytes = b"", recall: Callable[[Key], Left | None] | None = None) -> None:
        self._salt, self._recall = salt, recall
        self._salt_mark = digest_of("salt", salt)[:8]
        self._moments: dict[Key, int] = {}
        self._touched: dict[Key, int] = {}
        self._resources: dict[Key, Remembered | _Written] = {}
        self._opened: dict[Key, tuple[tuple[int, int], ...]] = {}
        self._dropped: dict[Key, None] = {}
        self._outside: dict[str, dict[Key, None]] = {}
        self._created: dict[str, Mapping[str, Any]] = {}
        self._undo: list[tuple[Key, Remembered | _Written | None]] | None = None
        self.forgotten = 0

    def load(self, documents: Iterable[tuple[Key, bytes]]) -> None:
        """Begin with what was kept, and forget everything else."""
        self._resources, self._opened, self._outside, self._dropped, self._undo = {}, {}, {}, {}, None
        for key, data in documents:
            self._put(key, _Written(data))

    @property
    def salt(self) -> bytes:
        return self._salt

    def resources(self) -> Sequence[Key]:
        return tuple(self._resources)

    @property
    def open_drifts(self) -> int:
        return sum(map(len, self._opened.values()))

    @property
    def oldest(self) -> int:
        """When the oldest open drift was made, in nanoseconds since the epoch; 0 when none is open."""
        return min((moment for drifts in self._opened.values() for moment, _ in drifts), default=0)

    def remembers(self, key: Key) -> bool:
        return key in self._resources

    def drifted(self) -> Sequence[Key]:
        """The resources that have open drift."""
        return tuple(self._opened)

    def due(self, now: int, period: int) -> Sequence[Key]:
        """The resources with a drift that has been open for another ``period`` since its last reminder."""
        return [
            key
            for key, drifts in self._opened.items()
            if any(now >= moment + (reminded + 1) * period for moment, reminded in drifts)
        ]

    def dropped(self) -> Sequence[Key]:
        """The resources forgotten for lack of room since the last call, unless they are remembered again.

        With a shared store nothing is dropped: it is only no longer in memory.
        """
        dropped, self._dropped = self._dropped, {}
        return () if self.shared else [key for key in dropped if key not in self._resources]

    @property
    def any_unmanaged(self) -> bool:
        """Whether a resource made outside Terraform may be remembered."""
        return bool(self._outside)

    def unmanaged(self, type: str) -> Sequence[Key]:
        """The open drifts of this type that were made outside Terraform."""
        return tuple(self._outside.get(type, ()))

    def recall(self, key: Key, state: Attributes) -> Remembered:
        """What is known of a resource, if state still has these attributes.

        What no longer fits them is left to ``outdated``, which is asked first when a newer state comes.
        """
        self._catch_up(key)
        found = self._resources.get(key)
        if isinstance(found, _Written):
            found = self._read(found, state)
        if found is None or not _fits(found, state):
            return Remembered(Overlay(state, state, state))
        return found

    def openings(self, key: Key) -> tuple[Opening, ...]:
        """The open drift of a resource, whatever state says of it by now."""
        self._catch_up(key)
        found = self._resources.get(key)
        if isinstance(found, _Written):
            return _openings(_document(found.data))
        return found.openings if found is not None else ()

    def outdated(self, key: Key, state: Attributes) -> Remembered | None:
        """What was remembered of a resource whose attributes in state are others by now; ``None`` where they are not.

        ``current`` then holds what is known: of a document that was never read, the attributes that calls left.
        """
        found = self._resources.get(key)
        if isinstance(found, _Written):
            document = _document(found.data)
            if document.get("salt") != self._salt_mark or document.get("state") == digest_of(state, self._salt):
                return None
            current = document.get("current")
            left = None if current is None else unseal(current, self._salt)
            return Remembered(Overlay({}, {}, left), _openings(document))
        return None if found is None or _fits(found, state) else found

    def remember(self, key: Key, remembered: Remembered, moment: int = 0) -> None:
        """Replace what is known of a resource; ``moment`` is the time of the newest record behind it."""
        if remembered.is_nothing:
            self.forget(key, moment)
            return
        self._at(key, moment)
        self._note(key)
        self._put(key, remembered)
        if len(self._resources) > MAX_RESOURCES:
            self.forgotten += 1
            first = next(iter(self._resources))
            self.forget(first)
            self._dropped[first] = None

    def touched(self, key: Key, moment: int) -> None:
        """Note that a record of this time touched a resource."""
        self._touched[key] = max(moment, self._touched.pop(key, 0))
        if len(self._touched) > MAX_RESOURCES:
            del self._touched[next(iter(self._touched))]

    def touched_at(self, key: Key) -> int:
        """The time of the newest record that touched a resource in this process; 0 where none did."""
        return self._touched.get(key, 0)

    def replace_openings(self, key: Key, openings: Iterable[Opening]) -> None:
        """Replace the openings of a resource, and keep what else is remembered of it."""
        found = self._resources.get(key)
        if found is None:
            return
        self._note(key)
        if isinstance(found, _Written):
            document = {**_document(found.data), "openings": [to_document(opening) for opening in openings]}
            self._put(key, _Written(_bytes(document)))
        else:
            self._put(key, replace(found, openings=tuple(openings)))

    def forget(self, key: Key, moment: int = 0) -> None:
        self._at(key, moment)
        if key in self._resources:
            self._note(key)
            self._put(key, None)

    def document(self, key: Key, instance: Instance | None) -> bytes | None:
        """The document to keep of a resource, or ``None``; ``instance`` tells what in it is secret."""
        found = self._resources.get(key)
        if isinstance(found, _Written):
            return found.data
        if found is None:
            return None
        overlay = found.overlay
        document: dict[str, Any] = {
            "salt": self._salt_mark,
            "openings": [to_document(opening) for opening in found.openings],
        }
        if instance is not None:
            document["state"] = digest_of(overlay.state, self._salt)
            document["baseline"] = self._sealed(instance, overlay.state, overlay.baseline)
            document["current"] = (
                None if overlay.current is None else self._sealed(instance, overlay.state, overlay.current)
            )
        return _bytes(document)

    def remember_created(self, id: str, parameters: Mapping[str, Any]) -> None:
        """Remember a resource outside Terraform, for calls that tie it to a managed one."""
        self._created[id] = parameters
        if len(self._created) > _MAX_CREATED:
            del self._created[next(iter(self._created))]

    def created(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is known of the unmanaged resource that a request names."""
        for value in request.values():
            if isinstance(value, str) and value in self._created:
                return self._created[value]
        return {}

    def snapshot(self) -> int:
        """A mark that ``restore`` goes back to, until ``commit``."""
        if self._undo is None:
            self._undo = []
        return len(self._undo)

    def restore(self, mark: int) -> None:
        """Go back to the mark."""
        undo = self._undo or []
        while len(undo) > mark:
            self._put(*undo.pop())

    def commit(self) -> None:
        """Make what was remembered final."""
        self._undo = None

    def _note(self, key: Key) -> None:
        if self._undo is not None:
            self._undo.append((key, self._resources.get(key)))

    @property
    def shared(self) -> bool:
        """Whether other replicas may know of drift that is not in memory here."""
        return self._recall is not None

    def _catch_up(self, key: Key) -> None:
        left = self._recall(key) if self._recall is not None else None
        if left is not None and left.moment > self._moments.get(key, 0):
            self._put(key, None if left.document is None else _Written(left.document))
            self._at(key, left.moment)

    def _at(self, key: Key, moment: int) -> None:
        if self._recall is None:
            return
        self._moments[key] = max(moment, self._moments.pop(key, 0))
        if len(self._moments) > MAX_RESOURCES:
            del self._moments[next(iter(self._moments))]

    def _put(self, key: Key, found: Remembered | _Written | None) -> None:
        self._resources.pop(key, None)
        self._opened.pop(key, None)
        outside, type = key[0] == "", key[1].partition(" ")[0]
        if outside:
            self._outside.get(type, {}).pop(key, None)
        if found is None:
            return
        self._resources[key] = found
        openings = _openings(_document(found.data)) if isinstance(found, _Written) else found.openings
        if openings:
            self._opened[key] = tuple((opening.opened, opening.reminded) for opening in openings)
            if outside:
                self._outside.setdefault(type, {})[key] = None

    def _read(self, written: _Written, state: Attributes) -> Remembered | None:
        document = _document(written.data)
        if document.get("salt") != self._salt_mark or document.get("state") != digest_of(state, self._salt):
            return None
        current = document.get("current")
        overlay = Overlay(
            state,
            _laid_over(state, unseal(document.get("baseline", {}), self._salt)),
            None if current is None else _laid_over(state, unseal(current, self._salt)),
        )
        return Remembered(overlay, _openings(document))

    def _sealed(self, instance: Instance, state: Attributes, attributes: Attributes) -> dict[str, Any]:
        """The attributes that differ from state, without secrets."""
        names = [name for name in dict.fromkeys((*attributes, *state)) if attributes.get(name) != state.get(name)]
        changed = {name: attributes.get(name) for name in names}
        shown = masked(instance, changed)
        return {name: seal(value, shown[name], self._salt) for name, value in changed.items()}


def _laid_over(state: Attributes, difference: Mapping[str, Any]) -> Attributes:
    return {**state, **difference} if difference else state


def _fits(remembered: Remembered, state: Attributes) -> bool:
    return remembered.overlay.state is state or remembered.overlay.state == state


def _bytes(document: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(document, default=str)
    except orjson.JSONEncodeError:
        # Halves of surrogate pairs, and numbers beyond 64 bits.
        return json.dumps(document, default=str).encode()


def _document(data: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return {}
    return document if isinstance(document, dict) else {}


def _openings(document: Mapping[str, Any]) -> tuple[Opening, ...]:
    try:
        return tuple(map(from_document, document.get("openings", ())))
    except (KeyError, TypeError, ValueError):
        # Written by another version, or damaged: the drift is reported anew when it is seen again.
        return ()


def openings_of(data: bytes) -> tuple[Opening, ...]:
    """The open drift in a document from disk."""
    return _openings(_document(data))
