"""What S3 calls change, for settings inside the bucket (provider 3) and in resources of their own (4 and later)."""

from typing import Any

import pytest

from tests.drift.replayed import ACCOUNT, Call, Change, changes

XMLNS = {"xmlns": "http://s3.amazonaws.com/doc/2006-03-01/"}
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
POLICY = '{"Statement":[{"Action":"s3:GetObject","Effect":"Deny","Principal":"*","Resource":"*"}]}'
AES256 = {"apply_server_side_encryption_by_default": [{"kms_master_key_id": "", "sse_algorithm": "AES256"}]}
KMS = {"apply_server_side_encryption_by_default": [{"kms_master_key_id": "k", "sse_algorithm": "aws:kms"}]}
RULE = {
    "abort_incomplete_multipart_upload_days": 0,
    "enabled": True,
    "expiration": [{"date": "", "days": 90, "expired_object_delete_marker": False}],
    "id": "logs",
    "noncurrent_version_expiration": [],
    "noncurrent_version_transition": [],
    "prefix": "log/",
    "tags": {},
    "transition": [],
}
OLD = {
    "aws_s3_bucket.b": {
        "id": "b",
        "bucket": "b",
        "arn": "arn:aws:s3:::b",
        "acl": "private",
        "acceleration_status": "",
        "cors_rule": [],
        "grant": [],
        "lifecycle_rule": [RULE],
        "logging": [{"target_bucket": "logs", "target_prefix": "b/"}],
        "object_lock_configuration": [],
        "policy": None,
        "replication_configuration": [],
        "request_payer": "",
        "server_side_encryption_configuration": [{"rule": [{**AES256, "bucket_key_enabled": False}]}],
        "tags": {"Env": "prod"},
        "tags_all": {"Env": "prod", "Team": "default"},
        "versioning": [{"enabled": False, "mfa_delete": False}],
        "website": [
            {
                "error_document": "e.html",
                "index_document": "i.html",
                "redirect_all_requests_to": "",
                "routing_rules": "",
            }
        ],
    }
}
GRANTEE = {"display_name": "", "email_address": "", "id": "me", "type": "CanonicalUser", "uri": ""}
NEW: dict[str, dict[str, Any]] = {
    "aws_s3_bucket.b": {
        "id": "b",
        "bucket": "b",
        "arn": "arn:aws:s3:::b",
        "acl": None,
        "object_lock_enabled": False,
        "policy": "",
        "grant": [{"id": "me", "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""}],
        "server_side_encryption_configuration": [{"rule": [{**KMS, "bucket_key_enabled": True}]}],
        "versioning": [],
    },
    "aws_s3_bucket_versioning.b": {
        "bucket": "b",
        "id": "b",
        "versioning_configuration": [{"mfa_delete": "", "status": "Disabled"}],
    },
    "aws_s3_bucket_server_side_encryption_configuration.b": {
        "bucket": "b",
        "id": "b",
        "rule": [{**KMS, "bucket_key_enabled": True}],
    },
    "aws_s3_bucket_acl.b": {
        "bucket": "b",
        "id": "b,private",
        "acl": "private",
        "access_control_policy": [
            {"grant": [{"grantee": [GRANTEE], "permission": "FULL_CONTROL"}], "owner": [{"id": "me"}]}
        ],
    },
    "aws_s3_bucket_lifecycle_configuration.b": {
        "bucket": "b",
        "id": "b",
        "rule": [
            {
                "id": "logs",
                "status": "Enabled",
                "prefix": "",
                "filter": [
                    {
                        "and": [],
                        "object_size_greater_than": None,
                        "object_size_less_than": None,
                        "prefix": "",
                        "tag": [],
                    }
                ],
                "expiration": [{"date": None, "days": 90, "expired_object_delete_marker": False}],
                "transition": [],
                "noncurrent_version_expiration": [],
                "noncurrent_version_transition": [],
                "abort_incomplete_multipart_upload": [],
            }
        ],
    },
    "aws_s3_bucket_logging.b": {"bucket": "b", "id": "b", "target_bucket": "logs", "target_prefix": "b/"},
    "aws_s3_bucket_cors_configuration.b": {
        "bucket": "b",
        "id": "b",
        "cors_rule": [{"allowed_headers": [], "allowed_methods": ["GET"], "allowed_origins": ["*"]}],
    },
    "aws_s3_bucket_website_configuration.b": {"bucket": "b", "id": "b", "index_document": [{"suffix": "i.html"}]},
    "aws_s3_bucket_public_access_block.b": {
        "bucket": "b",
        "id": "b",
        "block_public_acls": True,
        "block_public_policy": True,
        "ignore_public_acls": True,
        "restrict_public_buckets": True,
    },
    "aws_s3_bucket_policy.b": {"bucket": "b", "id": "b", "policy": POLICY},
    "aws_s3_bucket_notification.b": {
        "bucket": "b",
        "id": "b",
        "eventbridge": False,
        "lambda_function": [],
        "queue": [
            {
                "events": ["s3:ObjectCreated:*"],
                "filter_prefix": "",
                "filter_suffix": ".log",
                "id": "n",
                "queue_arn": "arn:aws:sqs:us-east-1:123456789012:q",
            }
        ],
        "topic": [],
    },
}


def call(name: str, **parameters: Any) -> Call:
    return name, {"bucketName": "b", "Host": "b.s3.amazonaws.com", **parameters}


def _xml(**body: Any) -> dict[str, Any]:
    return {**XMLNS, **body}


CASES: dict[str, tuple[dict[str, dict[str, Any]], Call, list[Change]]] = {
    "versioning inline": (
        OLD,
        call("PutBucketVersioning", versioning="", VersioningConfiguration=_xml(Status="Enabled")),
        [("aws_s3_bucket.b", "versioning[0].enabled", "false", "true")],
    ),
    "versioning apart": (
        NEW,
        call("PutBucketVersioning", VersioningConfiguration=_xml(Status="Enabled", MfaDelete="Enabled")),
        [
            ("aws_s3_bucket.b", "versioning", [], [{"enabled": True, "mfa_delete": True}]),
            ("aws_s3_bucket_versioning.b", "versioning_configuration[0].mfa_delete", "", "Enabled"),
            ("aws_s3_bucket_versioning.b", "versioning_configuration[0].status", "Disabled", "Enabled"),
        ],
    ),
    "lifecycle inline, one rule is logged bare": (
        OLD,
        call(
            "PutBucketLifecycle",
            LifecycleConfiguration=_xml(
                Rule={"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "log/"}, "Expiration": {"Days": 10}}
            ),
        ),
        [("aws_s3_bucket.b", "lifecycle_rule[0].expiration[0].days", "90", "10")],
    ),
    "lifecycle inline, a date and tags": (
        OLD,
        call(
            "PutBucketLifecycle",
            LifecycleConfiguration=_xml(
                Rule={
                    "ID": "logs",
                    "Status": "Disabled",
                    "Filter": {"And": {"Prefix": "log/", "Tag": [{"Key": "a", "Value": True}]}},
                    "Expiration": {"Date": "2030-01-01T00:00:00.000Z"},
                }
            ),
        ),
        [
            ("aws_s3_bucket.b", "lifecycle_rule[0].enabled", "true", "false"),
            ("aws_s3_bucket.b", "lifecycle_rule[0].expiration[0].date", "", "2030-01-01"),
            ("aws_s3_bucket.b", "lifecycle_rule[0].expiration[0].days", "90", "0"),
            ("aws_s3_bucket.b", "lifecycle_rule[0].tags.a", None, "true"),
        ],
    ),
    "lifecycle deleted inline": (
        OLD,
        call("DeleteBucketLifecycle", lifecycle=""),
        [("aws_s3_bucket.b", "lifecycle_rule", [RULE], [])],
    ),
    "website put as a whole": (
        OLD,
        call("PutBucketWebsite", WebsiteConfiguration=_xml(IndexDocument={"Suffix": "new.html"})),
        [
            ("aws_s3_bucket.b", "website[0].error_document", "e.html", ""),
            ("aws_s3_bucket.b", "website[0].index_document", "i.html", "new.html"),
        ],
    ),
    "website that redirects": (
        OLD,
        call(
            "PutBucketWebsite",
            WebsiteConfiguration=_xml(RedirectAllRequestsTo={"HostName": "e.com", "Protocol": "https"}),
        ),
        [
            ("aws_s3_bucket.b", "website[0].error_document", "e.html", ""),
            ("aws_s3_bucket.b", "website[0].index_document", "i.html", ""),
            ("aws_s3_bucket.b", "website[0].redirect_all_requests_to", "", "https://e.com"),
        ],
    ),
    "logging switched off inline": (
        OLD,
        call("PutBucketLogging", logging="", BucketLoggingStatus=XMLNS),
        [("aws_s3_bucket.b", "logging", [{"target_bucket": "logs", "target_prefix": "b/"}], [])],
    ),
    "tags put as a whole, default tags stay apart": (
        OLD,
        call(
            "PutBucketTagging",
            Tagging=_xml(TagSet={"Tag": [{"Key": "Team", "Value": "default"}, {"Key": "Owner", "Value": 7}]}),
        ),
        [
            ("aws_s3_bucket.b", "tags.Env", "prod", None),
            ("aws_s3_bucket.b", "tags.Owner", None, "7"),
            ("aws_s3_bucket.b", "tags_all.Env", "prod", None),
            ("aws_s3_bucket.b", "tags_all.Owner", None, "7"),
        ],
    ),
    # S3 encrypts with its own keys where nothing else is said: the very configuration that state has.
    "encryption deleted where it was the default": (OLD, call("DeleteBucketEncryption", encryption=""), []),
    "policy where the bucket has none": (
        OLD,
        call("PutBucketPolicy", bucketPolicy={"Statement": []}),
        [("unmanaged", "aws_s3_bucket_policy", "b")],
    ),
    "public access block where none is managed": (
        OLD,
        call("PutBucketPublicAccessBlock", PublicAccessBlockConfiguration=_xml(BlockPublicAcls=True)),
        [("unmanaged", "aws_s3_bucket_public_access_block", "b")],
    ),
    "grants of a canned list": (
        OLD,
        call("PutBucketAcl", **{"acl": "", "x-amz-acl": "public-read"}),
        [
            (
                "aws_s3_bucket.b",
                "grant",
                [],
                [
                    {"id": "(unknown)", "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""},
                    {"id": "", "permissions": ["READ"], "type": "Group", "uri": ALL_USERS},
                ],
            )
        ],
    ),
    "the private list again": (OLD, call("PutBucketAcl", **{"acl": "", "x-amz-acl": ["private"]}), []),
    "grants spelled out": (
        OLD,
        call(
            "PutBucketAcl",
            AccessControlPolicy=_xml(
                AccessControlList={
                    "Grant": [
                        {"Grantee": {"xsi:type": "CanonicalUser", "ID": "me"}, "Permission": "FULL_CONTROL"},
                        {"Grantee": {"xsi:type": "Group", "URI": ALL_USERS}, "Permission": "READ"},
                        {"Grantee": {"xsi:type": "Group", "URI": ALL_USERS}, "Permission": "WRITE"},
                    ]
                }
            ),
        ),
        [
            (
                "aws_s3_bucket.b",
                "grant",
                [],
                [
                    {"id": "me", "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""},
                    {"id": "", "permissions": ["READ", "WRITE"], "type": "Group", "uri": ALL_USERS},
                ],
            )
        ],
    ),
    "grants in headers": (
        OLD,
        call("PutBucketAcl", **{"x-amz-grant-read": f'uri="{ALL_USERS}"', "x-amz-grant-full-control": "id=me"}),
        [
            (
                "aws_s3_bucket.b",
                "grant",
                [],
                [
                    {"id": "me", "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""},
                    {"id": "", "permissions": ["READ"], "type": "Group", "uri": ALL_USERS},
                ],
            )
        ],
    ),
    "a list that nobody knows": (
        OLD,
        call("PutBucketAcl", **{"x-amz-acl": "some-new-list"}),
        [("aws_s3_bucket.b", "grant", [], "(unknown)")],
    ),
    "encryption deleted": (
        NEW,
        call("DeleteBucketEncryption"),
        [
            (
                "aws_s3_bucket.b",
                "server_side_encryption_configuration[0].rule[0].apply_server_side_encryption_by_default[0]"
                ".kms_master_key_id",
                "k",
                "",
            ),
            (
                "aws_s3_bucket.b",
                "server_side_encryption_configuration[0].rule[0].apply_server_side_encryption_by_default[0]"
                ".sse_algorithm",
                "aws:kms",
                "AES256",
            ),
            ("aws_s3_bucket.b", "server_side_encryption_configuration[0].rule[0].bucket_key_enabled", "true", "false"),
            (
                "aws_s3_bucket_server_side_encryption_configuration.b",
                "rule",
                [{**KMS, "bucket_key_enabled": True}],
                [{**AES256, "bucket_key_enabled": False}],
            ),
        ],
    ),
    "encryption put again": (
        NEW,
        call(
            "PutBucketEncryption",
            ServerSideEncryptionConfiguration=_xml(
                Rule={
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"},
                    "BucketKeyEnabled": True,
                }
            ),
        ),
        [],
    ),
    "list of a bucket with a list resource": (
        NEW,
        call("PutBucketAcl", **{"acl": "", "x-amz-acl": "public-read"}),
        [
            (
                "aws_s3_bucket.b",
                "grant",
                [{"id": "me", "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""}],
                [
                    {"id": "me", "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""},
                    {"id": "", "permissions": ["READ"], "type": "Group", "uri": ALL_USERS},
                ],
            ),
            (
                "aws_s3_bucket_acl.b",
                "access_control_policy[0].grant",
                [{"grantee": [GRANTEE], "permission": "FULL_CONTROL"}],
                [
                    {"grantee": [GRANTEE], "permission": "FULL_CONTROL"},
                    {"grantee": [{**GRANTEE, "id": "", "type": "Group", "uri": ALL_USERS}], "permission": "READ"},
                ],
            ),
        ],
    ),
    "private list of a bucket with a list resource": (NEW, call("PutBucketAcl", **{"x-amz-acl": "private"}), []),
    "policy apart and computed in the bucket": (
        NEW,
        call("DeleteBucketPolicy", policy=""),
        [("aws_s3_bucket_policy.b",)],
    ),
    "public access block opened": (
        NEW,
        call(
            "PutBucketPublicAccessBlock",
            PublicAccessBlockConfiguration=_xml(
                BlockPublicAcls=True, IgnorePublicAcls=True, RestrictPublicBuckets=False
            ),
        ),
        [
            ("aws_s3_bucket_public_access_block.b", "block_public_policy", "true", "false"),
            ("aws_s3_bucket_public_access_block.b", "restrict_public_buckets", "true", "false"),
        ],
    ),
    "public access block deleted": (
        NEW,
        call("DeleteBucketPublicAccessBlock", publicAccessBlock=""),
        [("aws_s3_bucket_public_access_block.b",)],
    ),
    "notification": (
        NEW,
        call(
            "PutBucketNotification",
            NotificationConfiguration=_xml(
                EventBridgeConfiguration="",
                QueueConfiguration={
                    "Id": "n",
                    "Queue": "arn:aws:sqs:us-east-1:123456789012:q",
                    "Event": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
                    "Filter": {"S3Key": {"FilterRule": {"Name": "Suffix", "Value": ".log"}}},
                },
            ),
        ),
        [
            ("aws_s3_bucket_notification.b", "eventbridge", "false", "true"),
            (
                "aws_s3_bucket_notification.b",
                "queue[0].events",
                ["s3:ObjectCreated:*"],
                ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
            ),
        ],
    ),
    "bucket deleted with all that is in it": (NEW, call("DeleteBucket"), [(address,) for address in sorted(NEW)]),
    "bucket created": (OLD, ("CreateBucket", {"bucketName": "x"}), [("unmanaged", "aws_s3_bucket", "x")]),
    "another bucket": (
        OLD,
        ("PutBucketVersioning", {"bucketName": "x", "VersioningConfiguration": {"Status": "x"}}),
        [],
    ),
    "an access check of a bucket without its body": (OLD, call("PutBucketLifecycle"), []),
}


@pytest.mark.parametrize(("resources", "made", "expected"), CASES.values(), ids=CASES)
def test_bucket(resources: dict[str, dict[str, Any]], made: Call, expected: list[Change]) -> None:
    assert changes("s3", resources, made) == expected


APART = {name: value for name, value in NEW.items() if name != "aws_s3_bucket.b"}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            call(
                "PutBucketLifecycle",
                LifecycleConfiguration=_xml(
                    Rule={"ID": "logs", "Status": "Enabled", "Filter": "", "Expiration": {"Days": 5}}
                ),
            ),
            [("aws_s3_bucket_lifecycle_configuration.b", "rule[0].expiration[0].days", "90", "5")],
        ),
        (
            call(
                "PutBucketLogging", BucketLoggingStatus=_xml(LoggingEnabled={"TargetBucket": "l", "TargetPrefix": ""})
            ),
            [
                ("aws_s3_bucket_logging.b", "target_bucket", "logs", "l"),
                ("aws_s3_bucket_logging.b", "target_prefix", "b/", ""),
            ],
        ),
        (call("PutBucketLogging", BucketLoggingStatus=XMLNS), [("aws_s3_bucket_logging.b",)]),
        (call("DeleteBucketCors", cors=""), [("aws_s3_bucket_cors_configuration.b",)]),
        (call("PutBucketCors", CORSConfiguration=_xml(CORSRule={"AllowedMethod": "GET", "AllowedOrigin": "*"})), []),
        (
            call("PutBucketWebsite", WebsiteConfiguration=_xml(IndexDocument={"Suffix": "x"})),
            [("aws_s3_bucket_website_configuration.b", "index_document[0].suffix", "i.html", "x")],
        ),
        (call("DeleteBucketWebsite", website=""), [("aws_s3_bucket_website_configuration.b",)]),
        (call("DeleteBucketLifecycle", lifecycle=""), [("aws_s3_bucket_lifecycle_configuration.b",)]),
    ],
)
def test_separate_resource(made: Call, expected: list[Change]) -> None:
    assert changes("s3", APART, made) == expected


OBJECT = {
    "aws_s3_object.o": {
        "id": "k",
        "bucket": "b",
        "key": "k",
        "etag": "1",
        "storage_class": "STANDARD",
        "tags": {"A": "b"},
        "tags_all": {"A": "b"},
    }
}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            call("PutObject", **{"key": "k", "x-amz-tagging": "A=c&D=e"}),
            [
                ("aws_s3_object.o", "etag", "1", "(unknown)"),
                ("aws_s3_object.o", "tags.A", "b", "c"),
                ("aws_s3_object.o", "tags.D", None, "e"),
                ("aws_s3_object.o", "tags_all.A", "b", "c"),
                ("aws_s3_object.o", "tags_all.D", None, "e"),
            ],
        ),
        (
            call("PutObjectTagging", key="k", tagging=""),
            [
                ("aws_s3_object.o", "tags", {"A": "b"}, "(unknown)"),
                ("aws_s3_object.o", "tags_all", {"A": "b"}, "(unknown)"),
            ],
        ),
        (call("DeleteObject", key="k"), [("aws_s3_object.o",)]),
        (call("DeleteObject", key="k", versionId="v"), []),
        (call("DeleteObject", key="other"), []),
    ],
)
def test_object(made: Call, expected: list[Change]) -> None:
    assert changes("s3", OBJECT, made) == expected


def test_policy_written_in_the_bucket() -> None:
    resources = {"aws_s3_bucket.b": {**OLD["aws_s3_bucket.b"], "policy": POLICY}}
    (change,) = changes("s3", resources, call("PutBucketPolicy", bucketPolicy={"Statement": []}))
    assert change[:2] == ("aws_s3_bucket.b", "policy")
    assert changes("s3", resources, call("DeleteBucketPolicy"))[0][3] == ""


def test_bucket_made_anew_under_its_name() -> None:
    made = changes("s3", OLD, call("DeleteBucket"), call("CreateBucket"))
    assert {change[1] for change in made} == {
        "lifecycle_rule",
        "logging",
        "server_side_encryption_configuration",
        "tags.Env",
        "tags_all.Env",
        "tags_all.Team",
        "website",
    }


def test_account_wide_public_access_block() -> None:
    resources = {
        "aws_s3_account_public_access_block.a": {"id": ACCOUNT, "account_id": ACCOUNT, "block_public_acls": True}
    }
    body = {"PublicAccessBlockConfiguration": _xml(BlockPublicAcls=False)}
    assert changes("s3", resources, ("PutAccountPublicAccessBlock", body)) == [
        ("aws_s3_account_public_access_block.a", "block_public_acls", "true", "false")
    ]
    assert changes("s3", resources, ("DeleteAccountPublicAccessBlock", {"publicAccessBlock": ""})) == [
        ("aws_s3_account_public_access_block.a",)
    ]
