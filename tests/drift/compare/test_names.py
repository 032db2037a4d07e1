"""When a name is as good as an ARN: where another resource is named, in the account and region of this one."""

import pytest

from tfdrift_core.drift.compare.diff import Owner, diff

HERE = Owner("111122223333", "eu-central-1")
KEY = "arn:aws:kms:eu-central-1:111122223333:alias/secure"
FOREIGN = "arn:aws:kms:eu-central-1:999999999999:alias/secure"
ELSEWHERE = "arn:aws:kms:us-east-1:111122223333:alias/secure"
ROLE = "arn:aws:iam::111122223333:role/ops/admin"


def differs(old: object, new: object, attribute: str = "kms_key_id", owner: Owner = HERE) -> bool:
    one, other = ({attribute: value} for value in (old, new))
    forth, back = bool(diff(one, other, None, owner)), bool(diff(other, one, None, owner))
    assert forth == back
    return forth


@pytest.mark.parametrize(
    ("arn", "name", "same"),
    [
        (KEY, "alias/secure", True),
        (KEY, "secure", True),
        (FOREIGN, "alias/secure", False),
        (ELSEWHERE, "alias/secure", False),
        (ROLE, "admin", True),
        (ROLE.replace("1111", "9999"), "admin", False),
    ],
)
@pytest.mark.parametrize("form", ["text", "list", "element of a block", "longer list"])
def test_only_next_to_it(arn: str, name: str, same: bool, form: str) -> None:
    if form == "text":
        assert differs(arn, name) is not same
    elif form == "list":
        assert differs([arn], [name], "role_arns") is not same
    elif form == "element of a block":
        assert differs([{"role_arn": arn}], [{"role_arn": name}], "target") is not same
    else:
        changed = diff({"role_arns": [arn, "x"]}, {"role_arns": [name, "x", "y"]}, None, HERE)
        assert (changed[0].added == ("y",)) is same


@pytest.mark.parametrize("attribute", ["description", "value", "comment", "content", "input"])
def test_not_where_a_text_is_meant(attribute: str) -> None:
    assert differs(ROLE, "admin", attribute)


def test_a_tag_is_a_text() -> None:
    assert diff({"tags": {"approver": ROLE}}, {"tags": {"approver": "admin"}}, None, HERE)


def test_where_the_account_is_not_known_a_name_is_as_good() -> None:
    assert not differs(FOREIGN, "alias/secure", owner=Owner())
