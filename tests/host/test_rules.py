"""Rules files: what they mean, and what is said about those that Falco would refuse."""

import json

import pytest
from tfdrift_plugin.host.condition import Check, unparse
from tfdrift_plugin.host.fields import Catalogue
from tfdrift_plugin.host.rules import Priority, RuleSet, load, substitute
from tfdrift_plugin.host.rules_file import RulesError

from tests.host import standin

CATALOGUE = Catalogue.of_plugin(standin.fields_json())
RULE = """
- rule: r
  desc: d
  condition: t.s = a
  output: o %t.s
  priority: ERROR
  source: standin
"""


def loaded(*texts: str) -> RuleSet:
    return load(
        [(f"{n}.yaml", text) for n, text in enumerate(texts)],
        CATALOGUE,
        "standin",
        {"standin": "1.2.3", "json": "0.7.0"},
    )


def condition(*texts: str) -> str:
    return unparse(loaded(*texts).rules[0].condition)


def codes(*texts: str) -> list[str]:
    return [warning.code for warning in loaded(*texts).warnings]


def rule(text: str, name: str = "r", more: str = "") -> str:
    return f"""
- rule: {name}
  desc: d
  condition: {text}
  output: o
  priority: WARNING
  source: standin
{more}"""


def test_a_rule() -> None:
    (one,) = loaded(RULE + "  tags: [b, a, b]\n").rules
    assert (one.name, one.desc, one.output, one.priority) == ("r", "d", "o %t.s", Priority.Error)
    assert (one.source, one.tags, one.enabled) == ("standin", ("a", "b"), True)


@pytest.mark.parametrize("text", ["info", "Informational", "INFO"])
def test_priority_names(text: str) -> None:
    assert loaded(RULE.replace("ERROR", text)).rules[0].priority is Priority.Informational


def test_lists_and_macros() -> None:
    text = """
- list: inner
  items: [a, "b c"]
- list: outer
  items: [inner, d]
- macro: one
  condition: t.s in (outer)
- macro: two
  condition: (one or t.o = x)
"""
    assert condition(text + rule("two and not one")) == (
        '((t.s in ("a", "b c", "d")) or (t.o = "x")) and (not (t.s in ("a", "b c", "d")))'
    )


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["a", "b"], "t.s in (x, a, b , y)"),
        ([], "t.s in (x , y)"),
        (["a b", "'c d'"], "t.s in (x, \"a b\", 'c d' , y)"),
    ],
)
def test_substitution(items: list[str], expected: str) -> None:
    assert substitute("t.s in (x, names , y)", "names", items).split() == expected.split()
    assert substitute("t.s in (nicknames, names.x)", "names", items) == "t.s in (nicknames, names.x)"


def test_redefined_items_take_the_old_place() -> None:
    first = "- list: l\n  items: [a]\n- macro: m\n  condition: t.s in (l)\n" + rule("m") + rule("t.n = 1", "other")
    second = "- list: l\n  items: [b]\n- macro: m\n  condition: t.o in (l)\n" + rule("m and t.n = 2")
    rules = loaded(first, second).rules
    assert [one.name for one in rules] == ["r", "other"]
    assert unparse(rules[0].condition) == '(t.o in ("b")) and (t.n = "2")'


def test_appending_in_both_ways() -> None:
    text = """
- list: l
  items: [a]
- list: l
  items: [b]
  append: true
- list: l
  items: [c]
  override: {items: append}
- macro: m
  condition: t.s in (l)
- macro: m
  condition: or t.n = 1
  override: {condition: append}
"""
    more = """
- rule: r
  condition: and t.n = 2
  output: "and %t.o"
  desc: e
  tags: [z]
  override: {condition: append, output: append, desc: append, tags: append}
"""
    (one,) = loaded(text + rule("m", more="  tags: [a]\n") + more).rules
    assert unparse(one.condition) == '((t.s in ("a", "b", "c")) or (t.n = "1")) and (t.n = "2")'
    assert (one.output, one.desc, one.tags) == ("o and %t.o", "d e", ("a", "z"))


def test_replacing() -> None:
    more = """
- rule: r
  condition: t.n = 5
  priority: NOTICE
  enabled: false
  override: {condition: replace, priority: replace, enabled: replace}
"""
    (one,) = loaded(RULE + more).rules
    assert (unparse(one.condition), one.priority, one.enabled) == ('t.n = "5"', Priority.Notice, False)


