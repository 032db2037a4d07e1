"""What an object of S3 becomes while it waits for its turn."""

import gzip
import json

import pytest

from tests.trails import record, trail
from tfdrift_core.records.sift import Packed
from tfdrift_core.sources import objects
from tfdrift_core.sources.files import unpacked
from tfdrift_core.sources.objects import unpack


@pytest.mark.parametrize("lines", [True, False])
def test_what_is_large_when_decompressed_waits_as_it_came(monkeypatch: pytest.MonkeyPatch, lines: bool) -> None:
    monkeypatch.setattr(objects, "LARGEST", 1 << 20)
    text = (
        b"\n".join(json.dumps(record(number)).encode() for number in range(30_000)) if lines else trail(*range(30_000))
    )
    data = gzip.compress(text)
    (held,), problem = unpack(data)
    assert (held, problem) == (Packed(data), "")
    assert isinstance(held, Packed)
    assert b"".join(unpacked(held)) == text
    (small,), problem = unpack(gzip.compress(trail(1)))
    assert (small, problem) == (trail(1), "")
