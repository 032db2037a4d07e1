"""How the form of an import's name is read from the provider's pages: what is sure, and what is left out."""

import os
from pathlib import Path

import pytest

from tests.real.parts import MissingPartError
from tfdrift_core.drift.compare.schema import schema_for
from tfdrift_core.drift.present.imports import templates
from tools.imports.__main__ import TARGET, content, examples, pages, template


def page(words: str, *ids: str) -> str:
    blocks = "".join(f'```terraform\nimport {{\n  to = aws_x.y\n  id = "{id}"\n}}\n```\n' for id in ids)
    return f"## Import\n\nIn Terraform v1.5.0 and later, use a block to import {words}. For example:\n\n{blocks}"


@pytest.mark.parametrize(
    ("type", "words", "ids", "found"),
    [
        ("aws_nat_gateway", "NAT Gateways using the `id`", ["nat-05dba92075d71c408"], "{id}"),
        ("aws_s3_bucket_policy", "bucket policies using the bucket name", ["my-bucket"], "{bucket}"),
        ("aws_sns_topic", "topics using the topic `arn`", ["arn:aws:sns:us-west-2:1:t"], "{arn}"),
        ("aws_acm_certificate", "certificates using their ARN", ["arn:aws:acm:x:1:certificate/7"], "{arn}"),
        ("aws_eks_addon", "add-ons using the `cluster_name` and `addon_name` separated by a colon (`:`)", ["c:a"],
         "{cluster_name}:{addon_name}"),
        ("aws_amplify_domain_association", "it using `app_id` and `domain_name`", ["d2yp/example.com"],
         "{app_id}/{domain_name}"),
        ("aws_wafv2_web_acl_association", "it using `WEB_ACL_ARN,RESOURCE_ARN`", ["arn:aws:w:...a,arn:aws:g:...b"],
         "{web_acl_arn},{resource_arn}"),
        ("aws_quicksight_group", "Groups using the aws account id, namespace and group name", ["1/d/t"],
         "{aws_account_id}/{namespace}/{group_name}"),
        ("aws_apigatewayv2_route", "`aws_apigatewayv2_route` using the API identifier and route identifier", ["a1/22"],
         "{api_id}/{id}"),
        ("aws_ec2_transit_gateway_vpc_attachment", "it using the EC2 Transit Gateway Attachment identifier",
         ["tgw-attach-12345678"], "{id}"),
        ("aws_vpc_dhcp_options_association", "them using the VPC ID associated with the options", ["vpc-0"], ""),
        # Not sure: which ids, how many parts, what stands between them, or another form.
        ("aws_nat_gateway", "NAT Gateways using the `id`", [], ""),
        ("aws_internet_gateway_attachment", "Attachments using the `id`", ["igw-c0a643a9:vpc-123456"], ""),
        ("aws_cognito_managed_user_pool_client", "Clients using the `id` of the pool and the `id`", ["a/b"], ""),
        ("aws_eks_addon", "add-ons using the `cluster_name` and `addon_name` separated by a colon (`:`)", ["c/a"], ""),
        ("aws_eks_addon", "add-ons using the `cluster_name` and `addon_name`", ["c:a/b"], ""),
        ("aws_eks_addon", "add-ons using the `cluster_name` and `addon_name`", ["c:a", "c"], ""),
        ("aws_route", "routes using `ROUTETABLEID_DESTINATION`", ["rtb-1_10.0.0.0/16"], ""),
        ("aws_no_such_type", "it using the `id`", ["x-1"], ""),
    ],
)  # fmt: skip
def test_words_examples_and_schema_have_to_agree(type: str, words: str, ids: list[str], found: str) -> None:
    assert template(type, page(words, *ids)) == found


def test_every_name_is_an_attribute() -> None:
    for type, text in templates().items():
        block = schema_for(type)
        assert block is not None
        for name in text.replace("}", "{").split("{")[1::2]:
            assert name in block.attributes, type


def _provider() -> Path:
    if not (given := os.environ.get("TFDRIFT_PROVIDER", "")):
        raise MissingPartError("TFDRIFT_PROVIDER names no checkout of the AWS provider", "git clone", required=False)
    return Path(given)


def test_the_file_is_what_the_program_writes() -> None:
    assert TARGET.read_text(encoding="utf-8") == content(_provider())


def test_every_example_of_the_pages_has_the_form() -> None:
    known = templates()
    for type, text in pages(_provider()):
        if type in known and known[type].count("{") > 1:
            marks = known[type].replace("}", "{").split("{")[2:-1:2]
            for example in examples(text):
                assert all(mark in example for mark in marks), type
