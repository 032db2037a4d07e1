"""Which effects of a call are tried at all."""

from tests.drift.test_engine import index, timeout
from tfdrift_core.drift.change.catalog import load
from tfdrift_core.drift.change.plan import Plans
from tfdrift_core.records.record import Record


def test_only_what_can_touch_something_that_is_managed() -> None:
    catalog, plans = load(), Plans(index())
    queue = catalog.event(timeout(60))
    bucket = catalog.event(Record({"eventSource": "s3.amazonaws.com", "eventName": "PutBucketVersioning"}))
    assert queue is not None
    assert bucket is not None
    assert [step.types for step in plans.of(queue)] == [("aws_sqs_queue",)] * len(plans.of(queue))
    assert plans.of(queue)
    assert plans.of(bucket) == ()


def test_what_makes_something_new_is_always_tried() -> None:
    event = load().event(Record({"eventSource": "sns.amazonaws.com", "eventName": "CreateTopic"}))
    assert event is not None
    (step, *_) = Plans(index()).of(event)
    assert step.types == ()
    assert step.effect.create is not None
    assert step.answered
