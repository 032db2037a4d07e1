import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.terraform.states import ec2, resource, state
from tfdrift_core.terraform.scan import StateError, scan

DOCUMENT = state(
    resource("aws_instance", "a", ec2("i-1"), ec2("i-2")),
    resource("aws_instance", "none"),
    resource("aws_instance", "odd", {"id": 'a"}]\\', "arn": "[{", "tags": {"é": [[], {}, [{}]]}}),
)


@pytest.mark.parametrize("layout", [{"indent": 2}, {"separators": (",", ":")}, {"sort_keys": True}, {"indent": "\t"}])
def test_every_layout_and_member_order_gives_the_same_instances(layout):
    raw = json.dumps(DOCUMENT, **layout).encode()
    found = scan(raw)
    assert (found.serial, found.lineage, found.terraform_version) == (1, "l", "1.11.4")
    assert [r.members["name"] for r in found.resources] == ["a", "none", "odd"]
    spans = [[json.loads(raw[a:b]) for a, b in r.spans] for r in found.resources]
    assert spans == [r["instances"] for r in DOCUMENT["resources"]]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=4), st.booleans())
def test_any_attributes_are_found_again(many, ascii):
    document = state(resource("aws_x", "y", *({"attributes": a} for a in many)), outputs={"o": many})
    raw = json.dumps(document, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    (found,) = scan(raw).resources
    assert [json.loads(raw[a:b])["attributes"] for a, b in found.spans] == many


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the state is empty; run terraform apply, or remove it from the configuration"),
        (b" \n", "the state is empty"),
        (b"<html>login</html>", "this is not JSON, so not a Terraform state; check the location"),
        (b"[]", "this is not JSON, so not a Terraform state"),
        (b"\xef\xbb\xbf[]", "this is not JSON, so not a Terraform state"),
        ("{}".encode("utf-16"), "this is UTF-16, which PowerShell's > writes; save the state as UTF-8"),
        (b"{}", 'this is not a Terraform state: it has no "version"; check the location'),
        (b'{"version":"4"}', 'it has no "version"'),
        (b'{"version":3,"terraform_version":"0.11.14","modules":[]}', "state format 3 (Terraform 0.11.14) is too old"),
        (b'{"version":1}', "state format 1 (Terraform 0.11 or older) is too old; run terraform apply -refresh-only"),
        (b'{"version":5,"resources":[]}', "state format 5 is newer than this TFDrift knows (4); update TFDrift"),
        (
            b'{"serial":1,"lineage":"x","meta":{},"encrypted_data":"AAAA","encryption_version":"v0"}',
            "the state is encrypted by OpenTofu; TFDrift cannot decrypt it",
        ),
        (b'{"version":4,"resources":[5]}', 'expected "]" at byte 26 of 29, found something else: the state is damaged'),
        (b'{"version":4,"resources":{}}', 'expected "[" at byte 25 of 28, found something else'),
        (b'{"version":04}', "found something else: the state is damaged"),
        (b'{"version"', "found the end: the state is cut off"),
    ],
)
def test_what_is_not_a_usable_state_is_said(raw, message):
    with pytest.raises(StateError) as caught:
        scan(raw)
    assert message in str(caught.value)


def test_a_mark_of_utf_8_is_passed_over():
    raw = b"\xef\xbb\xbf" + json.dumps(DOCUMENT).encode()
    spans = [raw[a:b] for found in scan(raw).resources for a, b in found.spans]
    assert [json.loads(span) for span in spans] == [i for r in DOCUMENT["resources"] for i in r["instances"]]


def test_a_state_that_is_cut_off_anywhere_is_refused():
    raw = json.dumps(DOCUMENT).encode()
    for end in range(1, len(raw)):
        with pytest.raises(StateError, match="the state is cut off"):
            scan(raw[:end])
    with pytest.raises(StateError, match=r"expected a complete value \(it may be cut off"):
        scan(raw[:300])


def test_hostile_nesting_is_refused_and_does_not_take_the_stack():
    for text in ("[" * 1_000_000, '{"a":' * 200_000, '[{"a":' * 200_000):
        with pytest.raises(StateError, match="nested too deeply"):
            scan(f'{{"version":4,"outputs":{text}'.encode())
    deep = "[" * 200 + "]" * 200
    with pytest.raises(StateError, match="nested too deeply"):
        scan(f'{{"version":4,"resources":[{{"instances":[{{"attributes":{{"a":{deep}}}}}]}}]}}'.encode())
