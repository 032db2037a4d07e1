"""What was derived is kept for what is known alone: records may name any call of any source."""

from tfdrift_core.drift.change import catalog, derived
from tfdrift_core.drift.change.catalog import load
from tfdrift_core.records.record import Record


def test_an_event_is_made_once() -> None:
    known = load()
    record = Record({"eventSource": "glue.amazonaws.com", "eventName": "DeleteJob"})
    assert known.event(record) is not None
    assert known.event(record) is known.event(record)


def test_names_that_nobody_knows_are_not_kept() -> None:
    known = load()
    before = catalog._made.cache_info().currsize, derived._parsed.cache_info().currsize
    for number in range(1000):
        assert known.event(Record({"eventSource": f"nobody{number}.amazonaws.com", "eventName": "DeleteJob"})) is None
        assert not known.ignores(f"nobody{number}.amazonaws.com", "DeleteJob")
        assert not known.ignores("backup.amazonaws.com", f"Delete{number}")
    after = catalog._made.cache_info().currsize, derived._parsed.cache_info().currsize
    assert after[0] == before[0]
    assert after[1] <= before[1] + 1


def test_types_are_those_of_the_service() -> None:
    assert "aws_glue_job" in load().types("glue.amazonaws.com")
    assert not any(type.startswith("aws_iam_") for type in load().types("glue.amazonaws.com"))
    assert load().types("nothing.amazonaws.com") == ()
