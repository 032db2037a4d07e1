"""Finds the open drift that is over: after the calls of a batch, and when a newer version of a state comes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from tfdrift_core.drift.classify.classify import Cause, Verdict
from tfdrift_core.drift.compare.diff import related
from tfdrift_core.drift.compare.values import member, render, same
from tfdrift_core.drift.event import Kind, Opening, Resolution
from tfdrift_core.drift.memory import Key, Memory, Remembered
from tfdrift_core.drift.track import Touch, Track
from tfdrift_core.terraform.model import Attributes, Instance, StateIndex


class End(NamedTuple):
    """A drift that is over: how it ended, and by which call, or by a version of the state if there is none."""

    opening: Opening
    resolution: Resolution
    touch: Touch | None = None


def ends(track: Track) -> Iterator[End]:
    """The open drift of a resource that the calls of a batch ended."""
    if not track.openings:
        return
    gone, differing = track.current is None, track.differing()
    for opening in track.openings:
        if opening.kind is Kind.DELETED:
            touch = None if gone else track.toucher("")
        elif gone:
            touch = track.toucher("")
        elif not opening.steps or any(related(path, opening.steps) for path in differing):
            continue
        else:
            # A resource that is deleted and made anew in one batch changes no attribute by itself.
            touch = track.toucher(opening.attribute) or track.toucher("")
        if touch is not None:
            removed = gone and opening.kind is not Kind.DELETED
            yield End(opening, Resolution.REMOVED if removed else by_call(touch.verdict), touch)


def by_call(verdict: Verdict) -> Resolution:
    return Resolution.APPLIED if verdict.cause is Cause.TERRAFORM else Resolution.REVERTED


@dataclass(frozen=True, slots=True)
class Outdated:
    """A resource of which state is newer than what is remembered, and the drift that this ended."""

    key: Key
    ends: tuple[End, ...]
    moved: "Moved | None" = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What is remembered of a resource that has another address in state now."""

    key: Key
    instance: Instance
    remembered: Remembered


def outdated(memory: Memory, index: StateIndex, before: Mapping[str, object]) -> Iterator[Outdated]:
    """Compares what is remembered with the states that are newer than ``before``.

    A state that is not loaded proves nothing: after a restart it may only be out of reach.
    """
    versions = index.versions
    by_state: dict[str, list[Key]] = {}
    for key in memory.resources():
        by_state.setdefault(key[0], []).append(key)
    for key in by_state.pop("", ()):
        if (opening := next(iter(memory.openings(key)), None)) is not None and _is_managed(index, opening):
            yield Outdated(key, (End(opening, Resolution.ADOPTED),))
    for state, keys in by_state.items():
        if versions.get(state) is before.get(state):
            continue
        instances = index.at(state, {address for _, address in keys})
        for key in keys:
            yield from _outdated(memory, key, instances.get(key[1]), index, state in versions or state in before)


def _outdated(
    memory: Memory, key: Key, instance: Instance | None, index: StateIndex, known: bool
) -> Iterator[Outdated]:
    if instance is None and not known:
        return
    later = _elsewhere(memory, key, instance, index)
    instance = later or instance
    if instance is None:
        yield Outdated(key, tuple(End(opening, Resolution.REMOVED) for opening in memory.openings(key)))
        return
    remembered = memory.outdated(key, instance.attributes)
    if remembered is not None:
        yield Outdated(key, _by_state(remembered, instance.attributes))
    elif later is not None:
        yield Outdated(key, (), _moved(memory.recall(key, later.attributes), later))


def _elsewhere(memory: Memory, key: Key, instance: Instance | None, index: StateIndex) -> Instance | None:
    """The one instance that is the resource of an open drift under another address."""
    opening = next(iter(memory.openings(key)), None)
    if opening is None or not opening.resource.id:
        return None
    resource = opening.resource
    if instance is not None and instance.attributes.get("id") == resource.id:
        return None
    found = index.find(resource.type, "id", resource.id, account=resource.account, region=resource.region)
    if len(found) != 1 or memory.remembers((found[0].state, found[0].address)):
        return None
    return found[0]


def _moved(remembered: Remembered, instance: Instance) -> Moved:
    place = {
        name: getattr(instance, name) for name in ("address", "name", "module", "workspace", "state", "file", "line")
    }
    openings = tuple(replace(o, resource=replace(o.resource, **place)) for o in remembered.openings)
    return Moved((instance.state, instance.address), instance, replace(remembered, openings=openings))


def _by_state(remembered: Remembered, state: Attributes) -> tuple[End, ...]:
    current = remembered.overlay.current
    return tuple(End(opening, _said(opening, current, state)) for opening in remembered.openings)


def _said(opening: Opening, current: Attributes | None, state: Attributes) -> Resolution:
    """How a newer version of the state ended a drift: it has what Terraform wanted before, or something else."""
    if opening.kind is Kind.DELETED:
        return Resolution.APPLIED
    value = member(state, opening.steps)
    if current is not None and same(member(current, opening.steps), value):
        return Resolution.ADOPTED
    return Resolution.APPLIED if render(value) == opening.old_value else Resolution.ADOPTED


def _is_managed(index: StateIndex, opening: Opening) -> bool:
    """Whether a resource that was made outside Terraform is in a state now."""
    resource = opening.resource
    return any(
        index.find(resource.type, attribute, value, account=resource.account, region=resource.region)
        for attribute, value in (("id", resource.id), ("arn", resource.arn))
        if value
    )
