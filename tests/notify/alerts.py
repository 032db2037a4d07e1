"""Alerts as Falco prints them."""

import json
from typing import Any


def line(priority: str = "Critical", **fields: Any) -> str:
    """One line of Falco's JSON output."""
    values = {
        "drift.resource": "aws_security_group.web",
        "tf.type": "aws_security_group",
        "drift.kind": "modified",
        "drift.path": "ingress",
        "drift.old_value": None,
        "drift.new_value": None,
        "drift.added": ['{"cidr_blocks":["0.0.0.0/0"],"from_port":22}'],
        "drift.removed": None,
        "drift.user": "dev-taro",
        "drift.user.type": "IAMUser",
        "drift.srcip": "198.51.100.24",
        "drift.console": False,
        "drift.mfa": None,
        "drift.hint": "Undo: terraform apply -target=aws_security_group.web. Keep: set ingress in network/main.tf:43.",
        "drift.id": "d1",
        "drift.link": "https://console.aws.amazon.com/cloudtrailv2/home?region=eu-central-1#/events/8e2d1c7b",
        "cloud.account": "111122223333",
        "cloud.region": "eu-central-1",
        "cloud.service": "ec2",
        "ct.name": "AuthorizeSecurityGroupIngress",
        "ct.id": "8e2d1c7b-4a5f-4b3e-9c6d-0f1a2b3c4d5e",
        "ct.time": "2026-03-17T10:06:02Z",
        **fields,
    }
    return json.dumps(
        {
            "hostname": "falco",
            "output": "10:06:02.000000000: Critical Security group opened to the world",
            "output_fields": values,
            "priority": priority,
            "rule": "Security group opened to the world",
            "source": "tfdrift",
            "tags": ["T1562.007", "aws", "tfdrift"],
            "time": "2026-03-17T10:06:02.000000000Z",
        }
    )
