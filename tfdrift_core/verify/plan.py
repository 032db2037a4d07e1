"""What a plan says beside its drift: of which resources it speaks, of when it is, and whether it is complete."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from tfdrift_core.blame import plan as plans
from tfdrift_core.blame.plan import Plan, PlanError

_MAX_DEPTH: Final = 64


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
    """:raises PlanError: when the file cannot be read, or is not a plan as JSON."""
    try:
        if path.stat().st_size > plans.MAX_BYTES:
            raise PlanError(f"{path}: is larger than {plans.MAX_BYTES >> 20} MB")
        data = path.read_bytes()
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}") from error
    return parse(data, str(path))


def parse(data: bytes, origin: str) -> Seen:
    """:raises PlanError: when it is not a plan as JSON."""
    plan = plans.parse(data, origin)
    document = orjson.loads(data)
    if document.get("errored") is True:
        raise PlanError(f"{origin}: the plan ended with an error, so it is not whole")
    held = {drifted.instance.address: str(drifted.instance.attributes.get("id") or "") for drifted in plan.drifted}
    held |= dict(_resources(_at(document, "prior_state", "values", "root_module")))
    complete = document.get("complete")
    if _at(document, "prior_state", "values") is None:
        complete = False
    complete = complete if isinstance(complete, bool) else None
    return Seen(plan, held, moment_of(document.get("timestamp")), complete, _changes(document.get("resource_changes")))


def _changes(changes: Any) -> bool:
    """Whether any managed resource is planned: of a refresh-only plan none is, not even one that stays as it is."""
    return isinstance(changes, list) and any(_at(change, "mode") == "managed" for change in changes)


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _resources(root: Any) -> Iterator[tuple[str, str]]:
    """The managed resources of a module and of those below it."""
    left = [(root, 0)]
    while left:
        module, depth = left.pop()
        if not isinstance(module, dict) or depth > _MAX_DEPTH:
            continue
        resources, children = module.get("resources"), module.get("child_modules")
        for resource in resources if isinstance(resources, list) else ():
            if isinstance(resource, dict) and resource.get("mode") == "managed":
                yield str(resource.get("address")), str(_at(resource, "values", "id") or "")
        left += [(child, depth + 1) for child in (children if isinstance(children, list) else ())]


def moment_of(text: Any) -> int:
    """A time as RFC 3339 writes it, in nanoseconds since the epoch; 0 where it is none."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return 0
    return int(moment.timestamp() * 1e9) if moment is not None and moment.tzinfo is not None else 0
