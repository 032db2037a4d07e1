"""Text of others, made fit to be shown."""

import json
from typing import Any

import pytest

from tfdrift_core.text import json_line


@pytest.mark.parametrize(("row", "read"), [({"a": 1}, {"a": 1}), ({"by": "x\ud800"}, {"by": "x?"})])
def test_any_row_is_a_line_of_json(row: dict[str, Any], read: dict[str, Any]) -> None:
    line = json_line(row)
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert json.loads(line.decode()) == read
