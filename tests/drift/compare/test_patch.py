"""A difference that is carried over brings nothing with it that stood beside it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdrift_core.drift.compare.diff import diff
from tfdrift_core.drift.compare.patch import patched

VALUES = st.recursive(
    st.one_of(st.integers(1, 9), st.text("abc", min_size=1, max_size=3)),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, min_size=1, max_size=3),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(st.sampled_from("pqr"), VALUES, max_size=3)


@pytest.mark.parametrize(
    ("before", "after", "other", "wanted"),
    [
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 5}, {"a": 2, "b": 5}),
        ({"t": {"k": "1"}}, {"t": {"k": "2"}}, {"t": {"k": "1", "m": "x"}}, {"t": {"k": "2", "m": "x"}}),
        (
            {"t": {"k": "1", "m": "x"}},
            {"t": {"k": "1"}},
            {"t": {"k": "1", "m": "x", "n": "y"}},
            {"t": {"k": "1", "n": "y"}},
        ),
        ({"s": [1, 2]}, {"s": [1, 2, 3]}, {"s": [1]}, {"s": [1, 3]}),
        ({"s": [1, 2, 3]}, {"s": [1, 3]}, {"s": [1, 2]}, {"s": [1]}),
        ({"l": [{"a": 1, "b": 1}]}, {"l": [{"a": 2, "b": 1}]}, {"l": [{"a": 1, "b": 9}]}, {"l": [{"a": 2, "b": 9}]}),
        ({"l": [{"a": 1}, {"a": 2}]}, {"l": [{"a": 1}, {"a": 3}]}, {"l": [{"a": 1}]}, {"l": [{"a": 1}]}),
        ({"a": 1}, {}, {"a": 1, "b": 2}, {"a": None, "b": 2}),
    ],
)
def test_only_the_difference(
    before: dict[str, Any], after: dict[str, Any], other: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert patched(other, diff(before, after, None)) == wanted


@given(ATTRIBUTES, ATTRIBUTES)
def test_on_the_version_it_was_made_from_it_gives_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert diff(patched(before, diff(before, after, None)), after, None) == []


@given(ATTRIBUTES, ATTRIBUTES)
def test_what_it_is_given_stays_as_it_is(before: dict[str, Any], after: dict[str, Any]) -> None:
    kept = repr(before)
    patched(before, diff(before, after, None))
    assert repr(before) == kept
