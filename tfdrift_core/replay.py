"""Replays records against states, without Falco: for tests, the ``tfdrift replay`` command and library users."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.change.catalog import load as load_catalog
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import StateIndex


def replay(
    index: StateIndex,
    records: Iterable[Mapping[str, Any]],
    *,
    catalog: Catalog | None = None,
    expectations: Expectations | None = None,
    emit_expected: bool = False,
    coalesce: bool = True,
) -> Sequence[DriftEvent]:
    """The drift that ``records`` (parsed CloudTrail records, in order) made to what ``index`` holds, as one batch."""
    engine = Engine(
        catalog or load_catalog(),
        expectations or Expectations(),
        emit_expected=emit_expected,
        coalesce=coalesce,
    )
    return engine.process(index, [Record(record) for record in records]).events
