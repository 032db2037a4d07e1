"""Sets what a plan shows beside the drift that is open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfdrift_core.drift.compare.diff import path_text
from tfdrift_core.drift.compare.ignore import ignored
from tfdrift_core.drift.compare.schema import schema_of
from tfdrift_core.drift.event import Kind, Opening
from tfdrift_core.drift.finding import Answer, Compared, Finding, compare, of_plan, summary, to_bytes
from tfdrift_core.drift.memory import Key, Memory
from tfdrift_core.drift.track import Known
from tfdrift_core.terraform.model import Instance
from tfdrift_core.verify.plan import Seen


@dataclass(frozen=True, slots=True)
class Target:
    """What one plan is to look at: addresses of one state, in the directory and workspace that it belongs to.

    ``workspace`` is "" for the one that is selected, ``state`` "" where no state was read.
    """

    directory: Path
    workspace: str = ""
    state: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One answer, for people and programs."""

    target: Target
    address: str
    type: str
    compared: Compared

    @property
    def answer(self) -> Answer:
        return self.compared.answer

    @property
    def path(self) -> str:
        difference, opening = self.compared.difference, self.compared.opening
        return path_text(difference.path) if difference is not None else opening.path if opening is not None else ""

    @property
    def kind(self) -> Kind:
        if self.compared.opening is not None:
            return self.compared.opening.kind
        return Kind.MODIFIED if self.compared.difference is not None else Kind.DELETED

    @property
    def old(self) -> str | None:
        shown, opening = self.compared.shown, self.compared.opening
        return shown.old if shown is not None else opening.old_value if opening is not None else None

    @property
    def new(self) -> str | None:
        """The value that Terraform sees; of drift that is gone, the one that it had."""
        shown, opening = self.compared.shown, self.compared.opening
        return shown.new if shown is not None else opening.new_value if opening is not None else None

    def as_row(self) -> dict[str, Any]:
        """As plain data, by the names of our fields."""
        opening, shown = self.compared.opening, self.compared.shown
        row: dict[str, Any] = {
            "result": self.answer.value,
            "tf.address": self.address,
            "tf.type": self.type,
            "tf.state": self.target.state,
            "tf.workspace": self.target.workspace,
            "drift.kind": self.kind.value,
            "drift.path": self.path,
            "drift.old_value": self.old,
            "drift.new_value": self.new,
            "drift.added": list(shown.added) if shown is not None else [],
            "drift.removed": list(shown.removed) if shown is not None else [],
        }
        if opening is not None:
            row |= {"drift.id": opening.id, "drift.user": opening.by, "known_value": opening.new_value}
        return {name: value for name, value in row.items() if value not in (None, "", [])}


@dataclass(frozen=True)
class Sides:
    """What a plan says of a target: ``findings`` as the store keeps them, ``problems`` for people."""

    lines: Sequence[Line] = ()
    findings: Mapping[Key, bytes] = field(default_factory=dict)
    problems: Sequence[str] = ()


def beside(target: Target, seen: Seen, instances: Mapping[str, Instance], memory: Memory) -> Sides:
    """``instances`` are those of the state that was read, by address; ``memory`` has what is open.

    A resource that the plan's state does not have, or has as another object, is a problem and gets no answer.
    """
    origin = f"tfdrift verify's plan of {target.directory}"
    drifted = {found.instance.address: found for found in seen.plan.drifted}
    lines: list[Line] = []
    findings: dict[Key, bytes] = {}
    problems: list[str] = []
    for address in dict.fromkeys((*target.addresses, *drifted)):
        instance = instances.get(address)
        if problem := _problem(target, seen, address, instance):
            problems.append(problem)
            continue
        asked, found = address in target.addresses, drifted.get(address)
        instance = instance or (found.instance if found is not None else None)
        key = (target.state, address)
        if found is None:
            finding = Finding(key, seen.moment, origin, {}, {})
        else:
            finding = of_plan(key, seen.moment, origin, found.before, found.after, asked)
        compared = _compared(instance, memory, finding)
        lines += [Line(target, address, instance.type if instance else "", one) for one in compared]
        findings[key] = to_bytes(replace(finding, answers=summary(compared)), instance, memory.salt)
    return Sides(lines, findings, problems)


def _problem(target: Target, seen: Seen, address: str, instance: Instance | None) -> str:
    where = f"the state of {target.directory}" + (f", workspace {target.workspace}" if target.workspace else "")
    if not seen.held:
        return (
            f"{address}: {where} is empty; another workspace? terraform workspace list shows all, --workspace names one"
        )
    if address not in seen.held:
        return (
            f"{address}: is not in {where}; terraform state list shows what is, and --workspace names another workspace"
        )
    id = str(instance.attributes.get("id") or "") if instance is not None else ""
    if id and seen.held[address] and id != seen.held[address]:
        return f"{address}: is another object in {where} ({seen.held[address]}) than in {target.state} ({id})"
    return ""


def _compared(instance: Instance | None, memory: Memory, finding: Finding) -> Sequence[Compared]:
    openings: Sequence[Opening] = memory.openings(finding.key)
    if instance is None:
        # Of what the plan does not show nothing has to be known to see that it is not there.
        return [Compared(Answer.GONE, opening) for opening in openings]
    attributes = instance.attributes
    overlay = memory.recall(finding.key, attributes).overlay
    known = Known(finding.key, instance, attributes, schema_of(instance.type, attributes))
    compared = compare(known, overlay.baseline, overlay.current, openings, finding).compared
    return [one for one in compared if one.answer is not Answer.MORE or not _is_ignored(instance, one)]


def _is_ignored(instance: Instance, compared: Compared) -> bool:
    """Whether the configuration lets others own the attribute."""
    return compared.difference is not None and ignored(instance.ignore_changes, compared.difference.path)
