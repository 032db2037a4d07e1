"""The real records beside the checkout, for the tests that read them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("TFDRIFT_SHARED") or Path(__file__).resolve().parents[3] / "shared")
CORPUS = SHARED / "corpus" / "cloudtrail.jsonl"


def corpus() -> Iterator[dict[str, Any]]:
    """Every ``{"provenance": ..., "record": ...}`` object of the corpus."""
    if not CORPUS.is_file():
        message = f"no real CloudTrail records at {CORPUS}: set TFDRIFT_SHARED to the directory that holds corpus/"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with CORPUS.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
