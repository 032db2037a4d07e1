"""The rules of equality, as a whole: what holds for any two values, and what the provider's own rules say."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tfdrift_core.drift.compare.diff import diff
from tfdrift_core.drift.compare.values import Elements, difference, is_empty, same

EXAMPLES = yaml.safe_load(Path(__file__).with_name("equivalent.yaml").read_text(encoding="utf-8"))
PAIRS = [
    pytest.param(left, right, verdict == "same", id=f"{rule['by'].partition(',')[0]}-{verdict}-{number}")
    for rule in EXAMPLES
    for verdict in ("same", "different")
    for number, (left, right) in enumerate(rule.get(verdict, ()))
]

# Texts that rules are about, so that chance finds them: ARNs, ranges, moments, numbers, documents.
TEXTS = st.sampled_from(
    [
        *(
            text
            for rule in EXAMPLES
            for verdict in ("same", "different")
            for pair in rule.get(verdict, ())
            for text in pair
        ),
        *("arn:", "arn:aws:s3:::b", "b", "/b", ":b", "0", "00", "1e3", "1000", "-0", "nan", "true", "False", "[", "{}"),
        *(
            "10.0.0.0",
            "::",
            "0:0::",
            "2024-01-01 00:00:00",
            "Jan 1, 2024 1:00:00 AM",
            "\\052.example.com",
            "*.example.com",
        ),
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), st.text(max_size=6), TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6,
)


@pytest.mark.parametrize(("left", "right", "equal"), PAIRS)
def test_the_provider_says_the_same(left: Any, right: Any, equal: bool) -> None:
    assert same(left, right) is equal
    assert same(right, left) is equal
    differing = diff({"name": left}, {"name": right}, None)
    assert bool(differing) is not equal


@pytest.mark.parametrize(("left", "right", "equal"), PAIRS)
def test_elements_of_a_set_are_found_by_the_same_rules(left: Any, right: Any, equal: bool) -> None:
    assert (Elements([left]).place(right) is not None) is equal
    assert bool(difference([left], [right])) is not equal


@given(VALUES)
def test_a_value_is_the_same_as_itself_and_as_its_copy(value: Any) -> None:
    assert same(value, value)
    assert same(value, json.loads(json.dumps(value)))
    assert Elements([value]).place(json.loads(json.dumps(value))) == 0


@given(VALUES, VALUES)
def test_it_does_not_matter_which_comes_first(left: Any, right: Any) -> None:
    assert same(left, right) is same(right, left)
    assert bool(diff({"x": left}, {"x": right}, None)) is bool(diff({"x": right}, {"x": left}, None))


@given(VALUES, VALUES)
def test_what_is_empty_is_the_same_as_nothing(left: Any, right: Any) -> None:
    assert same(left, None) is is_empty(left)
    if is_empty(left) and is_empty(right):
        assert same(left, right)


@given(VALUES, VALUES)
def test_what_is_the_same_is_found_in_a_set(left: Any, right: Any) -> None:
    if same(left, right):
        assert Elements([left]).place(right) == 0
