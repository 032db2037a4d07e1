"""A change in few words: JSON documents by path, sets by their elements, never more than 300 characters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdrift_core.drift.present.change import MAX_CHANGE, Part, in_words, parts

ROLE = "arn:aws:iam::111122223333:role/shop-app"


def policy(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def words(old: object, new: object, *, added: tuple[str, ...] = (), removed: tuple[str, ...] = ()) -> str:
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in (old, new)]
    return in_words(parts(texts[0], texts[1], added, removed), "111122223333")


def statement(**members: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop/*", **members}


OTHER = statement(Sid="Other", Action="s3:ListBucket", Principal={"AWS": ROLE})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("t3.micro", "t3.small", "t3.micro → t3.small"),
        (None, "4711", "+ 4711"),
        ("4711", None, "- 4711"),
        ("a", "", 'a → ""'),
        (None, None, ""),
        ("(sensitive)", "(sensitive)", "(sensitive) → (sensitive)"),
        ({"password": "(sensitive)"}, {"password": "(sensitive)"}, "(sensitive) → (sensitive)"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b: 1 → 2"),
        ({"a": 1}, {"a": 1, "b.c": [True]}, '["b.c"]: + [true]'),
        ([{"name": "x", "value": 1}, {"name": "y"}], [{"name": "y"}, {"name": "x", "value": 2}], "[1].value: 1 → 2"),
        ({"l": ["a", "b"]}, {"l": ["b", "c", "d"]}, "l: + c, + d, - a"),
        ({"l": ["a", "b"]}, {"l": ["b", "a"]}, 'l: ["a","b"] → ["b","a"]'),
    ],
)
def test_values_and_documents(old: object, new: object, expected: str) -> None:
    assert words(old, new) == expected


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (policy(OTHER, statement(Principal="*")), "Statement[1].Principal.AWS: role/shop-app → *"),
        (policy(statement(Principal={"AWS": [ROLE]}), OTHER), ""),
        (
            policy(OTHER, statement(Principal={"AWS": [ROLE, "arn:aws:iam::444455556666:root"]})),
            "Statement[1].Principal.AWS: + arn:aws:iam::444455556666:root",
        ),
        (policy(statement(Principal={"AWS": ROLE})), None),
        (
            policy(OTHER, {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}, statement(Principal={"AWS": ROLE})),
            "Statement[1]: + Action=s3:* Effect=Deny Principal=*",
        ),
        (
            policy(OTHER, statement(Principal={"AWS": ROLE}, Condition={"Bool": {"aws:SecureTransport": "true"}})),
            'Statement[1].Condition: + Bool={"aws:SecureTransport":"true"}',
        ),
    ],
)
def test_policies_by_path(new: str, expected: str | None) -> None:
    old = policy(OTHER, statement(Principal={"AWS": ROLE}))
    found = words(old, new)
    if expected is None:
        assert found.startswith("Statement[0]: - Action=s3:ListBucket Effect=Allow Principal=")
    elif expected:
        assert found == expected
    else:
        # The same meaning in another order: nothing by path, so both as they are.
        assert "→" in found


def test_the_same_value_on_both_sides_of_an_account_is_never_shortened() -> None:
    assert words(ROLE, ROLE.replace("1111", "9999")) == "role/shop-app → arn:aws:iam::999922223333:role/shop-app"


def test_sets_by_their_elements() -> None:
    rule = {"cidr_blocks": ["0.0.0.0/0"], "description": "", "from_port": 0, "self": False, "to_port": 22}
    assert words(None, None, added=(json.dumps(rule),)) == '+ cidr_blocks=["0.0.0.0/0"] from_port=0 to_port=22'
    assert words("[]", "[]", added=("sg-1",), removed=("sg-2", "sg-3")) == "+ sg-1, - sg-2, - sg-3"


def test_one_block_for_another_by_what_changed_inside() -> None:
    old, new = ({"apply": [{"algorithm": name}], "bucket_key": True} for name in ("aws:kms", "AES256"))
    assert words(None, None, removed=(json.dumps(old),), added=(json.dumps(new),)) == (
        "apply[0].algorithm: aws:kms → AES256"
    )


def test_what_does_not_fit_is_counted() -> None:
    old = {f"key{n}": "x" * 50 for n in range(20)}
    new = {f"key{n}": "y" * 50 for n in range(20)}
    found = words(old, new)
    assert len(found) <= MAX_CHANGE
    assert found.endswith("; … and 18 more")


def test_long_texts_begin_where_they_differ() -> None:
    assert words("#!/bin/sh\n" * 50 + "echo a", "#!/bin/sh\n" * 50 + "echo b") == (
        "…n/sh #!/bin/sh echo a → …n/sh #!/bin/sh echo b"
    )


@pytest.mark.parametrize(
    "deep", ["[" * 100_000 + "]" * 100_000, "[" * 120 + "1" + "]" * 120, '{"a":' * 300 + "1" + "}" * 300]
)
def test_a_document_that_is_made_to_be_deep_is_a_text(deep: str) -> None:
    assert parts(deep, "[]") == (Part("", deep, "[]"),)
    assert len(in_words(parts(deep, "[]"))) <= MAX_CHANGE


def test_a_document_that_is_made_to_be_slow() -> None:
    old = [{"n": n, **{f"m{k}": n for k in range(5)}} for n in range(3000)]
    new = [{"n": -n, **{f"m{k}": -n for k in range(5)}} for n in range(3000)]
    found = parts(json.dumps(old), json.dumps(new))
    assert len(found) == 2 * 2999


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(documents, documents)
def test_any_two_documents(old: object, new: object) -> None:
    found = words(old, new)
    assert len(found) <= MAX_CHANGE
    assert found.isprintable()
    assert found == words(old, new)


@given(st.text(), st.text(), st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_any_texts(old: str, new: str, added: list[str], removed: list[str]) -> None:
    found = in_words(parts(old, new, added, removed))
    assert 0 < len(found) <= MAX_CHANGE
    assert found.isprintable()


def test_below_twelve_levels_a_document_is_shown_as_a_whole() -> None:
    old, new = ('{"a":' * 30 + leaf + "}" * 30 for leaf in ("1", "2"))
    assert parts(old, new) == (Part(".".join("a" * 13), '{"a":' * 17 + "1" + "}" * 17, '{"a":' * 17 + "2" + "}" * 17),)
