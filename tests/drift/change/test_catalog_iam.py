"""What IAM calls change, in roles, users and groups and in the attachments and memberships written apart."""

import json
from typing import Any

import pytest

from tests.drift.replayed import ACCOUNT, Call, Change, changes, record_of, state
from tfdrift_core.replay import replay

P = "arn:aws:iam::123456789012:policy/p"
Q = "arn:aws:iam::123456789012:policy/q"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
OIDC = "arn:aws:iam::123456789012:oidc-provider/x"
DOCUMENT = '{"Statement":[{"Action":["s3:GetObject"],"Effect":"Allow","Resource":"*"}]}'
SAME = '{"Statement": {"Effect": "Allow", "Action": "S3:getobject", "Resource": ["*"]}}'
ALL = '{"Statement":[{"Action":"*","Effect":"Allow","Resource":"*"}]}'

RESOURCES: dict[str, dict[str, Any]] = {
    "aws_iam_role.r": {
        "id": "r",
        "name": "r",
        "arn": "arn:aws:iam::123456789012:role/r",
        "assume_role_policy": DOCUMENT,
        "description": "",
        "inline_policy": [{"name": "in", "policy": DOCUMENT}],
        "managed_policy_arns": [P],
        "max_session_duration": 3600,
        "path": "/",
        "permissions_boundary": None,
        "tags": {"Env": "prod"},
        "tags_all": {"Env": "prod"},
    },
    "aws_iam_role_policy.in": {"id": "r:in", "name": "in", "role": "r", "policy": DOCUMENT},
    "aws_iam_role_policy_attachment.p": {"id": "r-1", "role": "r", "policy_arn": P},
    "aws_iam_role_policies_exclusive.r": {"role_name": "r", "policy_names": ["in"]},
    "aws_iam_user.u": {"id": "u", "name": "u", "path": "/", "arn": "arn:aws:iam::123456789012:user/u"},
    "aws_iam_user_policy.in": {"id": "u:in", "name": "in", "user": "u", "policy": DOCUMENT},
    "aws_iam_access_key.k": {"id": "AKIA1", "user": "u", "status": "Active"},
    "aws_iam_group.g": {"id": "g", "name": "g", "path": "/", "arn": "arn:aws:iam::123456789012:group/g"},
    "aws_iam_group_membership.g": {"id": "m", "name": "m", "group": "g", "users": ["u", "v"]},
    "aws_iam_user_group_membership.u": {"id": "t", "user": "u", "groups": ["g"]},
    "aws_iam_policy.p": {"id": P, "arn": P, "name": "p", "policy": DOCUMENT},
    "aws_iam_policy_attachment.q": {
        "id": "q",
        "name": "q",
        "policy_arn": Q,
        "roles": ["r"],
        "users": ["u"],
        "groups": ["g"],
    },
    "aws_iam_instance_profile.i": {"id": "i", "name": "i", "role": "r"},
    "aws_iam_account_password_policy.p": {
        "id": "iam-account-password-policy",
        "minimum_password_length": 12,
        "require_symbols": True,
        "max_password_age": 90,
        "expire_passwords": True,
    },
    "aws_iam_account_alias.a": {"id": "acme", "account_alias": "acme"},
    "aws_iam_openid_connect_provider.o": {
        "id": OIDC,
        "arn": OIDC,
        "client_id_list": ["a"],
        "thumbprint_list": ["1"],
    },
    "aws_iam_server_certificate.c": {
        "id": "ASCA",
        "name": "c",
        "path": "/",
        "arn": "arn:aws:iam::123456789012:server-certificate/c",
    },
}

