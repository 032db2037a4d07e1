import pytest

from tfdrift_core.drift.change.convert import convert
from tfdrift_core.drift.compare import forms
from tfdrift_core.drift.compare.diff import diff
from tfdrift_core.drift.compare.schema import Block, Node, schema_for
from tfdrift_core.drift.compare.values import Elements, same

MOMENT = "2026-03-18T20:00:00Z"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-03-18T20:00:00Z", "2026-03-18T21:00:00+01:00"),
        ("2026-03-18T20:00:00Z", "2026-03-18T20:00:00.000Z"),
        ("2026-03-18T20:00:00Z", "Mar 18, 2026 8:00:00 PM"),
        ("2026-09-01T00:00:00Z", "Sep 1, 2026, 12:00:00\u202fAM"),
        ("2001:db8:fc00::/39", "2001:DB8:FC00:0::/39"),
        ("2001:db8::1", "2001:0db8:0:0::0001"),
        ("*.x.example.com", "\\052.x.example.com"),
    ],
)
def test_one_meaning(one, other):
    assert same(one, other)
    assert same(other, one)
    assert Elements([one]).place(other) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-03-18T20:00:00Z", "2026-03-18T20:00:01Z"),
        ("10.8.0.0/16", "10.8.1.2/16"),
        ("10.0.0.1", "10.0.0.01"),
        ("1.10", "1.1"),
        ("1:2", "1:02"),
        ("Mar 18, 2026", "Mar 19, 2026"),
    ],
)
def test_two_meanings(one, other):
    assert not same(one, other)


def test_a_moment_takes_the_providers_form():
    text = Node("string")
    assert convert(text, "Mar 18, 2026 8:00:00 PM") == MOMENT
    assert convert(text, 1773864000, "2026-01-01T00:00:00Z") == MOMENT
    assert convert(text, 1773864000000, "2026-01-01T00:00:00Z") == MOMENT
    assert convert(text, 1773864000, "x") == "1773864000"
    assert convert(text, "2026-03-18", "") == "2026-03-18"
    assert convert(None, "Mar 18, 2026 8:00:00 PM", MOMENT) == MOMENT


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("10.8.1.2/16", "10.8.0.0/16"),
        ("2001:DB8:1::/32", "2001:db8::/32"),
        ("a/16", "a/16"),
        ("10.0.0.0/99", "10.0.0.0/99"),
    ],
)
def test_a_range_as_ec2_keeps_it(text, kept):
    assert forms.network(text) == kept


def test_a_map_holds_texts():
    block = Block({"tags": Node("map", Node("string"))})
    assert diff({"tags": {"a": "2001:db8::1"}}, {"tags": {"a": "2001:DB8::1"}}, block)
    assert not diff({"tags": {"a": "5"}}, {"tags": {"a": 5}}, block)


def test_sets_inside_the_elements_of_a_set_have_no_order():
    block = schema_for("aws_lb_listener_rule")

    def rule(*values):
        return {"condition": [{"host_header": [{"values": list(values)}]}, {"path_pattern": [{"values": ["/x"]}]}]}

    assert not diff(rule("a", "b"), rule("b", "a"), block)
    assert diff(rule("a", "b"), rule("b", "c"), block)
