"""The drift event: one drifted attribute of one resource, or one resource deleted or created outside Terraform."""

from dataclasses import dataclass, field
from enum import StrEnum

from tfdrift_core.records.record import Record


class Kind(StrEnum):
    MODIFIED = "modified"
    DELETED = "deleted"
    UNMANAGED = "unmanaged"
    EXPECTED = "expected"
    RESOLVED = "resolved"
    OPEN = "open"
    ATTEMPTED = "attempted"


class Resolution(StrEnum):
    """How a drift ended."""

    REVERTED = "reverted"
    """Somebody put it back by another call."""
    APPLIED = "applied"
    """Terraform put it back."""
    ADOPTED = "adopted"
    """A newer version of the state holds the new value, or the resource that was made beside Terraform."""
    REMOVED = "removed"
    """The resource was deleted, or left the state."""
    GONE = "gone"
    """Terraform itself looked, and saw nothing of it any more; no call tells who put it back."""


class Confidence(StrEnum):
    EXACT = "exact"
    DERIVED = "derived"
    INFERRED = "inferred"
    VERIFIED = "verified"
    """Terraform itself saw it, in a plan."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What an event is about, as Terraform knows it; for an unmanaged resource only ``type`` and the ids are set.

    ``tags`` are pairs of key and value, as state holds them and as they may be shown.  ``tool`` is ``tofu`` where
    OpenTofu manages it.
    """

    type: str = ""
    address: str = ""
    name: str = ""
    module: str = ""
    workspace: str = ""
    state: str = ""
    file: str = ""
    line: int = 0
    id: str = ""
    arn: str = ""
    account: str = ""
    region: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """A drift that was reported and that has not ended.

    ``id`` is the ``drift.id`` of the event that told of it, ``opened`` the time of its call in nanoseconds since the
    epoch, ``by`` who made that call, and ``record`` what is kept of it.  ``steps`` is the path; values and record are
    as they were shown, without secrets.  ``reminded`` counts the reminders that were given.
    """

    id: str
    kind: Kind
    resource: Resource
    opened: int
    by: str
    record: Record
    steps: tuple[str | int, ...] = ()
    path: str = ""
    old_value: str | None = None
    new_value: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    confidence: Confidence = Confidence.EXACT
    reminded: int = 0

    @property
    def attribute(self) -> str:
        return str(self.steps[0]) if self.steps else ""


@dataclass(frozen=True, slots=True)
class Context:
    """What is around the resource: nothing that detection asks for, and absent until the event is handed over.

    ``dependents`` are the first of those that depend on it, ``dependents_count`` is how many there are, ``None`` where
    that is not known.  ``owners`` are those of the file that declares the resource, ``commit`` and ``author`` belong to
    its line.
    """

    dependents: tuple[str, ...] = ()
    dependents_count: int | None = None
    owners: tuple[str, ...] = ()
    commit: str = ""
    author: str = ""


NO_CONTEXT = Context()


@dataclass(frozen=True, slots=True)
class DriftEvent:
    """One event for Falco.

    ``attribute`` is the top-level attribute (``root_block_device``), ``path`` the full one
    (``root_block_device[0].volume_size``).  Values are printed as Terraform prints them: strings bare, everything else
    as JSON; ``None`` is absent.  ``added`` and ``removed`` are the elements of a set.  ``attributes`` names every
    attribute of the resource that the same call changed.  ``id`` is the same for the same record, resource and path
    however often they are replayed.  ``time`` is when TFDrift made the event, in nanoseconds since the epoch.  An event
    that tells of the end of a drift, or reminds of it, has its ``opening``, and at its end the ``resolution``.
    ``import_id`` is what ``terraform import`` calls a resource that was made outside Terraform, "" where that is not
    sure; ``import_identity`` are the members of its identity, where states have those of its type.  ``repeated``
    events were given to the reader before, shortly before a restart.
    """

    record: Record
    kind: Kind
    resource: Resource
    id: str
    attribute: str = ""
    path: str = ""
    old_value: str | None = None
    new_value: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    confidence: Confidence = Confidence.EXACT
    reason: str = ""
    hint: str = ""
    import_id: str = ""
    import_identity: tuple[tuple[str, str], ...] = ()
    redacted: frozenset[str] = field(default=frozenset(), repr=False)
    time: int = 0
    opening: Opening | None = None
    resolution: Resolution | None = None
    repeated: bool = False
    context: Context = NO_CONTEXT