CASES: list[tuple[Call, list[Change]]] = [
    (
        ("AttachRolePolicy", {"roleName": "r", "policyArn": ADMIN}),
        [("aws_iam_role.r", "managed_policy_arns", [P], [P, ADMIN])],
    ),
    (("AttachRolePolicy", {"roleName": "r", "policyArn": P}), []),
    (
        ("DetachRolePolicy", {"roleName": "r", "policyArn": P}),
        [("aws_iam_role.r", "managed_policy_arns", [P], []), ("aws_iam_role_policy_attachment.p",)],
    ),
    (
        ("DetachRolePolicy", {"roleName": "r", "policyArn": Q}),
        [("aws_iam_policy_attachment.q", "roles", ["r"], [])],
    ),
    (
        ("PutRolePolicy", {"roleName": "r", "policyName": "in", "policyDocument": ALL}),
        [
            (
                "aws_iam_role.r",
                "inline_policy",
                [{"name": "in", "policy": DOCUMENT}],
                [{"name": "in", "policy": ALL}],
            ),
            ("aws_iam_role_policy.in", "policy", DOCUMENT, ALL),
        ],
    ),
    (("PutRolePolicy", {"roleName": "r", "policyName": "in", "policyDocument": SAME}), []),
    (
        ("DeleteRolePolicy", {"roleName": "r", "policyName": "in"}),
        [
            ("aws_iam_role.r", "inline_policy", [{"name": "in", "policy": DOCUMENT}], []),
            ("aws_iam_role_policies_exclusive.r", "policy_names", ["in"], []),
            ("aws_iam_role_policy.in",),
        ],
    ),
    (
        ("UpdateRole", {"roleName": "r", "description": "x", "maxSessionDuration": 7200}),
        [("aws_iam_role.r", "description", "", "x"), ("aws_iam_role.r", "max_session_duration", "3600", "7200")],
    ),
    (
        ("UpdateAssumeRolePolicy", {"roleName": "r", "policyDocument": ALL}),
        [("aws_iam_role.r", "assume_role_policy", DOCUMENT, ALL)],
    ),
    (
        ("PutRolePermissionsBoundary", {"roleName": "r", "permissionsBoundary": P}),
        [("aws_iam_role.r", "permissions_boundary", None, P)],
    ),
    (("DeleteRolePermissionsBoundary", {"roleName": "r"}), []),
    (
        ("TagRole", {"roleName": "r", "tags": [{"key": "Env", "value": "dev"}]}),
        [("aws_iam_role.r", "tags.Env", "prod", "dev"), ("aws_iam_role.r", "tags_all.Env", "prod", "dev")],
    ),
    (
        ("UntagRole", {"roleName": "r", "tagKeys": ["Env"]}),
        [("aws_iam_role.r", "tags.Env", "prod", None), ("aws_iam_role.r", "tags_all.Env", "prod", None)],
    ),
    (
        ("AttachUserPolicy", {"userName": "u", "policyArn": ADMIN}),
        [("unmanaged", "aws_iam_user_policy_attachment", f"u/{ADMIN}")],
    ),
    (("AttachUserPolicy", {"userName": "stranger", "policyArn": ADMIN}), []),
    (
        ("AttachUserPolicy", {"userName": "v", "policyArn": Q}),
        [("aws_iam_policy_attachment.q", "users", ["u"], ["u", "v"])],
    ),
    (
        ("PutUserPolicy", {"userName": "u", "policyName": "evil", "policyDocument": ALL}),
        [("unmanaged", "aws_iam_user_policy", "u:evil")],
    ),
    (
        ("UpdateUser", {"userName": "u", "newPath": "/staff/"}),
        [
            ("aws_iam_user.u", "arn", "arn:aws:iam::123456789012:user/u", "arn:aws:iam::123456789012:user/staff/u"),
            ("aws_iam_user.u", "path", "/", "/staff/"),
        ],
    ),
    (
        ("UpdateUser", {"userName": "u", "newUserName": "mallory"}),
        [
            ("aws_iam_access_key.k",),
            ("aws_iam_group_membership.g", "users", ["u", "v"], ["v", "mallory"]),
            ("aws_iam_policy_attachment.q", "users", ["u"], ["mallory"]),
            ("aws_iam_user.u",),
            ("aws_iam_user_group_membership.u",),
            ("aws_iam_user_policy.in",),
        ],
    ),
    (
        ("DeleteUser", {"userName": "v"}),
        [("aws_iam_group_membership.g", "users", ["u", "v"], ["u"])],
    ),
    (
        ("UpdateAccessKey", {"userName": "u", "accessKeyId": "AKIA1", "status": "Inactive"}),
        [("aws_iam_access_key.k", "status", "Active", "Inactive")],
    ),
    (
        ("CreateAccessKey", {"userName": "u"}, {"accessKey": {"userName": "u", "accessKeyId": "AKIA2"}}),
        [("unmanaged", "aws_iam_access_key", "AKIA2")],
    ),
    (
        ("AddUserToGroup", {"groupName": "g", "userName": "w"}),
        [("aws_iam_group_membership.g", "users", ["u", "v"], ["u", "v", "w"])],
    ),
    (
        ("RemoveUserFromGroup", {"groupName": "g", "userName": "u"}),
        [
            ("aws_iam_group_membership.g", "users", ["u", "v"], ["v"]),
            ("aws_iam_user_group_membership.u", "groups", ["g"], []),
        ],
    ),
    (
        ("AddUserToGroup", {"groupName": "admins", "userName": "u"}),
        [("unmanaged", "aws_iam_user_group_membership", "u/admins")],
    ),
    (
        ("UpdateGroup", {"groupName": "g", "newGroupName": "h"}),
        [
            ("aws_iam_group.g",),
            ("aws_iam_group_membership.g",),
            ("aws_iam_policy_attachment.q", "groups", ["g"], ["h"]),
            ("aws_iam_user_group_membership.u", "groups", ["g"], []),
        ],
    ),
    (
        ("CreatePolicyVersion", {"policyArn": P, "policyDocument": ALL, "setAsDefault": True}),
        [("aws_iam_policy.p", "policy", DOCUMENT, ALL)],
    ),
    (("CreatePolicyVersion", {"policyArn": P, "policyDocument": ALL, "setAsDefault": False}), []),
    (
        ("SetDefaultPolicyVersion", {"policyArn": P, "versionId": "v1"}),
        [("aws_iam_policy.p", "policy", DOCUMENT, "(unknown)")],
    ),
    (("RemoveRoleFromInstanceProfile", {"instanceProfileName": "i", "roleName": "r"}), []),
    (
        ("AddRoleToInstanceProfile", {"instanceProfileName": "i", "roleName": "admin"}),
        [("aws_iam_instance_profile.i", "role", "r", "admin")],
    ),
    (
        ("CreateAccountAlias", {"accountAlias": "evil"}),
        [
            ("aws_iam_account_alias.a", "account_alias", "acme", "evil"),
            ("aws_iam_account_alias.a", "id", "acme", "evil"),
        ],
    ),
    (("DeleteAccountAlias", {"accountAlias": "acme"}), [("aws_iam_account_alias.a",)]),
    (
        ("AddClientIDToOpenIDConnectProvider", {"openIDConnectProviderArn": OIDC, "clientID": "b"}),
        [("aws_iam_openid_connect_provider.o", "client_id_list", ["a"], ["a", "b"])],
    ),
    (
        ("UpdateServerCertificate", {"serverCertificateName": "c", "newServerCertificateName": "d"}),
        [("aws_iam_server_certificate.c",)],
    ),
    (
        ("CreateUser", {"userName": "new"}, {"user": {"arn": "arn:aws:iam::123456789012:user/new"}}),
        [("unmanaged", "aws_iam_user", "new")],
    ),
]


