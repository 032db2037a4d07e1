"""The forms of real CloudTrail records: ``records.jsonl.gz``.

Keys, types, enumerated values and what repeats within a record are as in real records.  Names, ids, addresses, times
and texts are made up: ``distil.py`` made the file and says how.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("records.jsonl.gz")


def forms() -> Iterator[dict[str, Any]]:
    """Every ``{"kind": ..., "record": ...}``; ``kind`` is ``real``, or ``doc-example`` for an example of AWS's own."""
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
