"""Follows one resource through a batch: what it was, what each call made of it, and the net change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tfdrift_core.drift.classify.classify import Cause, Outcome, Verdict
from tfdrift_core.drift.compare.diff import Difference, Owner, Path, diff, related
from tfdrift_core.drift.compare.patch import patched
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.drift.event import Confidence
from tfdrift_core.drift.memory import Key, Overlay, Remembered
from tfdrift_core.drift.present.present import secrets_of, tags_of
from tfdrift_core.records.record import Record, once
from tfdrift_core.terraform.model import Attributes, Instance


@dataclass(frozen=True)
class Known:
    """What state alone says about an instance.

    ``block`` is the schema of the provider that wrote the attributes, ``secrets`` are their sensitive values.
    """

    key: Key
    instance: Instance
    attributes: Attributes
    block: Block | None

    @once
    def secrets(self) -> frozenset[str]:
        return secrets_of(self.instance, self.attributes)

    @once
    def tags(self) -> tuple[tuple[str, str], ...]:
        return tags_of(self.instance, self.attributes, self.secrets)

    @once
    def owner(self) -> Owner:
        return Owner(self.instance.account, self.instance.region)


@dataclass(frozen=True, slots=True)
class Touch:
    """What one call did to one resource: ``attributes`` names all that it changed, ``after`` is the result."""

    record: Record
    verdict: Verdict
    confidence: Confidence
    reason: str
    attributes: tuple[str, ...] = ()
    after: Attributes = field(default_factory=dict, repr=False)

    def having(self, attributes: tuple[str, ...], after: Attributes) -> "Touch":
        """The same of other attributes; ``dataclasses.replace`` takes three times as long, and touches are many."""
        return Touch(self.record, self.verdict, self.confidence, self.reason, attributes, after)


class Net(NamedTuple):
    """One difference that a batch leaves, and who made it last.  Without a difference the resource is gone."""

    touch: Touch
    difference: Difference | None


class Track:
    """A resource's versions within a batch.

    ``baseline`` is what Terraform wants.  ``start`` is what the batch is compared with: what was there before it, moved
    on by what expected calls did.  ``current`` is what the last call left.  ``None`` is a resource that is gone.
    """

    def __init__(self, known: Known, remembered: Remembered) -> None:
        self.known = known
        self.openings = remembered.openings
        self.baseline = remembered.overlay.baseline
        self.start = self.current = remembered.overlay.current
        self._block = known.block
        self._owner = known.owner
        self._touched: dict[str, Touch] = {}
        self._deleted: Touch | None = None
        self._last: dict[str, Touch] = {}
        self._latest: Touch | None = None
        self._left: tuple[Attributes, frozenset[str]] | None = None

    @property
    def instance(self) -> Instance:
        return self.known.instance

    @property
    def moved(self) -> bool:
        """Whether any call of the batch touched it."""
        return self._latest is not None

    @property
    def as_expected(self) -> bool:
        """Whether none but expected calls changed it: there is nothing to tell."""
        return not self._touched and self._deleted is None

    @property
    def overlay(self) -> Overlay:
        """What to remember of the resource."""
        return Overlay(self.known.attributes, self.baseline, self.current)

    @property
    def last(self) -> Touch | None:
        """The last call that changed it, apart from expected ones."""
        return next(reversed(self._touched.values()), None)

    def secrets(self, touch: Touch) -> frozenset[str]:
        """The secrets of state and those that a call left, collected once: one call often makes several events."""
        left = self._left
        if left is None or left[0] is not touch.after:
            left = self._left = touch.after, self.known.secrets | secrets_of(self.instance, touch.after)
        return left[1]

    def change(self, after: Attributes | None, touch: Touch) -> Sequence[Net]:
        """Add what a call left.  Gives the differences that are not told because the call was expected.

        Only what an expected call itself changed is expected: what another call did to the same attribute stays drift.
        """
        before = self.current
        start = self.baseline if before is None else before
        differences = [] if after is None else diff(start, after, self._block, self._owner)
        names = tuple(dict.fromkeys([difference.attribute for difference in differences]))
        touch = touch.having(names, after or {})
        self.current, self._latest = after, touch
        self._last.update(dict.fromkeys(names, touch))
        if touch.verdict.outcome is not Outcome.EXPECTED:
            self._note(touch, gone=after is None and before is not None)
            return ()
        self.start = None if after is None else _moved_on(self.start or self.baseline, before, after, differences)
        if touch.verdict.cause is Cause.TERRAFORM and after is not None:
            self.baseline = _moved_on(self.baseline, before, after, differences)
        if after is None and before is not None:
            return (Net(touch, None),)
        return [Net(touch, difference) for difference in differences]

    def _note(self, touch: Touch, gone: bool) -> None:
        if gone:
            self._deleted = touch
            return
        for attribute in touch.attributes:
            earlier = self._touched.get(attribute)
            same_call = earlier is not None and earlier.record is touch.record
            names = (*earlier.attributes, *touch.attributes) if earlier and same_call else touch.attributes
            self._touched[attribute] = touch.having(tuple(dict.fromkeys(names)), touch.after)

    def net(self) -> Iterator[Net]:
        """The net change of the batch, without what is as Terraform wants it."""
        if self.current is None:
            if self.start is not None and self._deleted is not None:
                yield Net(self._deleted, None)
            return
        if not self._touched:
            return
        differing = self.differing()
        for difference in diff(self.start or self.baseline, self.current, self._block, self._owner):
            touch = self._touched.get(difference.attribute)
            if touch is not None and any(related(path, difference.path) for path in differing):
                yield Net(touch, difference)

    def differing(self) -> Sequence[Path]:
        """The differences between the resource now and what Terraform wants."""
        if self.current is None:
            return []
        return [difference.path for difference in diff(self.baseline, self.current, self._block, self._owner)]

    def toucher(self, attribute: str) -> Touch | None:
        """The call of this batch that changed an attribute last; without an attribute, the last call of all."""
        return self._last.get(attribute) if attribute else self._latest

    def put_back(self, told: frozenset[str]) -> Iterator[Net]:
        """The attributes that calls touched and that are as Terraform wants them again."""
        if self.current is None:
            return
        for name, touch in self._touched.items():
            if name not in told:
                value = self.current.get(name)
                yield Net(touch, Difference((name,), value, value))


def _moved_on(
    version: Attributes, before: Attributes | None, after: Attributes, differences: Sequence[Difference]
) -> Attributes:
    """A version of a resource with what an expected call changed in it."""
    return after if version is before else patched(version, differences)
