"""The real records and judgements beside the checkout, which the project may not carry itself.

``TFDRIFT_SHARED`` names their folder, else it is ``../shared``.  Where they are not to be had at all, ``none`` says so
and the tests that need them are skipped; without that word, their absence is a failure in CI.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.fixtures import missing

SHARED = Path(os.environ.get("TFDRIFT_SHARED") or Path(__file__).resolve().parents[2] / "shared")
CORPUS = SHARED / "corpus" / "cloudtrail.jsonl"


def corpus() -> Iterator[dict[str, Any]]:
    """Every ``{"provenance": ..., "record": ...}`` object of the corpus."""
    if not CORPUS.is_file():
        message = f"no real CloudTrail records at {CORPUS}: set TFDRIFT_SHARED to the directory that holds corpus/"
        if str(SHARED) == "none":
            pytest.skip(message)
        missing(message)
    with CORPUS.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