@pytest.mark.parametrize(("made", "expected"), CASES, ids=lambda part: part[0] if isinstance(part, tuple) else "")
def test_call(made: Call, expected: list[Change]) -> None:
    assert [_plain(change) for change in changes("iam", RESOURCES, made)] == [_plain(change) for change in expected]


def _plain(change: Change) -> Change:
    """Documents as they were written in the test: the helper has parsed what looks like JSON."""
    return tuple(str(part).replace("'", '"').replace(" ", "") for part in change)


def test_password_policy_falls_back_to_the_defaults_of_the_account() -> None:
    made = changes("iam", RESOURCES, ("UpdateAccountPasswordPolicy", {"requireSymbols": True}))
    assert [change[1] for change in made] == ["expire_passwords", "max_password_age", "minimum_password_length"]


def test_role_made_anew_under_its_name() -> None:
    made = changes(
        "iam",
        RESOURCES,
        ("DeleteRole", {"roleName": "r"}),
        ("CreateRole", {"roleName": "r", "assumeRolePolicyDocument": SAME}, {"role": {"roleId": "AROA"}}),
    )
    assert [change[:2] for change in made if change[0] == "aws_iam_role.r"] == [
        ("aws_iam_role.r", "inline_policy"),
        ("aws_iam_role.r", "managed_policy_arns"),
        ("aws_iam_role.r", "tags.Env"),
        ("aws_iam_role.r", "tags_all.Env"),
        ("aws_iam_role.r", "unique_id"),
    ]


