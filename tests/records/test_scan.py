"""Documents of every form that users have, and every way in which they are broken."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfdrift_core.records import scan as scan_module
from tfdrift_core.records.scan import MAX_ERRORS, MAX_RECORD_BYTES, scan


def record(number: int = 1, **members: Any) -> dict[str, Any]:
    return {
        "eventID": f"id-{number}",
        "eventName": "ModifyInstanceAttribute",
        "eventSource": "ec2.amazonaws.com",
        "eventTime": "2026-01-02T03:04:05Z",
        "readOnly": False,
        "requestParameters": {"instanceId": f"i-{number}"},
    } | members


def dump(value: object) -> bytes:
    return json.dumps(value).encode()


def ids(document: bytes) -> list[str]:
    return [item.id for item in scan(document, "x").records]


RECORDS = [record(1), record(2)]
ENVELOPE = {"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2"}


@pytest.mark.parametrize(
    "document",
    [
        dump({"Records": RECORDS}),
        b"\xef\xbb\xbf" + dump({"Records": RECORDS}) + b"\n",
        json.dumps({"Records": RECORDS}, indent=2).encode(),
        dump(RECORDS),
        b"\n".join(map(dump, RECORDS)),
        b"\r\n\r\n".join(map(dump, RECORDS)) + b"\r\n",
        b"".join(map(dump, RECORDS)),
        b"\n".join(json.dumps(item, indent=1).encode() for item in RECORDS),
        b"\n".join(dump(ENVELOPE | {"detail": item}) for item in RECORDS),
        b"\n".join(dump({"Records": [item]}) for item in RECORDS),
        dump({"Events": [{"EventName": "M", "ReadOnly": "false", "CloudTrailEvent": json.dumps(r)} for r in RECORDS]}),
        b"\n".join(dump({"EventId": "e", "CloudTrailEvent": json.dumps(item)}) for item in RECORDS),
    ],
)
def test_recognises_every_form_by_its_content(document: bytes) -> None:
    result = scan(document, "x")
    assert ([item.id for item in result.records], result.read, result.bad) == (["id-1", "id-2"], 2, 0)


@pytest.mark.parametrize(
    "members",
    [
        {"readOnly": True},
        {"readOnly": "true"},
        {"errorCode": "AccessDenied"},
        {"readOnly": None, "eventName": "DescribeInstances"},
        {"readOnly": None, "eventName": "BatchGetImage"},
        {"eventCategory": "Insight"},
        {"eventCategory": "NetworkActivity"},
    ],
)
def test_counts_but_does_not_parse_what_cannot_have_changed_anything(members: dict[str, Any]) -> None:
    result = scan(dump({"Records": [record(1, **members), record(2)]}), "x")
    assert ([item.id for item in result.records], result.read, result.bad) == (["id-2"], 2, 0)


@pytest.mark.parametrize("name", ["GetawayPlan", "ListenerCreate", "CreateTags", "SearchlightPut"])
def test_a_name_that_only_begins_like_a_read_is_none(name: str) -> None:
    assert ids(dump(record(1, readOnly=None, eventName=name))) == ["id-1"]


@pytest.mark.parametrize("document", [b"", b" \n", dump({"Records": []}), dump([])])
def test_an_empty_document_is_no_error(document: bytes) -> None:
    result = scan(document, "x")
    assert (result.read, result.bad) == (0, 0)


@pytest.mark.parametrize("value", [None, {"a": record(1)}, json.dumps([record(1)])])
def test_a_list_that_is_none_is_an_error(value: object) -> None:
    result = scan(dump({"Records": value, "Events": [record(2)]}), "x")
    assert ([item.id for item in result.records], result.read, result.bad) == (["id-2"], 1, 1)
    assert [str(error) for error in result.errors] == ["x: its member Records is not a list"]


def test_both_lists_are_read() -> None:
    assert ids(dump({"Records": [record(1)], "Events": [record(2)]})) == ["id-2", "id-1"]


def test_a_number_for_a_flag_hides_no_change() -> None:
    assert ids(dump(record(1, readOnly=1))) == ["id-1"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_reaches_nobody(number: str) -> None:
    document = dump(record(1, fromPort="@")).replace(b'"@"', number.encode())
    result = scan(document, "x")
    assert [item.raw["fromPort"] for item in result.records] == [None]
    assert result.bad == 1


def test_a_digest_file_holds_no_records() -> None:
    result = scan(dump({"awsAccountId": "1", "digestS3Object": "AWSLogs/x", "logFiles": []}), "x")
    assert (result.read, result.bad) == (0, 0)


def nested(levels: int) -> str:
    return json.dumps(record(5)).replace('"i-5"', "[" * levels + "]" * levels)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("5", "s3://b/k: record 2: is not a JSON object"),
        ('"text"', "s3://b/k: record 2: is not a JSON object"),
        ("null", "s3://b/k: record 2: is not a JSON object"),
        ("[1]", "s3://b/k: record 2: is not a JSON object"),
        ('{"eventID": "5"}', "s3://b/k: record 2: has no eventName"),
        ('{"eventName": ""}', "s3://b/k: record 2: has no eventName"),
        ('{"eventName": 7}', "s3://b/k: record 2: has no eventName"),
        ('{"eventName": }', "s3://b/k: record 2: is not JSON: "),
    ],
)
def test_a_bad_record_does_not_take_its_neighbours_along(bad: str, message: str) -> None:
    document = f'{{"Records": [{json.dumps(record(1))}, {bad}, {json.dumps(record(3))}]}}'.encode()
    result = scan(document, "s3://b/k")
    assert [item.id for item in result.records] == ["id-1", "id-3"]
    assert (result.read, result.bad) == (3, 1)
    assert str(result.errors[0]).startswith(message)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            json.dumps(record(5, userAgent="x" * MAX_RECORD_BYTES)),
            "s3://b/k: record 2: has 1,048,774 bytes; CloudTrail writes 1,048,576 at most",
        ),
        (
            json.dumps(record(5, requestParameters={"x": [{"y": n} for n in range(200_000)], "z": 1})),
            "s3://b/k: record 2: has 2",
        ),
        (nested(200), "s3://b/k: record 2: is nested more than 100 levels deep"),
        (nested(100_000), "s3://b/k: record 2: is nested more than 100 levels deep"),
    ],
)
def test_a_record_that_is_too_large_hides_no_call(bad: str, message: str) -> None:
    document = f'{{"Records": [{json.dumps(record(1))}, {bad}, {json.dumps(record(3))}]}}'.encode()
    result = scan(document, "s3://b/k")
    assert [item.id for item in result.records] == ["id-1", "id-5", "id-3"]
    assert result.records[1].withheld
    assert len(json.dumps(result.records[1].raw)) < MAX_RECORD_BYTES / 4
    assert (result.read, result.bad) == (3, 1)
    assert str(result.errors[0]).startswith(message)


def test_a_read_that_is_too_large_is_still_a_read() -> None:
    result = scan(dump(record(1, readOnly=True, x="x" * MAX_RECORD_BYTES)) + b"[" + b"[" * 3000, "x")
    assert not result.records


@pytest.mark.parametrize("bad", [b'"\\ud800"', b'"\xff"', b'"\x01"'])
def test_a_record_that_is_not_unicode_is_kept_with_replacement_characters(bad: bytes) -> None:
    document = dump({"Records": [record(1), record(2, userAgent="@"), record(3)]}).replace(b'"@"', bad)
    result = scan(document, "x")
    assert [item.id for item in result.records] == ["id-1", "id-2", "id-3"]
    result.records[1].user_agent.encode()
    assert str(result.errors[0]).startswith("x: record 2: was read with replacement characters, it is not valid JSON: ")


def test_a_number_that_no_machine_word_holds_is_no_error() -> None:
    result = scan(dump({"Records": [record(1, big=10**40), record(2)]}), "x")
    assert ([item.id for item in result.records], result.bad) == (["id-1", "id-2"], 0)


def test_a_document_that_is_cut_off_gives_what_is_before() -> None:
    whole = dump({"Records": [record(1), record(2)]})
    inside = scan(whole[:-20], "x")
    assert ([item.id for item in inside.records], [str(e) for e in inside.errors]) == (
        ["id-1"],
        ["x: record 2: is cut off"],
    )
    behind = scan(whole[:-2], "x")
    assert len(behind.records) == 2
    assert str(behind.errors[0]).startswith("x: record 2: the document around this record is not JSON: unexpected end")


def test_a_broken_line_does_not_take_the_others_along() -> None:
    result = scan(b"\n".join([dump(record(1)), b'{"eventName": "Cre', b"plain text", dump(record(4))]), "x")
    assert [item.id for item in result.records] == ["id-1", "id-4"]
    assert (result.read, result.bad) == (4, 2)


def test_many_errors_are_counted_and_only_some_described() -> None:
    result = scan(dump({"Records": [1] * 1000}), "x")
    assert (result.read, result.bad, len(result.errors)) == (1000, 1000, MAX_ERRORS)


def test_text_that_is_no_json_at_all_is_one_error() -> None:
    result = scan(b"just some words\nin a file", "notes.json")
    assert [str(error) for error in result.errors] == ["notes.json: record 1: is not a JSON object"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
WHOLE = dump({"Records": [record(number, tags=["é", "}", "\\", {"[": "]"}]) for number in range(5)]})


@given(JSON_VALUES, st.sampled_from([b"%b", b'{"Records": [%b]}', b'{"Records": %b}', b'{"detail": %b}', b"%b\n{}"]))
def test_no_json_value_makes_it_raise(value: object, frame: bytes) -> None:
    scan(frame % json.dumps(value).encode("utf-8", "surrogatepass"), "x")


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    scan(data, "x")


@settings(max_examples=200)
@example(0, b"\x0b", 0)
@example(0, b",", 0)
@given(st.integers(0, len(WHOLE)), st.binary(max_size=3), st.integers(0, 30))
def test_damage_anywhere_never_raises_and_is_never_silent(place: int, inserted: bytes, removed: int) -> None:
    damaged = WHOLE[:place] + inserted + WHOLE[place + removed :]
    result = scan(damaged, "x")
    try:
        json.loads(damaged)
    except ValueError:
        assert result.bad or not damaged.strip(b" \t\r\n")


@given(st.integers(1, len(WHOLE) - 1))
def test_every_record_before_a_cut_is_read(place: int) -> None:
    found = ids(WHOLE[:place])
    assert found == [f"id-{number}" for number in range(len(found))]
    complete = sum(1 for number in range(5) if WHOLE.find(b"{", 12) >= 0 and place >= _end(number))
    assert len(found) == complete


def _end(number: int) -> int:
    """Where record ``number`` of WHOLE ends."""
    return len(dump({"Records": [record(n, tags=["é", "}", "\\", {"[": "]"}]) for n in range(number + 1)]})) - 2


@pytest.mark.parametrize("wrap", [lambda r: {"Records": [r, record(2)]}, lambda r: {"detail": r}])
def test_ignored_calls_are_counted_and_not_read(wrap: Any) -> None:
    noise = record(1, eventSource="logs.amazonaws.com", eventName="CreateLogStream")
    found = scan(dump(wrap(noise)), "x", lambda *call: call == ("logs.amazonaws.com", "CreateLogStream"))
    assert found.read == len(found.records) + 1
    assert noise["eventID"] not in [item.id for item in found.records]
    assert noise["eventID"] in [item.id for item in scan(dump(wrap(noise)), "x").records]


@pytest.mark.parametrize(
    ("limit", "rest", "more_than"),
    [
        ("MAX_BAD", ",{}" * 60 + "]", "50 bad records"),
        ("MAX_BAD", "]" + '{"a":1}' * 60, "50 bad records"),
        ("MAX_BAD", ',{"CloudTrailEvent":"[]"}' * 60 + "]", "50 bad records"),
        ("MAX_VALUES", "]" + "[]" * 60, "50 values side by side"),
        ("MAX_VALUES", "]" + "1,[]" * 60, "50 values side by side"),
        ("MAX_TOKENS", "," + "[" * 60, "50 brackets, texts and numbers, though it is no JSON"),
        ("MAX_TOKENS", ',"",' * 60, "50 brackets, texts and numbers, though it is no JSON"),
    ],
)
def test_no_document_holds_up_the_others(
    limit: str, rest: str, more_than: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, limit, 50)
    bad = scan(f"[{json.dumps(record(1))}{rest}".encode(), "x")
    assert [item.id for item in bad.records] == ["id-1"]
    assert str(bad.errors[-1]) == f"x: has more than {more_than}; the rest of it is left out"
    assert bad.bad > 0
    good = scan(json.dumps({"Records": [record(2)]}).encode(), "x")
    assert [item.id for item in good.records] == ["id-2"]
    assert good.errors == []


def test_an_answer_of_lookup_events_has_a_record() -> None:
    result = scan(b'{"Events": [{"CloudTrailEvent": "[]"}]}', "x")
    assert (result.read, [str(error) for error in result.errors]) == (
        1,
        ["x: record 1: has no record in its CloudTrailEvent"],
    )


@pytest.mark.parametrize(
    "frame", [b'{"Records": [%b]}', b"[%b]", b'{"Events":[%b],"x":{"y":[]}}', b'{"a":1,"Records":[%b]}']
)
@pytest.mark.parametrize("between", [b",", b" , \n"])
def test_a_large_document_is_parsed_in_pieces(monkeypatch: pytest.MonkeyPatch, frame: bytes, between: bytes) -> None:
    """Also where what looks like the end of a record is within one."""
    tricky = {"requestParameters": {"items": [{"a": 1}, {"eventVersion": "1"}], "text": '},{"eventName":"x"},{'}}
    records = [record(number) | (tricky if number % 3 else {}) | {"readOnly": number % 5 == 0} for number in range(300)]
    document = frame % between.join(json.dumps(item, separators=(",", ":")).encode() for item in records)
    whole = scan(document, "x")
    monkeypatch.setattr(scan_module, "LARGE", 4000)
    monkeypatch.setattr(scan_module, "PIECE", 2000)
    monkeypatch.setattr(scan_module, "HELD_RECORDS", 7)
    found = list(scan_module.parts(document, "x"))
    assert max(len(part.records) for part in found) == 7
    assert [item.raw for part in found for item in part.records] == [item.raw for item in whole.records]
    assert (sum(part.read for part in found), sum(part.bad for part in found)) == (300, 0)
    assert len(whole.records) == 240


def test_a_document_of_more_records_than_any_has_is_read_as_far_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "HELD_RECORDS", 10)
    monkeypatch.setattr(scan_module, "MAX_RECORDS", 50)
    found = scan(json.dumps({"Records": [record(number) for number in range(100)]}).encode(), "x")
    assert 50 <= len(found.records) <= 70
    assert "has more than 50 records that may have changed something; the rest of it is left out" in str(
        found.errors[0]
    )
