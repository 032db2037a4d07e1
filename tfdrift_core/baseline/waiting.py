"""What Terraform said and the engine has not taken over yet: by ``tfdrift verify``, and in plans."""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from tfdrift_core.baseline.look import Look, Plans
from tfdrift_core.delivery.drifts import Key
from tfdrift_core.delivery.tracked import Tracked
from tfdrift_core.drift.finding import Finding, from_bytes, of_plan, to_bytes
from tfdrift_core.drift.memory import Memory
from tfdrift_core.terraform.model import StateIndex

_log = logging.getLogger("tfdrift.baseline")
_KEPT: Final = 7 * 86_400_000_000_000
"""Nanoseconds that what was verified waits for its state to be read."""

_AT_ONCE: Final = 200
"""Findings of a plan between two batches of records."""

Settle = Callable[[], None]
"""To be called when what was taken over is settled."""


class Waiting:
    """Gives findings in parts, each with what to do once it is settled."""

    def __init__(self, reader: Plans) -> None:
        self._reader = reader
        self._under_way: set[tuple[Key, bytes]] = set()
        self._left: deque[Finding] = deque()
        self._look: Look | None = None
        self._unplaced: set[str] = set()

    def restart(self) -> None:
        """What was under way is not settled, and comes again."""
        self._under_way.clear()
        self._left.clear()
        if self._look is not None:
            self._reader.again(self._look)
        self._look = None

    @property
    def idle(self) -> bool:
        return self._look is None and self._reader.idle

    def take(
        self, source: Tracked, memory: Memory, index: StateIndex, now: int
    ) -> tuple[Sequence[Finding], Sequence[Settle]]:
        """What is to be taken over now."""
        found, settles = self._verified(source, memory, index, now)
        if self._look is None and (look := self._reader.next()) is not None:
            self._begin(look, memory, index)
        if self._look is not None:
            found += [self._left.popleft() for _ in range(min(_AT_ONCE, len(self._left)))]
            if not self._left:
                settles.append(partial(source.plan_taken, self._look.origin, self._look.version))
                self._look = None
        return found, settles

    def _verified(
        self, source: Tracked, memory: Memory, index: StateIndex, now: int
    ) -> tuple[list[Finding], list[Settle]]:
        """What ``tfdrift verify`` left and is not under way; of a state that is not loaded, later."""
        found: list[Finding] = []
        taken: list[tuple[Key, bytes]] = []
        for item in source.found():
            key, content = item
            if item in self._under_way:
                continue
            try:
                finding = from_bytes(key, content, memory.salt)
            except (KeyError, TypeError, ValueError) as error:
                _log.warning("%s: what tfdrift verify found cannot be read, verify it again: %r", key[1], error)
                taken.append(item)
                continue
            if key[0] in index.versions:
                found.append(finding)
                taken.append(item)
            elif now - finding.moment > _KEPT:
                taken.append(item)
        self._under_way.update(taken)
        return found, [partial(self._settle, source, taken)] if taken else []

    def _settle(self, source: Tracked, taken: Collection[tuple[Key, bytes]]) -> None:
        source.taken(list(taken))
        self._under_way.difference_update(taken)

    def _begin(self, look: Look, memory: Memory, index: StateIndex) -> None:
        found = list(_findings(look, memory, index))
        if not found and look.drifted:
            if look.origin not in self._unplaced:
                _log.warning(
                    "%s: none of what has drifted there is in a state that is read; it is tried again", look.origin
                )
            self._unplaced.add(look.origin)
            self._reader.again(look)
            return
        self._unplaced.discard(look.origin)
        self._look, self._left = look, deque(found)


def _findings(look: Look, memory: Memory, index: StateIndex) -> Iterator[Finding]:
    """What a plan says of the resources that drifted, and of those whose drift is open, in the states that are read."""
    drifted = set()
    origin = f"plan {look.origin}"
    for one in look.drifted:
        address, id = one.instance.address, str(one.before.get("id") or "")
        places = index.find(one.instance.type, "id", id) if id else ()
        place = next((instance for instance in places if instance.address == address), None)
        if place is None:
            _log.debug("%s: %s (%s) is in no state that is read", look.origin, address, id)
            continue
        key = place.state, address
        drifted.add(key)
        finding = of_plan(key, look.moment, origin, one.before, one.after, look.whole)
        # What the plan marks as sensitive is sealed by what the plan says, whatever state knew when it was written.
        sealed = from_bytes(key, to_bytes(finding, one.instance, memory.salt), memory.salt)
        yield replace(sealed, causes=look.causes.get(address, {}))
    if not look.whole:
        return
    for key in memory.drifted():
        opening = next(iter(memory.openings(key)), None)
        if key in drifted or not key[0] or opening is None:
            continue
        if opening.resource.id and look.held.get(key[1]) == opening.resource.id:
            yield of_plan(key, look.moment, origin, {}, {}, True)