def test_enabling_alone_is_deprecated() -> None:
    found = loaded(RULE + "- rule: r\n  enabled: false\n")
    assert not found.rules[0].enabled
    assert [warning.code for warning in found.warnings] == ["LOAD_DEPRECATED_ITEM"]


@pytest.mark.parametrize(
    ("exceptions", "expected"),
    [
        ("[{name: e, fields: t.s, values: [a, b c]}]", '(t.s = "x") and (not (t.s in ("a", "b c")))'),
        (
            "[{name: e, fields: [t.s, t.o], values: [[a, b], [c, d]]}]",
            '(t.s = "x") and (not (((t.s = "a") and (t.o = "b")) or ((t.s = "c") and (t.o = "d"))))',
        ),
        (
            "[{name: e, fields: [t.s, t.n], comps: [contains, in], values: [[a b, [1, 2]]]}]",
            '(t.s = "x") and (not ((t.s contains "a b") and (t.n in ("1", "2"))))',
        ),
        (
            "[{name: e, fields: [t.s], comps: [in], values: [[a], ['(b, c)']]}]",
            '(t.s = "x") and (not ((t.s in ("a")) or (t.s in ("b", "c"))))',
        ),
        ("[{name: e, fields: t.l, comps: intersects, values: [a]}]", '(t.s = "x") and (not (t.l intersects ("a")))'),
        ("[{name: e, fields: [t.s], comps: [=]}]", 't.s = "x"'),
    ],
)
def test_exceptions(exceptions: str, expected: str) -> None:
    assert condition(rule("t.s = x", more=f"  exceptions: {exceptions}\n")) == expected


def test_exceptions_are_appended_by_name() -> None:
    more = """
- rule: r
  exceptions: [{name: e, values: [b]}, {name: f, fields: t.o, values: [c]}]
  override: {exceptions: append}
"""
    text = rule("t.s = x", more="  exceptions: [{name: e, fields: t.s, values: [a]}]\n") + more
    assert condition(text) == '(t.s = "x") and (not (t.s in ("a", "b"))) and (not (t.o in ("c")))'


def test_version_requirements_that_hold() -> None:
    loaded(
        "- required_engine_version: 21\n- required_engine_version: 0.58.0\n"
        "- required_plugin_versions: [{name: standin, version: 1.0.5}]\n"
        "- required_plugin_versions: [{name: k8s, version: 1.0.0, alternatives: [{name: json, version: 0.7.0}]}]\n"
        + RULE
    )


def test_rules_of_other_sources_are_skipped() -> None:
    found = loaded(rule("proc.name = x").replace("source: standin", "source: syscall") + rule("t.s = a", "mine"))
    assert [one.name for one in found.rules] == ["mine"]
    assert str(found.warnings[0]) == "0.yaml:2:3: rule 'r': Unknown source syscall, skipping (LOAD_UNKNOWN_SOURCE)"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- something: x", "LOAD_UNKNOWN_ITEM"),
        ("- list: unused\n  items: [a]", "LOAD_UNUSED_LIST"),
        ("- macro: unused\n  condition: t.s = a", "LOAD_UNUSED_MACRO"),
        (rule("t.s = t.o", "w"), "LOAD_COMPILE_CONDITION"),
        (rule("t.s = 'len(t.o)'", "w"), "LOAD_COMPILE_CONDITION"),
        (rule("t.s regex 'abc.*'", "w"), "LOAD_COMPILE_CONDITION"),
        (rule("t.s regex 'a(?=b)'", "w"), "LOAD_COMPILE_CONDITION"),
        (rule("t.none = 1", "w", "  skip-if-unknown-filter: true\n"), "LOAD_UNKNOWN_FILTER"),
    ],
)
def test_warnings(text: str, code: str) -> None:
    assert codes(text + "\n" + RULE) == [code]


def test_no_warnings_without_reason() -> None:
    assert codes("- list: l\n  items: [a]\n" + rule("t.s regex 'a.+b|c' and t.o in (l)")) == []


