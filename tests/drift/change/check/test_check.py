"""Faults of catalog files: each is found where it stands, with the right spelling, and all of them at once."""

from pathlib import Path

import pytest

from tfdrift_core.drift.change.check import read

FILES = sorted((Path(__file__).parents[4] / "tfdrift_core" / "catalog").glob("*.yaml"))


def faults(text: str) -> list[str]:
    return [str(fault) for fault in read(text)[1]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_ships_has_no_faults(file: Path) -> None:
    assert faults(file.read_text(encoding="utf-8")) == []


def test_all_at_once() -> None:
    text = """\
service: mine
evnts: {}
events:
  A:
    - type: aws_sqs_queu
      mach: {id: request.a}
    - type: [aws_sqs_queue, aws_sns_topic]
      match: {urll: request.queueUrl}
      set: {delay_second: request.delay, policy: reqest.policy}
      when: lsit(request.a)
      delete: 1
  B:
    - {type: aws_sqs_queue, transform: gon, with: {if: request.a}}
    - {type: aws_sqs_queue, transform: gone, with: {iff: request.a}}
  A:
    - {}
"""
    assert faults(text) == [
        "2:1: unknown member 'evnts'; did you mean 'events'?",
        "13:40: unknown transform 'gon'; did you mean 'gone'?",
        "14:52: 'if' is missing",
        "14:53: unknown option 'iff'; did you mean 'if'?",
        "15:3: 'A' stands in line 4 already",
        "16:7: 'type' is missing",
    ]
    assert faults(text.replace("  A:\n    - {}\n", "")) == [
        "2:1: unknown member 'evnts'; did you mean 'events'?",
        "5:13: the provider has no 'aws_sqs_queu'; did you mean 'aws_sqs_queue'?",
        "6:7: unknown member 'mach'; did you mean 'match'?",
        "8:15: no 'urll' in aws_sqs_queue and aws_sns_topic; did you mean 'url'?",
        "9:50: unknown name 'reqest'; did you mean 'request'?",
        "10:13: unknown function 'lsit'; did you mean 'list'?",
        "11:15: 1 is not true, which is all that can be said here",
        "13:40: unknown transform 'gon'; did you mean 'gone'?",
        "14:52: 'if' is missing",
        "14:53: unknown option 'iff'; did you mean 'if'?",
    ]


EFFECTS = {
    "{type: aws_vpc, typ: x}": ["4:23: unknown member 'typ'; did you mean 'type'?"],
    "{type: 7}": ["4:14: 7 is not text or a list"],
    "{type: []}": ["4:14: empty"],
    "{type: [aws_vpc, aws_vcp]}": ["4:24: the provider has no 'aws_vcp'; did you mean 'aws_vpc'?"],
    "{type: qqq}": ["4:14: the provider has no 'qqq'; name it in new_types if it is newer than TFDrift"],
    "{type: aws_vpc, match: 3}": ["4:30: 3 is not a mapping or a list"],
    "{type: aws_vpc, match: {'id[': request.a}}": [
        "4:31: 'id[' is not an expression: Invalid jmespath expression: Incomplete expression:"
    ],
    "{type: aws_vpc, match: [{id: request.a}, {idd: request.a}]}": ["4:49: no 'idd' in aws_vpc; did you mean 'id'?"],
    "{type: aws_vpc, parent: {aws_vcp: {id: request.a}}}": [
        "4:32: the provider has no 'aws_vcp'; did you mean 'aws_vpc'?"
    ],
    "{type: aws_vpc, other: {aws_subnet: {idd: request.a}}}": ["4:44: no 'idd' in aws_subnet; did you mean 'id'?"],
    "{type: aws_vpc, set: {id: 7}}": ["4:33: 7 is not text"],
    "{type: aws_vpc, set: {'': request.a}}": ["4:29: '' is no path of an attribute"],
    "{type: aws_vpc, const: {cidr_blok: a}}": ["4:31: no 'cidr_blok' in aws_vpc; did you mean 'cidr_block'?"],
    "{type: aws_vpc, clear: [cidr_blok]}": ["4:31: no 'cidr_blok' in aws_vpc; did you mean 'cidr_block'?"],
    "{type: aws_vpc, clear: x}": ["4:30: 'x' is not a list or a mapping"],
    "{type: aws_vpc, rename: {a: cidr_blok, b.c: nothing, d: null}}": [
        "4:35: no 'cidr_blok' in aws_vpc; did you mean 'cidr_block'?"
    ],
    "{type: aws_vpc, set: {tags.Name: request.a}}": [],
    "{type: aws_instance, set: {'root_block_device[0].volum_size': request.a}}": [
        "4:34: no 'root_block_device[0].volum_size' in aws_instance; did you mean 'volume_size'?"
    ],
    "{type: aws_vpc, set: {id.below: request.a}}": ["4:29: no 'id.below' in aws_vpc"],
    "{type: '*', set: {anything: request.a}}": [],
    "{type: aws_vpc, tags: {putt: request.a}}": ["4:30: unknown member 'putt'; did you mean 'put'?"],
    "{type: aws_vpc, when: Request.a}": [],
    "{type: aws_vpc, when: 'request.a[?b==`1`].c | [0]'}": [],
    "{type: aws_vpc, when: 'contains(request.a)'}": ["4:29: contains() does not take 1 values"],
    "{type: aws_vpc, when: 'sort_by(request.a, &b)'}": [],
    "{type: aws_vpc, when: 'merge(request, response, record)'}": [],
    "{type: aws_vpc, transform: dynamodb_item, with: {key: 'a..b', delete: yes}}": [
        "4:61: 'a..b' is not an expression: Expecting: ['quoted_identifier', 'unquoted_identifier', 'lbracket',"
        " 'lbrace'], got: dot: Parse error at column 2, token \".\" (DOT)"
    ],
    "{type: aws_vpc, transform: dynamodb_item, with: {key: request.a, delete: 'yes'}}": [
        "4:80: 'yes' is not true or false"
    ],
    "{type: aws_vpc, transform: security_group_rule, with: {action: revok}}": [
        "4:70: 'revok' is none of authorize, revoke, describe; did you mean 'revoke'?"
    ],
    "{type: aws_vpc, transform: single_tag, with: {}}": ["4:52: one of 'put', 'remove' is missing"],
    "{type: aws_vpc, transform: single_tag}": ["4:7: 'with' is missing"],
    "{type: aws_vpc, transform: s3_object_tags, with: {a: b}}": ["4:57: unknown option 'a'"],
    "{type: aws_vpc, with: {a: b}}": ["4:23: 'with' without 'transform'"],
    "{type: aws_instance, transform: block_again, with: {block: root_device, key: a, equals: item}}": [
        "4:66: no 'root_device' in aws_instance; did you mean 'root_block_device'?"
    ],
    "{type: aws_vpc, transform: patch, with: {paths: {/a: cidr_blok}}}": [
        "4:60: no 'cidr_blok' in aws_vpc; did you mean 'cidr_block'?"
    ],
    "{type: aws_vpc, const: {no: 1}}": ["4:31: 'no' is no text to YAML; put it into quotes"],
}


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_effect(effect: str) -> None:
    assert faults(f"service: x\nevents:\n  A:\n    - {effect}\n") == EFFECTS[effect]


def test_a_fault_that_aliases_repeat_is_told_once() -> None:
    text = "service: x\nevents:\n  A: &a\n    - {type: aws_vpc, wen: request.a}\n  B: *a\n  C: *a\n"
    assert faults(text) == ["4:23: unknown member 'wen'; did you mean 'when'?"]


def test_what_is_merged_may_be_overridden() -> None:
    text = "service: x\nevents:\n  A:\n    - &a {type: aws_vpc, delete: true}\n    - {<<: *a, type: aws_subnet}\n"
    assert faults(text) == []
    assert faults(text.replace("aws_subnet", "aws_subnit")) == [
        "5:22: the provider has no 'aws_subnit'; did you mean 'aws_subnet'?"
    ]


def test_types_that_are_newer_than_we_know() -> None:
    text = "service: x\nevents:\n  A:\n    - {type: aws_brand_new, match: {id: request.a}, set: {b: request.b}}\n"
    assert len(faults(text)) == 1
    assert faults(f"new_types: [aws_brand_new]\n{text}") == []


def test_a_call_stands_once_in_a_file() -> None:
    text = "service: x\nevents:\n  A:\n    - {type: aws_vpc, delete: true}\nignored:\n  why: [B, A, B]\n"
    assert faults(text) == ["6:12: 'A' stands in this file already", "6:15: 'B' stands in this file already"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1:1: empty; a catalog file names its service"),
        ("[]", "1:1: [] is not a mapping"),
        ("&a [*a]", "1:1: holds itself"),
        ("service: &a {b: *a}", "1:10: holds itself"),
        ("a: \x01", "1:1: not YAML: unacceptable character #x0001"),
        ("? [a]\n: b", "1:3: not YAML: found unhashable key"),
        ("a: !!python/object:os.system x", "1:4: not YAML: could not determine a constructor for the tag"),
        ("{a: " * 5000 + "}" * 5000, "1:1: nested too deeply"),
    ],
)
def test_a_file_that_leaves_nothing_to_look_at(text: str, fault: str) -> None:
    (found,) = faults(text)
    assert found.startswith(fault)


def test_aliases_that_grow_beyond_all_bounds() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (found,) = faults("\n".join(rows))
    assert found.endswith("more than 200000 values where aliases are followed")
