"""What the calls of one batch made of one resource."""

from typing import Any

import pytest

from tests.drift.test_engine import index, timeout
from tfdrift_core.drift.classify.classify import Cause, Outcome, Verdict
from tfdrift_core.drift.compare.schema import schema_of
from tfdrift_core.drift.event import Confidence
from tfdrift_core.drift.memory import Overlay, Remembered
from tfdrift_core.drift.track import Known, Touch, Track

CHANGE = Verdict(Outcome.CHANGE)
TERRAFORM = Verdict(Outcome.EXPECTED, Cause.TERRAFORM, "made by Terraform")
RULE = Verdict(Outcome.EXPECTED, Cause.RULE, "the nightly job")


def track(**attributes: Any) -> Track:
    (instance,) = index(**attributes).all("aws_sqs_queue")
    state = instance.attributes
    known = Known((instance.state, instance.address), instance, state, schema_of(instance.type, state))
    return Track(known, Remembered(Overlay(state, state, state)))


def touch(verdict: Verdict = CHANGE) -> Touch:
    return Touch(timeout(60), verdict, Confidence.EXACT, verdict.reason)


def change(resource: Track, verdict: Verdict = CHANGE, **attributes: Any) -> None:
    assert resource.current is not None
    resource.change({**resource.current, **attributes}, touch(verdict))


def net(resource: Track) -> list[tuple[str, Any, Any]]:
    return [(str(n.difference.path[-1]), n.difference.old, n.difference.new) for n in resource.net() if n.difference]


def test_the_net_change_and_who_made_it_last() -> None:
    resource = track()
    change(resource, delay_seconds=5)
    change(resource, delay_seconds=7)
    assert net(resource) == [("delay_seconds", 0, 7)]


def test_what_was_put_back_is_no_net_change() -> None:
    resource = track()
    change(resource, delay_seconds=5)
    change(resource, delay_seconds=0)
    assert net(resource) == []
    assert [n.difference.attribute for n in resource.put_back(frozenset()) if n.difference] == ["delay_seconds"]


@pytest.mark.parametrize("verdict", [TERRAFORM, RULE], ids=["terraform", "rule"])
@pytest.mark.parametrize("expected_first", [True, False])
def test_an_expected_call_hides_no_other_change_of_the_same_attribute(verdict: Verdict, expected_first: bool) -> None:
    """Tags stand for whatever has elements: rules of a group, statements, members."""
    resource = track(tags={"Env": "prod"})
    steps = [(verdict, {"Deployed": "today"}), (CHANGE, {"Open": "yes"})]
    for who, tags in steps if expected_first else reversed(steps):
        assert resource.current is not None
        change(resource, who, tags={**resource.current["tags"], **tags})
    assert net(resource) == [("Open", None, "yes")]


def test_terraform_moves_what_is_wanted_by_just_what_it_set() -> None:
    resource = track(tags={"Env": "prod"})
    change(resource, tags={"Env": "prod", "Open": "yes"})
    change(resource, TERRAFORM, tags={"Env": "dev", "Open": "yes"})
    assert resource.baseline["tags"] == {"Env": "dev"}
    assert resource.current is not None
    assert resource.current["tags"] == {"Env": "dev", "Open": "yes"}


def test_gone_is_told_once_and_made_anew_is_compared() -> None:
    resource = track()
    resource.change(None, touch())
    assert [n.difference for n in resource.net()] == [None]
    resource.change({**resource.baseline, "delay_seconds": 9}, touch())
    assert net(resource) == [("delay_seconds", 0, 9)]


def test_deleted_as_expected_is_withheld() -> None:
    resource = track()
    assert [n.difference for n in resource.change(None, touch(RULE))] == [None]
    assert list(resource.net()) == []


@pytest.mark.parametrize("verdict", [TERRAFORM, RULE], ids=["terraform", "rule"])
def test_what_expected_calls_alone_left_is_where_the_next_change_starts(verdict: Verdict) -> None:
    resource = track()
    change(resource, verdict, delay_seconds=5)
    assert resource.as_expected
    assert resource.differing() == ([] if verdict is TERRAFORM else [("delay_seconds",)])
    change(resource, delay_seconds=7)
    assert not resource.as_expected
    assert net(resource) == [("delay_seconds", 5, 7)]
