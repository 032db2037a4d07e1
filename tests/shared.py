"""Real records: their forms, which this repository carries, and the records themselves where they are beside it.

``TFDRIFT_SHARED`` names the folder that has ``corpus/``, else it is ``../shared``.  No test needs it.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.forms import forms
from tfdrift_core.drift.names import is_elsewhere
from tfdrift_core.records.record import Record

SHARED = Path(os.environ.get("TFDRIFT_SHARED") or Path(__file__).resolve().parents[2] / "shared")


WHOLE = SHARED / "corpus" / "cloudtrail.jsonl"


def least(forms_alone: int, with_whole_records: int) -> int:
    """How much of something has to be in the corpus, by what is there."""
    return with_whole_records if WHOLE.is_file() else forms_alone


def corpus() -> Iterator[dict[str, Any]]:
    """Every ``{"kind": ..., "record": ...}``; ``kind`` is ``real``, ``doc-example`` or ``synthetic``."""
    yield from forms()
    if WHOLE.is_file():
        with WHOLE.open(encoding="utf-8") as lines:
            for entry in map(json.loads, lines):
                yield {"kind": entry["provenance"]["kind"], "record": entry["record"]}


def names_elsewhere(record: Record) -> bool:
    """Whether a parameter is an ARN of another account or region than the record's own.

    Nobody logs that of a resource of its own; it is so where names were made up, in AWS's examples too.
    """
    given = (value for value in record.request.values() if isinstance(value, str))
    return any(is_elsewhere(text, record.account, record.region) for text in given)
