"""The tags of a resource in state, as every event about it shows them."""

from typing import Any

import pytest

from tests.drift.test_engine import engine, index, timeout
from tests.indexes import index_of
from tests.terraform.states import instance, resource, state
from tfdrift_core.drift.opening import from_document, opened, reminder, to_document
from tfdrift_core.drift.present.present import secrets_of, tags_of
from tfdrift_core.drift.present.redact import SENSITIVE
from tfdrift_core.output.fields import values

SECRET = "hunter2-and-more"


def shown(attributes: dict[str, Any], *marks: list[dict[str, str]], type: str = "aws_sqs_queue") -> dict[str, str]:
    body = instance({"id": "x", **attributes}, sensitive_attributes=list(marks))
    (found,) = index_of(state(resource(type, "x", body))).all()
    return dict(tags_of(found, found.attributes, secrets_of(found, found.attributes)))


def mark(*steps: str) -> list[dict[str, str]]:
    return [{"type": "get_attr", "value": step} for step in steps]


def test_default_tags_are_among_them() -> None:
    assert shown({"tags": {"Env": "prod"}, "tags_all": {"Env": "prod", "Team": "shop"}}) == {
        "Env": "prod",
        "Team": "shop",
    }
    assert shown({"tags": {"Env": "prod"}}) == {"Env": "prod"}


def test_blocks_of_auto_scaling_groups() -> None:
    blocks = [{"key": "Team", "value": "shop", "propagate_at_launch": True}, {"key": None, "value": 5}, None, "x"]
    assert shown({"tag": blocks}, type="aws_autoscaling_group") == {"Team": "shop"}


@pytest.mark.parametrize("tags", [None, "", [], {}, 5, "text", {"a": None, "b": 5, "c": ["x"], "d": {}}])
def test_anything_else_is_none(tags: Any) -> None:
    assert shown({"tags": tags, "tags_all": tags}) == {}


def test_what_is_sensitive_is_hidden() -> None:
    assert shown({"tags": {"a": SECRET}, "tags_all": {"a": SECRET}}, mark("tags")) == {}
    assert shown({"tags": {"a": SECRET, "b": "x"}, "tags_all": {"a": SECRET, "b": "x"}}, mark("tags", "a")) == {
        "a": SENSITIVE,
        "b": "x",
    }
    assert shown({"password": SECRET, "tags": {"note": f"was {SECRET}"}}, mark("password")) == {
        "note": f"was {SENSITIVE}"
    }


def test_the_drift_its_end_and_reminders_have_them() -> None:
    machine = engine()
    events = machine.process(index(), [timeout(60)]).events + machine.process(index(), [timeout(30)]).events
    (drift, end) = events
    again = reminder(from_document(to_document(opened(drift, ()))), 0)
    for event in (drift, end, again):
        assert values(event)["tf.tags"] == ("Env=prod", "Team=shop")
    assert again.resource == drift.resource
