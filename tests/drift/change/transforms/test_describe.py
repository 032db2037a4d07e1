"""That the transforms, the schema of their options and the page about them say the same."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tfdrift_core.drift.change.transforms import TRANSFORMS, make
from tfdrift_core.drift.change.transforms.__main__ import PAGE, SCHEMA, page_with, schema_with
from tfdrift_core.drift.change.transforms.blocks import BlockElement, Gone
from tfdrift_core.drift.change.transforms.describe import options

ROOT = Path(__file__).parents[4]
RENEW = "run `python -m tfdrift_core.drift.change.transforms --write`"
VALIDATOR = jsonschema.Draft202012Validator(json.loads((ROOT / SCHEMA).read_text(encoding="utf-8")))


def test_schema_is_current() -> None:
    text = (ROOT / SCHEMA).read_text(encoding="utf-8")
    assert text == schema_with(text), RENEW


def test_page_is_current() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert text == page_with(text), RENEW


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_option_says_what_it_is(name: str) -> None:
    assert TRANSFORMS[name].__doc__
    for option in options(TRANSFORMS[name]):
        assert option.text.endswith("."), f"{name}: {option.name} has no docstring"


def test_an_option_may_be_a_word_of_python() -> None:
    made = make("gone", {"if": "request.name"})
    assert isinstance(made, Gone)
    assert made.if_ == "request.name"


def test_options_have_defaults() -> None:
    made = make("block_element", {"block": "tag", "key": "key", "equals": "item", "remove": True})
    assert isinstance(made, BlockElement)
    assert (made.block, made.remove, made.put_tags, made.set) == ("tag", True, "", {})
    assert made.changes == "tag"


@pytest.mark.parametrize(
    ("transform", "given", "valid"),
    [
        ("gone", {"if": "request.a"}, True),
        ("gone", {}, False),
        ("gone", {"if": ""}, False),
        ("gone", {"iff": "request.a", "if": "request.a"}, False),
        ("gone", None, False),
        ("patch", None, True),
        ("patch", {"paths": {"/a": "b"}}, True),
        ("patch", {"paths": {"/a": 1}}, False),
        ("single_tag", {"put": "request.tags"}, True),
        ("dynamodb_item", {"key": "request.key", "delete": "yes"}, False),
        ("security_group_rule", {"action": "revoke"}, True),
        ("security_group_rule", {"action": "remove"}, False),
        ("s3_object_tags", None, True),
        ("s3_object_tags", {"a": "b"}, False),
        ("nothing", None, False),
        (None, {"a": "b"}, False),
    ],
)
def test_options_that_the_schema_allows(transform: str | None, given: Any, valid: bool) -> None:
    effect: dict[str, Any] = {"type": "aws_sqs_queue"}
    if transform is not None:
        effect["transform"] = transform
    if given is not None:
        effect["with"] = given
    assert VALIDATOR.is_valid({"service": "sqs", "events": {"TagQueue": [effect]}}) is valid
