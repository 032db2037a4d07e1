"""Who gave a drifted attribute its value: records are played in order over the resources as state has them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfdrift_core.blame.plan import Drifted, Plan
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.compare.diff import Difference, diff, path_text
from tfdrift_core.drift.compare.schema import schema_for
from tfdrift_core.drift.compare.values import UNKNOWN, as_json, same
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.drift.present.present import present, secrets_of
from tfdrift_core.output.fields import values
from tfdrift_core.records.record import Record

_CALL = ("drift.time", "drift.srcip", "drift.console", "drift.link")


@dataclass(frozen=True, slots=True)
class Part:
    """One attribute that drifted, or one element of it, with the call that did it and those that touched it before.

    ``cause`` is ``None`` where no record explains it; ``reason`` then says why, and else what is to be known beside it.
    """

    drifted: Drifted
    path: str
    old: str | None
    new: str | None
    cause: DriftEvent | None
    reason: str = ""
    history: tuple[DriftEvent, ...] = ()
    element: str = ""


def blame(plan: Plan, records: Iterable[Record], catalog: Catalog, since: str) -> Sequence[Part]:
    """Every drifted attribute of a plan with its cause, in the plan's order; ``since`` names the records' first day."""
    steps = _steps(plan, records, catalog)
    return [
        part for drifted in plan.drifted for part in _parts(drifted, steps.get(drifted.instance.address, ()), since)
    ]


def _steps(plan: Plan, records: Iterable[Record], catalog: Catalog) -> Mapping[str, Sequence[DriftEvent]]:
    """What each call did to each resource, expected calls too, the oldest first."""
    engine = Engine(catalog, Expectations(), emit_expected=True, coalesce=False)
    unique = {record.id or id(record): record for record in records}
    ordered = sorted(unique.values(), key=lambda record: record.time)
    steps: dict[str, list[DriftEvent]] = {}
    for event in engine.process(plan.index, ordered).events:
        if event.resource.address:
            steps.setdefault(event.resource.address, []).append(event)
    return steps


def _parts(drifted: Drifted, steps: Sequence[DriftEvent], since: str) -> Iterator[Part]:
    if drifted.after is None:
        deleted = [step for step in steps if not step.path and step.kind in (Kind.DELETED, Kind.EXPECTED)]
        yield _part(drifted, "", None, None, deleted, bool(deleted), since)
        return
    block = schema_for(drifted.instance.type)
    secrets = secrets_of(drifted.instance, drifted.before) | secrets_of(drifted.instance, drifted.after)
    for difference in diff(drifted.before, drifted.after, block):
        node = block.attributes.get(difference.attribute) if block else None
        computed = node is not None and node.computed_only
        yield from _of_difference(drifted, difference, steps, secrets, since, computed)


def _of_difference(
    drifted: Drifted,
    difference: Difference,
    steps: Sequence[DriftEvent],
    secrets: frozenset[str],
    since: str,
    computed: bool,
) -> Iterator[Part]:
    shown = present(drifted.instance, difference, secrets)
    path = path_text(difference.path)
    near = [step for step in steps if _related(step.path, path)]
    if not difference.added and not difference.removed:
        fits = bool(near) and _gives(near[-1], shown.new)
        yield _part(drifted, path, shown.old, shown.new, near, fits, since, computed=computed)
        return
    for sign, elements, side in (("+", shown.added, "added"), ("-", shown.removed, "removed")):
        for element in elements:
            own = [step for step in near if _has(element, getattr(step, side))]
            yield _part(
                drifted, path, shown.old, shown.new, own or near, bool(own), since,
                element=f"{sign} {element}", computed=computed,
            )  # fmt: skip


def _part(
    drifted: Drifted,
    path: str,
    old: str | None,
    new: str | None,
    near: Sequence[DriftEvent],
    fits: bool,
    since: str,
    *,
    element: str = "",
    computed: bool = False,
) -> Part:
    cause = near[-1] if near else None
    return Part(drifted, path, old, new, cause, _reason(cause, fits, computed, since), tuple(near), element)


def _reason(cause: DriftEvent | None, fits: bool, computed: bool, since: str) -> str:
    if cause is None:
        if computed:
            return "an attribute that the provider computes; no call sets it"
        return f"no record since {since} names it: older than that, or made by AWS itself"
    if cause.kind is Kind.EXPECTED:
        return cause.reason
    if fits:
        return ""
    if cause.new_value in (None, UNKNOWN):
        return "the call changed it; its value is not in the record"
    return "the last call that changed it, to another value; what came after it no record tells"


def _gives(step: DriftEvent, value: str | None) -> bool:
    return _alike(step.new_value, value)


def _alike(one: str | None, other: str | None) -> bool:
    if one == other:
        return True
    left, right = (_value(text) for text in (one, other))
    return same(left, right)


def _value(text: str | None) -> Any:
    """What a printed value stands for, as far as it can be told."""
    document = as_json(text) if text else None
    return text if document is None else document


def _has(element: str, elements: Iterable[str]) -> bool:
    return any(_alike(element, other) for other in elements)


def _related(one: str, other: str) -> bool:
    """Whether one path, as text, leads to the other, or into it."""
    if not one or not other:
        return False
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or (longer.startswith(shorter) and longer[len(shorter)] in ".[")


def as_row(part: Part) -> dict[str, Any]:
    """A part as plain data, by the names of our fields."""
    instance = part.drifted.instance
    row: dict[str, Any] = {
        "tf.address": instance.address,
        "tf.type": instance.type,
        "tf.state": instance.state,
        "drift.path": part.path,
        "drift.old_value": part.old,
        "drift.new_value": part.new,
        "element": part.element,
        "reason": part.reason,
        "explained": part.cause is not None,
    }
    if part.cause is not None:
        found = values(part.cause)
        row |= {name: value for name, value in found.items() if name.startswith(("drift.user", "ct."))}
        row |= {
            name: found[name] for name in ("drift.time", "drift.srcip", "drift.console", "drift.link") if name in found
        }
    return {name: value for name, value in row.items() if value not in (None, "")}
