"""What earlier calls left: the resources that are not, or not only, what state says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tfdrift_core.terraform.model import Attributes

_MAX_CREATED: Final = 1000

Key = tuple[str, str]
"""State and address: two workspaces of one configuration have the same addresses."""


class Overlay(NamedTuple):
    """A resource as earlier calls left it; ``current`` is ``None`` when they deleted it.

    ``baseline`` is what Terraform wants: state, or what Terraform itself set since state was read.  ``state`` is the
    attributes object that both started from: once state holds another, the overlay is outdated.
    """

    state: Attributes
    baseline: Attributes
    current: Attributes | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the memory held at one moment, for ``Memory.restore``."""

    overlays: Mapping[Key, Overlay]


class Memory:
    """Overlays by resource, and what was logged of resources that were made outside Terraform."""

    def __init__(self) -> None:
        self._overlays: dict[Key, Overlay] = {}
        self._created: dict[str, Mapping[str, Any]] = {}

    def overlay(self, key: Key, state: Attributes) -> Overlay:
        """What a resource is now that has these attributes in state."""
        overlay = self._overlays.get(key)
        if overlay is None or (overlay.state is not state and overlay.state != state):
            return Overlay(state, state, state)
        return overlay

    def remember(self, key: Key, overlay: Overlay) -> None:
        if overlay.current is not None and overlay.current == overlay.state == overlay.baseline:
            self._overlays.pop(key, None)
        else:
            self._overlays[key] = overlay

    def remember_created(self, id: str, parameters: Mapping[str, Any]) -> None:
        """Keep what is known of a resource outside Terraform, for calls that tie it to a managed one."""
        self._created[id] = parameters
        if len(self._created) > _MAX_CREATED:
            del self._created[next(iter(self._created))]

    def created(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is known of the unmanaged resource that a request names."""
        for value in request.values():
            if isinstance(value, str) and value in self._created:
                return self._created[value]
        return {}

    def snapshot(self) -> Snapshot:
        return Snapshot(dict(self._overlays))

    def restore(self, snapshot: Snapshot) -> None:
        """Forget what was remembered since the snapshot."""
        self._overlays = dict(snapshot.overlays)