PREVIOUS = "but no {} by that name already exists"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "0.yaml:1:5: "),
        ("a: b", "0.yaml:1:1: Rules content is not yaml array of objects (LOAD_ERR_YAML_VALIDATE)"),
        ("- a", "0.yaml:1:3: Unexpected element type. Each element should be a yaml associative array."),
        (
            "- required_engine_version: 0.59.0",
            "0.yaml:1:3: Rules require engine version 0.59.0, but engine version is 0.58.0",
        ),
        (
            "- required_engine_version: 1.0.0",
            "0.yaml:1:3: Rules require engine version 1.0.0, but engine version is 0.58.0",
        ),
        (
            "- required_engine_version: new",
            "Unable to parse engine version 'new' as a semver string. Expected \"x.y.z\"",
        ),
        ("- required_plugin_versions: x", "Value of 'required_plugin_versions' is not a sequence"),
        (
            "- required_plugin_versions: [{name: standin, version: 2.0.0}]",
            "0.yaml:1:30: Plugin requirement not satisfied, must load standin (>=2.0.0); loaded: standin 1.2.3, json",
        ),
        (
            "- required_plugin_versions: [{name: standin, version: 1}]",
            "Invalid required version '1' for plugin 'standin'",
        ),
        ("- list: l", "0.yaml:1:3: list 'l': Value of 'items' is not a sequence"),
        ("- list: l\n  items: [[a]]", "0.yaml:2:11: list 'l': sequence value is not scalar"),
        (
            "- list: l\n  items: [a]\n  append: true",
            "List uses 'append' or 'override.items: append' " + PREVIOUS.format("list"),
        ),
        ("- macro: m\n  condition: x\n  append: true", PREVIOUS.format("macro")),
        ("- macro: m", "macro 'm': Item has no mapping for key 'condition'"),
        ("- macro: m\n  condition:", "macro 'm': Mapping for key 'condition' is empty"),
        ("- macro: m\n  condition: ''", "macro 'm': Value of 'condition' must be non-empty"),
        (
            "- macro: m\n  condition: t.s = ",
            "0.yaml:2:14: macro 'm': unexpected end of condition, expected a string value",
        ),
        (
            "- macro: m\n  condition: n\n- macro: n\n  condition: t.s = a",
            "0.yaml:2:14: macro 'm': Undefined macro 'n' used",
        ),
        ("- macro: m\n  condition: m or t.n = 1", "Undefined macro 'm' used in filter. (LOAD_ERR_VALIDATE)"),
        (
            "- macro: m\n  condition: t.n = 1\n- macro: m\n  condition: or m\n  override: {condition: append}",
            "reference loop in macro 'm'",
        ),
        ("- rule: r\n  enabled: true", "Rule has 'enabled' key but no rule by that name already exists"),
        (RULE.replace("  desc: d\n", ""), "0.yaml:2:3: rule 'r': Item has no mapping for key 'desc'"),
        (
            RULE.replace("ERROR", "HIGH"),
            "0.yaml:6:13: rule 'r': Invalid priority 'HIGH': one of Emergency, Alert, Critical",
        ),
        (RULE.replace("t.s = a", "nope"), "0.yaml:4:14: rule 'r': Undefined macro 'nope' used in filter."),
        (
            RULE.replace("t.s = a", "t.n = 1 and t.none = a"),
            "0.yaml:4:14: rule 'r': filter_check called with nonexistent field t.none, at line 1, column 13 of the "
            "condition, near: t.none = a (LOAD_ERR_COMPILE_CONDITION)",
        ),
        (RULE.replace("t.s = a", "t.l = a"), "'=' operator not supported list filters, at line 1, column 1"),
        (RULE.replace("t.s = a", "t.n = a"), "a is not a valid number"),
        (
            RULE.replace("o %t.s", "'o %nope.x'"),
            "0.yaml:5:11: rule 'r': invalid formatting token nope.x (LOAD_ERR_COMPILE_OUTPUT)",
        ),
        (RULE.replace("o %t.s", "100%"), "invalid formatting syntax: formatting cannot end with a %"),
        (RULE + "  enabled: maybe", "Can't decode the value of 'enabled': expected true or false, not 'maybe'"),
        (RULE + "  tags: x", "rule 'r': Value of 'tags' is not a sequence"),
        (RULE + "  exceptions: x", "Value of 'exceptions' is not a sequence"),
        (RULE + "  exceptions: [x]", "Rule exception must be a mapping"),
        (RULE + "  exceptions: [{fields: t.s}]", "Item has no mapping for key 'name'"),
        (RULE + "  exceptions: [{name: e}]", "exception 'e': Item has no mapping for key 'fields'"),
        (RULE + "  exceptions: [{name: e, fields: t.no}]", "'t.no' is not a supported filter field"),
        (RULE + "  exceptions: [{name: e, fields: t.s, comps: '='}]", "comps must be one of (in, pmatch, intersects)"),
        (RULE + "  exceptions: [{name: e, fields: t.s, comps: [in]}]", "Fields and comps must both be strings"),
        (
            RULE + "  exceptions: [{name: e, fields: [t.s], comps: [=, =]}]",
            "Fields and comps lists must have equal length",
        ),
        (
            RULE + "  exceptions: [{name: e, fields: [t.s], comps: [like]}]",
            "'like' is not a supported comparison operator",
        ),
        (
            RULE + "  exceptions: [{name: e, fields: [t.s, t.o], values: [[a]]}]",
            "Fields and values lists must have equal length",
        ),
        (
            RULE + "  exceptions: [{name: e, fields: t.s, values: [[a]]}]",
            "Expected values array to contain a list of strings",
        ),
        (
            RULE + "- rule: r\n  condition: x\n  append: true\n  override: {condition: append}",
            "cannot be used together",
        ),
        (
            RULE + "- rule: r\n  priority: INFO\n  override: {priority: append}",
            "Key 'priority' cannot be appended to, use 'replace'",
        ),
        (RULE + "- rule: r\n  source: x\n  override: {source: replace}", "Key 'source' cannot be replaced"),
        (
            RULE + "- rule: r\n  desc: x\n  override: {desc: add}",
            "Invalid override operation for key 'desc': 'add'. Allowed values",
        ),
        (
            RULE + "- rule: r\n  override: {desc: append}",
            "An append override for 'desc' was specified but 'desc' is not defined",
        ),
        (
            RULE + "- rule: r\n  desc: x\n  output: y\n  override: {desc: append}",
            "Unexpected key 'output': no corresponding entry",
        ),
        ("- rule: r\n  desc: x\n  override: {desc: append}", PREVIOUS.format("rule")),
        (RULE + "- rule: r\n  append: true", "Appended rule must have exceptions or condition property"),
        (RULE + RULE.replace("source: standin", "source: other"), "Rule has been re-defined with a different source"),
        (
            RULE
            + "  exceptions: [{name: e, fields: t.s}]\n- rule: r\n  exceptions: [{name: e, fields: t.s, values: [a]}]\n"
            "  override: {exceptions: append}",
            "Can not append exception fields to existing exception, only values",
        ),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(RulesError) as raised:
        loaded(text)
    assert message in str(raised.value)


