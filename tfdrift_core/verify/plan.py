"""What a plan says beside its drift: of which resources it speaks, of when it is, and whether it is complete."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Final

from tfdrift_core.blame import plan as plans
from tfdrift_core.blame.plan import Plan, PlanError
from tfdrift_core.terraform.scan import Reader, StateError

_SMALL: Final = frozenset({b"timestamp", b"complete", b"errored"})


@dataclass(frozen=True)
class Seen:
    """A plan, with the resources that are in its state as it found it: addresses, each with the id.

    ``moment`` is when it was made, in nanoseconds since the epoch, 0 where it does not say.  ``complete`` is whether it
    looked at everything, ``None`` where it does not say: Terraform does since 1.8.  ``changes`` is whether it would
    change something: then it is not of ``-refresh-only``, and may have been applied since.
    """

    plan: Plan
    held: Mapping[str, str]
    moment: int = 0
    complete: bool | None = None
    changes: bool = False


def load(path: Path) -> Seen:
    """A plan in a file that nobody else writes: it is mapped into memory.

    :raises PlanError: when the file cannot be read, or is not a plan as JSON.
    """
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return parse(data, str(path))
    except ValueError as error:  # an empty file
        raise PlanError(f"{path}: is empty") from error
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}") from error


def parse(data: bytes | mmap, origin: str) -> Seen:
    """:raises PlanError: when it is not a plan as JSON."""
    plan = plans.parse(data, origin)
    try:
        header, planned, prior = _header(Reader(data, "plan"))
    except StateError as error:
        raise PlanError(f"{origin}: {error}") from error
    if header.get(b"errored") is True:
        raise PlanError(f"{origin}: the plan ended with an error, so it is not whole")
    held = {instance.address: str(instance.attributes.get("id") or "") for instance in plan.index.all()}
    complete = header.get(b"complete")
    if not prior:
        # Of what was not looked at it says nothing.
        complete = False
    return Seen(
        plan, held, moment_of(header.get(b"timestamp")), complete if isinstance(complete, bool) else None, planned > 0
    )


def _header(reader: Reader) -> tuple[Mapping[bytes, Any], int, bool]:
    """The small members, how many managed resources are planned, and whether the state before it is there.

    Of a refresh-only plan none is planned, not even one that stays as it is.
    """
    header: dict[bytes, Any] = {}
    planned, prior = 0, False
    for name in reader.members():
        if name in _SMALL:
            header[name] = reader.value()
        elif name == b"resource_changes":
            planned = sum(change.get("mode") == "managed" for change in reader.objects())
        else:
            prior = prior or (name == b"prior_state" and reader.opening == b"{")
            reader.skip()
    return header, planned, prior


def moment_of(text: Any) -> int:
    """A time as RFC 3339 writes it, in nanoseconds since the epoch; 0 where it is none."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return 0
    return int(moment.timestamp() * 1e9) if moment is not None and moment.tzinfo is not None else 0
