"""What SQS calls change; a queue is named by its URL, its attributes come as a map of texts."""

from typing import Any

import pytest

from tests.drift.replayed import Call, Change, changes

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
ARN = "arn:aws:sqs:us-east-1:123456789012:q"
STATEMENT = {"Action": "sqs:SendMessage", "Effect": "Allow", "Principal": "*", "Resource": ARN, "Sid": "s"}
POLICY = (
    '{"Statement":[{"Action":"sqs:SendMessage","Effect":"Allow","Principal":"*","Resource":"' + ARN + '","Sid":"s"}]}'
)
RESOURCES: dict[str, dict[str, Any]] = {
    "aws_sqs_queue.q": {
        "id": URL,
        "arn": ARN,
        "name": "q",
        "delay_seconds": 0,
        "policy": POLICY,
        "redrive_policy": '{"deadLetterTargetArn":"arn:d","maxReceiveCount":5}',
        "tags": {"Env": "prod"},
        "tags_all": {"Env": "prod"},
        "visibility_timeout_seconds": 30,
        "max_message_size": 262144,
        "message_retention_seconds": 345600,
    },
    "aws_sqs_queue_policy.q": {"id": URL, "queue_url": URL, "policy": POLICY},
    "aws_sqs_queue_redrive_policy.q": {"id": URL, "queue_url": URL, "redrive_policy": "{}"},
}


def put(**attributes: Any) -> Call:
    return "SetQueueAttributes", {"queueUrl": URL, "attributes": attributes}


CASES: list[tuple[Call, list[Change]]] = [
    (
        put(VisibilityTimeout="60", DelaySeconds="0", MaximumMessageSize="1024"),
        [
            ("aws_sqs_queue.q", "max_message_size", "262144", "1024"),
            ("aws_sqs_queue.q", "visibility_timeout_seconds", "30", "60"),
        ],
    ),
    (
        ("SetQueueAttributes", {"queueUrl": URL, "attribute": {"DelaySeconds": "5"}}),
        [("aws_sqs_queue.q", "delay_seconds", "0", "5")],
    ),
    (put(Policy={"Statement": [STATEMENT]}), []),
    (
        put(Policy=""),
        [("aws_sqs_queue.q", "policy", {"Statement": [STATEMENT]}, ""), ("aws_sqs_queue_policy.q",)],
    ),
    (
        put(RedrivePolicy='{"deadLetterTargetArn": "arn:d", "maxReceiveCount": "5"}'),
        [
            (
                "aws_sqs_queue_redrive_policy.q",
                "redrive_policy",
                {},
                {"deadLetterTargetArn": "arn:d", "maxReceiveCount": "5"},
            )
        ],
    ),
    (
        ("RemovePermission", {"queueUrl": URL, "label": "s"}),
        [
            ("aws_sqs_queue.q", "policy", {"Statement": [STATEMENT]}, ""),
            ("aws_sqs_queue_policy.q", "policy", {"Statement": [STATEMENT]}, ""),
        ],
    ),
    (
        ("TagQueue", {"queueUrl": URL, "tags": {"Env": "dev"}}),
        [("aws_sqs_queue.q", "tags.Env", "prod", "dev"), ("aws_sqs_queue.q", "tags_all.Env", "prod", "dev")],
    ),
    (
        ("UntagQueue", {"queueUrl": URL, "tagKeys": ["Env", "None"]}),
        [("aws_sqs_queue.q", "tags.Env", "prod", None), ("aws_sqs_queue.q", "tags_all.Env", "prod", None)],
    ),
    (
        ("DeleteQueue", {"queueUrl": URL}),
        [("aws_sqs_queue.q",), ("aws_sqs_queue_policy.q",), ("aws_sqs_queue_redrive_policy.q",)],
    ),
    (("CreateQueue", {"queueName": "n"}, {"queueUrl": "https://n"}), [("unmanaged", "aws_sqs_queue", "https://n")]),
    (("CreateQueue", {"queueName": "q", "attributes": {"VisibilityTimeout": "30"}}, {"queueUrl": URL}), []),
    (("SendMessage", {"queueUrl": URL}), []),
]


@pytest.mark.parametrize(("made", "expected"), CASES, ids=lambda part: part[0] if isinstance(part, tuple) else "")
def test_call(made: Call, expected: list[Change]) -> None:
    assert changes("sqs", RESOURCES, made) == expected


def test_added_permission_is_a_statement_in_the_queue_and_apart() -> None:
    call: Call = (
        "AddPermission",
        {"queueUrl": URL, "label": "l", "aWSAccountIds": ["999999999999"], "actions": ["ReceiveMessage"]},
    )
    added = {
        "Action": ["SQS:ReceiveMessage"],
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam::999999999999:root"]},
        "Resource": ARN,
        "Sid": "l",
    }
    assert [(address, path, new["Statement"][1]) for address, path, _, new in changes("sqs", RESOURCES, call)] == [
        ("aws_sqs_queue.q", "policy", added),
        ("aws_sqs_queue_policy.q", "policy", added),
    ]


def test_policy_that_is_no_document_is_not_edited() -> None:
    resources = {"aws_sqs_queue.q": {**RESOURCES["aws_sqs_queue.q"], "policy": "not JSON"}}
    for name in ("AddPermission", "RemovePermission"):
        assert changes("sqs", resources, (name, {"queueUrl": URL, "label": "l"})) == [
            ("aws_sqs_queue.q", "policy", "not JSON", "(unknown)")
        ]


def test_queue_made_anew_under_its_name() -> None:
    made = changes(
        "sqs",
        {"aws_sqs_queue.q": RESOURCES["aws_sqs_queue.q"]},
        ("DeleteQueue", {"queueUrl": URL}),
        ("CreateQueue", {"queueName": "q", "tags": {"Env": "dev"}}, {"queueUrl": URL}),
    )
    assert [change[1] for change in made] == [
        "max_message_size",
        "policy",
        "redrive_policy",
        "tags.Env",
        "tags_all.Env",
    ]
