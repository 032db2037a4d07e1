"""What SNS calls change; an attribute comes by name, one a call."""

import json
from typing import Any

import pytest

from tests.drift.replayed import Call, Change, changes

TOPIC = "arn:aws:sns:us-east-1:123456789012:t"
SUBSCRIPTION = f"{TOPIC}:1"
STATEMENT = {
    "Action": ["SNS:Publish"],
    "Effect": "Allow",
    "Principal": {"AWS": ["arn:aws:iam::999999999999:root"]},
    "Resource": TOPIC,
    "Sid": "l",
}
RESOURCES: dict[str, dict[str, Any]] = {
    "aws_sns_topic.t": {
        "id": TOPIC,
        "arn": TOPIC,
        "name": "t",
        "display_name": "alerts",
        "policy": "",
        "tags": {"Env": "prod"},
        "tags_all": {"Env": "prod"},
    },
    "aws_sns_topic_subscription.s": {
        "id": SUBSCRIPTION,
        "arn": SUBSCRIPTION,
        "topic_arn": TOPIC,
        "protocol": "sqs",
        "endpoint": "arn:aws:sqs:us-east-1:123456789012:q",
        "raw_message_delivery": False,
    },
    "aws_sns_platform_application.a": {"id": "arn:app", "arn": "arn:app", "platform_credential": "secret"},
    "aws_sns_sms_preferences.s": {"id": "aws_sns_sms_id", "monthly_spend_limit": "1"},
}


def attribute(name: str, value: str | None, **where: str) -> dict[str, Any]:
    return {**(where or {"topicArn": TOPIC}), "attributeName": name, "attributeValue": value}


CASES: list[tuple[Call, list[Change]]] = [
    (
        ("SetTopicAttributes", attribute("DisplayName", "x")),
        [("aws_sns_topic.t", "display_name", "alerts", "x")],
    ),
    (("SetTopicAttributes", attribute("DisplayName", None)), [("aws_sns_topic.t", "display_name", "alerts", "")]),
    (("SetTopicAttributes", attribute("DisplayName", "alerts")), []),
    (
        ("SetTopicAttributes", attribute("HTTPSuccessFeedbackRoleArn", "arn:r")),
        [("aws_sns_topic.t", "http_success_feedback_role_arn", None, "arn:r")],
    ),
    (
        ("SetTopicAttributes", attribute("SQSSuccessFeedbackSampleRate", "50")),
        [("aws_sns_topic.t", "sqs_success_feedback_sample_rate", None, "50")],
    ),
    (("SetTopicAttributes", attribute("NoSuchAttribute", "x")), []),
    (
        (
            "AddPermission",
            {"topicArn": TOPIC, "label": "l", "aWSAccountId": ["999999999999"], "actionName": ["Publish"]},
        ),
        [("aws_sns_topic.t", "policy", "", {"Version": "2012-10-17", "Statement": [STATEMENT]})],
    ),
    (("RemovePermission", {"topicArn": TOPIC, "label": "l"}), []),
    (
        ("SetSubscriptionAttributes", attribute("RawMessageDelivery", "true", subscriptionArn=SUBSCRIPTION)),
        [("aws_sns_topic_subscription.s", "raw_message_delivery", "false", "true")],
    ),
    (("Unsubscribe", {"subscriptionArn": SUBSCRIPTION}), [("aws_sns_topic_subscription.s",)]),
    (
        (
            "Subscribe",
            {"topicArn": TOPIC, "protocol": "email", "endpoint": "REDACTED"},
            {"subscriptionArn": "pending confirmation"},
        ),
        [("unmanaged", "aws_sns_topic_subscription", TOPIC)],
    ),
    (
        ("TagResource", {"resourceArn": TOPIC, "tags": [{"key": "A", "value": "b"}]}),
        [("aws_sns_topic.t", "tags.A", None, "b"), ("aws_sns_topic.t", "tags_all.A", None, "b")],
    ),
    (("DeleteTopic", {"topicArn": TOPIC}), [("aws_sns_topic.t",), ("aws_sns_topic_subscription.s",)]),
    (
        ("SetSMSAttributes", {"attributes": {"MonthlySpendLimit": "9", "DeliveryStatusIAMRole": "arn:r"}}),
        [
            ("aws_sns_sms_preferences.s", "delivery_status_iam_role_arn", None, "arn:r"),
            ("aws_sns_sms_preferences.s", "monthly_spend_limit", "1", "9"),
        ],
    ),
    (
        (
            "SetPlatformApplicationAttributes",
            {
                "platformApplicationArn": "arn:app",
                "attributes": {"PlatformCredential": "x", "EventEndpointCreated": "t"},
            },
        ),
        [("aws_sns_platform_application.a", "event_endpoint_created_topic_arn", None, "t")],
    ),
    (("CreateTopic", {"name": "n"}, {"topicArn": "arn:n"}), [("unmanaged", "aws_sns_topic", "arn:n")]),
    (("CreateTopic", {"name": "t"}, {"topicArn": TOPIC}), []),
    (("Publish", {"topicArn": TOPIC}), []),
]


@pytest.mark.parametrize(("made", "expected"), CASES, ids=lambda part: part[0] if isinstance(part, tuple) else "")
def test_call(made: Call, expected: list[Change]) -> None:
    assert changes("sns", RESOURCES, made) == expected


def test_policy_in_the_topic_and_apart() -> None:
    resources = {**RESOURCES, "aws_sns_topic_policy.t": {"id": TOPIC, "arn": TOPIC, "policy": '{"Statement":[]}'}}
    made = changes("sns", resources, ("SetTopicAttributes", attribute("Policy", '{"Statement":[{"Sid":"x"}]}')))
    assert [change[:2] for change in made] == [("aws_sns_topic.t", "policy"), ("aws_sns_topic_policy.t", "policy")]


def test_topic_made_anew_under_its_name() -> None:
    calls: list[Call] = [("DeleteTopic", {"topicArn": TOPIC}), ("CreateTopic", {"name": "t"}, {"topicArn": TOPIC})]
    assert changes("sns", RESOURCES, *calls) == [
        ("aws_sns_topic.t", "display_name", "alerts", ""),
        ("aws_sns_topic.t", "tags.Env", "prod", None),
        ("aws_sns_topic.t", "tags_all.Env", "prod", None),
        ("aws_sns_topic_subscription.s",),
    ]


def test_last_statement_removed() -> None:
    resources = {"aws_sns_topic.t": {**RESOURCES["aws_sns_topic.t"], "policy": json.dumps({"Statement": [STATEMENT]})}}
    assert changes("sns", resources, ("RemovePermission", {"topicArn": TOPIC, "label": STATEMENT["Sid"]})) == [
        ("aws_sns_topic.t", "policy", {"Statement": [STATEMENT]}, {"Statement": []})
    ]