def test_a_macro_of_a_later_file_comes_too_late() -> None:
    with pytest.raises(RulesError, match=r"^0\.yaml:4:14: rule 'r': Undefined macro 'later' used in filter"):
        loaded(rule("later"), "- macro: later\n  condition: t.s = a")


ADDRESSES = [
    'aws_s3_bucket.data["assets"]',
    "module.a['b'].x",
    'a["it\'s"]',
    "tags.a(b)",
    "a=b",
    'x["a b"]',
    r'x["a\b"]',
]


@pytest.mark.parametrize("item", ADDRESSES)
def test_the_item_that_falco_cannot_read_is_named_with_the_right_spelling(item: str) -> None:
    texts = [f"- list: mine\n  items: [{json.dumps(item)}]\n", rule("t.s in (mine)")]
    with pytest.raises(RulesError) as caught:
        loaded(*texts)
    said = str(caught.value)
    assert "LOAD_ERR_COMPILE_CONDITION" in said
    spelling = said.partition("list 'mine': write ")[2].rpartition(f" for {item}")[0]
    (one,) = loaded(f"- list: mine\n  items: [{spelling}]\n", rule("t.s in (mine)")).rules
    assert isinstance(one.condition, Check)
    assert one.condition.right == (item,)


def test_an_item_that_falco_reads_as_several_is_named() -> None:
    warnings = loaded('- list: mine\n  items: ["a,b"]\n' + rule("t.s in (mine)")).warnings
    assert [str(warning).partition(": ")[2] for warning in warnings] == [
        "list 'mine': 'a,b' is read as a, b; write \"'a,b'\" if it is one (LOAD_COMPILE_CONDITION)"
    ]
