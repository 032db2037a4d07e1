"""What KMS calls change; a key is named by id, ARN or alias."""

from typing import Any

import pytest

from tests.drift.replayed import Call, Change, changes

KEY = "40b9c4df-9b7a-479d-a175-24876a5bf2c6"
OTHER = "7e7f01d0-5f5e-41b4-94f8-f879c8304af9"
ARN = f"arn:aws:kms:us-east-1:123456789012:key/{KEY}"
OLD = '{"Statement":[{"Action":"kms:*","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"}}]}'
SAME = '{"Statement": [{"Principal": {"AWS": ["123456789012"]}, "Effect": "Allow", "Action": ["kms:*"]}]}'
RESOURCES: dict[str, dict[str, Any]] = {
    "aws_kms_key.k": {
        "id": KEY,
        "key_id": KEY,
        "arn": ARN,
        "description": "d",
        "enable_key_rotation": True,
        "is_enabled": True,
        "policy": OLD,
        "rotation_period_in_days": 365,
        "tags": {"Env": "prod"},
        "tags_all": {"Env": "prod"},
    },
    "aws_kms_key_policy.k": {"id": KEY, "key_id": KEY, "policy": OLD},
    "aws_kms_alias.a": {"id": "alias/a", "name": "alias/a", "target_key_id": KEY, "target_key_arn": ARN},
    "aws_kms_grant.g": {"id": f"{KEY}:1", "grant_id": "1", "key_id": KEY},
    "aws_kms_external_key.e": {"id": OTHER, "arn": ARN.replace(KEY, OTHER), "enabled": True, "key_state": "Enabled"},
}

CASES: list[tuple[Call, list[Change]]] = [
    (("DisableKey", {"keyId": KEY}), [("aws_kms_key.k", "is_enabled", "true", "false")]),
    (("DisableKey", {"keyId": ARN}), [("aws_kms_key.k", "is_enabled", "true", "false")]),
    (("DisableKey", {"keyId": "alias/a"}, {"keyId": ARN}), [("aws_kms_key.k", "is_enabled", "true", "false")]),
    (("DisableKey", {"keyId": OTHER}), [("aws_kms_external_key.e", "enabled", "true", "false")]),
    (("EnableKey", {"keyId": KEY}), []),
    (("ScheduleKeyDeletion", {"keyId": KEY, "pendingWindowInDays": 7}), [("aws_kms_key.k",)]),
    (("DisableKeyRotation", {"keyId": KEY}), [("aws_kms_key.k", "enable_key_rotation", "true", "false")]),
    (
        ("EnableKeyRotation", {"keyId": KEY, "rotationPeriodInDays": 180}),
        [("aws_kms_key.k", "rotation_period_in_days", "365", "180")],
    ),
    (("UpdateKeyDescription", {"keyId": KEY, "description": "x"}), [("aws_kms_key.k", "description", "d", "x")]),
    (("PutKeyPolicy", {"keyId": KEY, "policyName": "default", "policy": SAME}), []),
    (
        ("TagResource", {"keyId": KEY, "tags": [{"tagKey": "Env", "tagValue": "dev"}]}),
        [("aws_kms_key.k", "tags.Env", "prod", "dev"), ("aws_kms_key.k", "tags_all.Env", "prod", "dev")],
    ),
    (
        ("UntagResource", {"keyId": KEY, "tagKeys": ["Env"]}),
        [("aws_kms_key.k", "tags.Env", "prod", None), ("aws_kms_key.k", "tags_all.Env", "prod", None)],
    ),
    (
        ("UpdateAlias", {"aliasName": "alias/a", "targetKeyId": OTHER}),
        [
            ("aws_kms_alias.a", "target_key_arn", ARN, ARN.replace(KEY, OTHER)),
            ("aws_kms_alias.a", "target_key_id", KEY, OTHER),
        ],
    ),
    (("DeleteAlias", {"aliasName": "alias/a"}), [("aws_kms_alias.a",)]),
    (("CreateAlias", {"aliasName": "alias/b", "targetKeyId": KEY}), [("unmanaged", "aws_kms_alias", "alias/b")]),
    (("RevokeGrant", {"keyId": ARN, "grantId": "1"}), [("aws_kms_grant.g",)]),
    (
        ("CreateGrant", {"keyId": KEY, "operations": ["Decrypt"]}, {"grantId": "2"}),
        [("unmanaged", "aws_kms_grant", f"{KEY}:2")],
    ),
    (("CreateGrant", {"keyId": "elsewhere"}, {"grantId": "2"}), []),
    (
        ("DeleteImportedKeyMaterial", {"keyId": OTHER}),
        [
            ("aws_kms_external_key.e", "enabled", "true", "false"),
            ("aws_kms_external_key.e", "key_state", "Enabled", "PendingImport"),
        ],
    ),
    (("CancelKeyDeletion", {"keyId": "elsewhere"}), []),
    (("Encrypt", {"keyId": KEY}), []),
]


@pytest.mark.parametrize(("made", "expected"), CASES, ids=lambda part: part[0] if isinstance(part, tuple) else "")
def test_call(made: Call, expected: list[Change]) -> None:
    assert changes("kms", RESOURCES, made) == expected


def test_policy_in_the_key_and_apart() -> None:
    made = changes("kms", RESOURCES, ("PutKeyPolicy", {"keyId": ARN, "policy": "{}"}))
    assert [change[:2] for change in made] == [("aws_kms_key.k", "policy"), ("aws_kms_key_policy.k", "policy")]


def test_cancelled_deletion_leaves_the_key_disabled() -> None:
    assert changes(
        "kms", RESOURCES, ("ScheduleKeyDeletion", {"keyId": KEY}), ("CancelKeyDeletion", {"keyId": KEY})
    ) == [("aws_kms_key.k", "is_enabled", "true", "false")]