def test_role_of_a_provider_that_did_not_read_its_policies() -> None:
    resources = {"aws_iam_role.r": {"id": "r", "name": "r"}}
    assert changes("iam", resources, ("AttachRolePolicy", {"roleName": "r", "policyArn": ADMIN})) == [
        ("unmanaged", "aws_iam_role_policy_attachment", f"r/{ADMIN}")
    ]
    assert changes(
        "iam", resources, ("PutRolePolicy", {"roleName": "r", "policyName": "n", "policyDocument": ALL})
    ) == [("unmanaged", "aws_iam_role_policy", "r:n")]


def test_first_inline_policy_takes_the_place_of_the_empty_one() -> None:
    resources = {"aws_iam_role.r": {"id": "r", "name": "r", "inline_policy": [{"name": "", "policy": ""}]}}
    call = ("PutRolePolicy", {"roleName": "r", "policyName": "n", "policyDocument": ALL})
    assert changes("iam", resources, call) == [
        ("aws_iam_role.r", "inline_policy", [{"name": "", "policy": ""}], [{"name": "n", "policy": ALL}])
    ]


def test_tag_without_a_value() -> None:
    assert changes("iam", RESOURCES, ("TagRole", {"roleName": "r", "tags": [{"key": "Draft", "value": ""}]})) == [
        ("aws_iam_role.r", "tags.Draft", None, ""),
        ("aws_iam_role.r", "tags_all.Draft", None, ""),
    ]


def test_membership_of_another_account() -> None:
    groups: dict[str, dict[str, Any]] = {
        "aws_iam_group.g": {"id": "g", "name": "g", "arn": "arn:aws:iam::999999999999:group/g"},
        "aws_iam_group_membership.g": {"id": "m", "group": "g", "users": ["u"]},
    }
    assert changes("iam", groups, ("UpdateUser", {"userName": "u", "newUserName": "v"})) == []


def _version(number: int, document: str, default: bool) -> Call:
    request = {"policyArn": P, "policyDocument": document, "setAsDefault": default}
    return "CreatePolicyVersion", request, {"policyVersion": {"versionId": f"v{number}", "isDefaultVersion": default}}


def _chosen(number: int) -> Call:
    return "SetDefaultPolicyVersion", {"policyArn": P, "versionId": f"v{number}"}


NONE = '{"Version":"2012-10-17","Statement":[]}'


@pytest.mark.parametrize(
    ("calls", "policy"),
    [
        pytest.param([_version(2, ALL, True), _chosen(1)], None, id="back to the first, when the second was made"),
        pytest.param([_version(2, ALL, False), _chosen(2)], ALL, id="a version made before it was chosen"),
        pytest.param([_version(2, ALL, False), _version(3, NONE, True), _chosen(2)], ALL, id="the middle one"),
        pytest.param([_version(2, ALL, True), _version(3, NONE, False), _chosen(1)], None, id="back past two"),
        pytest.param([_version(5, ALL, True), _chosen(4)], "(unknown)", id="a version that nobody saw being made"),
        pytest.param([_chosen(1), _version(2, ALL, True), _chosen(1)], None, id="the only one, as is seen later"),
        pytest.param([_version(2, "", True)], "(unknown)", id="a document that is not logged"),
    ],
)
def test_policy_version_chosen(calls: list[Call], policy: str | None) -> None:
    made = changes("iam", RESOURCES, *calls)
    assert [change[:2] for change in made] == ([("aws_iam_policy.p", "policy")] if policy else [])
    assert not policy or made[0][3] == (policy if policy == "(unknown)" else json.loads(policy))


def test_a_key_without_a_user_name_is_the_callers_own() -> None:
    """IAM determines the user from the access key that signs the request
    (https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html)."""

    def made(user: str) -> list[str]:
        response = {"accessKey": {"userName": user, "accessKeyId": "AKIA2", "status": "Active"}}
        identity = {"type": "IAMUser", "userName": user, "accountId": ACCOUNT}
        call = {**record_of("iam", ("CreateAccessKey", {}, response)), "userIdentity": identity}
        return [event.resource.type for event in replay(state(RESOURCES), [call])]

    assert made("u") == ["aws_iam_access_key"]
    assert made("stranger") == []
