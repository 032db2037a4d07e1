"""What CloudFront calls change; UpdateDistribution carries the whole configuration."""

import copy
from typing import Any

import pytest

from tests.drift.replayed import Call, Change, changes

ARN = "arn:aws:cloudfront::123456789012:distribution/E1"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
BEHAVIOR = {
    "allowed_methods": ["GET", "HEAD"],
    "cache_policy_id": "",
    "cached_methods": ["GET", "HEAD"],
    "compress": False,
    "default_ttl": 3600,
    "forwarded_values": [
        {
            "cookies": [{"forward": "none", "whitelisted_names": []}],
            "headers": [],
            "query_string": False,
            "query_string_cache_keys": [],
        }
    ],
    "lambda_function_association": [],
    "max_ttl": 86400,
    "min_ttl": 0,
    "target_origin_id": "s3",
    "trusted_signers": [],
    "viewer_protocol_policy": "redirect-to-https",
}
ORIGIN = {
    "custom_header": [],
    "custom_origin_config": [],
    "domain_name": "b.s3.amazonaws.com",
    "origin_id": "s3",
    "origin_path": "",
    "s3_origin_config": [{"origin_access_identity": "origin-access-identity/cloudfront/E2"}],
}
RESOURCES: dict[str, dict[str, Any]] = {
    "aws_cloudfront_distribution.d": {
        "id": "E1",
        "arn": ARN,
        "aliases": [],
        "comment": "site",
        "custom_error_response": [],
        "default_cache_behavior": [BEHAVIOR],
        "default_root_object": "index.html",
        "enabled": True,
        "http_version": "http2",
        "is_ipv6_enabled": False,
        "logging_config": [],
        "ordered_cache_behavior": [],
        "origin": [ORIGIN],
        "origin_group": [],
        "price_class": "PriceClass_100",
        "restrictions": [{"geo_restriction": [{"locations": [], "restriction_type": "none"}]}],
        "tags": {"Name": "d"},
        "tags_all": {"Name": "d"},
        "viewer_certificate": [
            {
                "acm_certificate_arn": "",
                "cloudfront_default_certificate": True,
                "iam_certificate_id": "",
                "minimum_protocol_version": "TLSv1",
                "ssl_support_method": "",
            }
        ],
        "web_acl_id": "",
    },
    "aws_cloudfront_public_key.k": {"id": "K1", "name": "k", "comment": ""},
    "aws_cloudfront_function.f": {"id": "f", "name": "f", "runtime": "cloudfront-js-1.0", "code": "x"},
    "aws_cloudfront_cache_policy.c": {
        "id": "P1",
        "name": "c",
        "default_ttl": 50,
        "parameters_in_cache_key_and_forwarded_to_origin": [
            {
                "cookies_config": [{"cookie_behavior": "none", "cookies": []}],
                "enable_accept_encoding_brotli": False,
                "enable_accept_encoding_gzip": False,
                "headers_config": [{"header_behavior": "whitelist", "headers": [{"items": ["a"]}]}],
                "query_strings_config": [{"query_string_behavior": "none", "query_strings": []}],
            }
        ],
    },
}
NONE: dict[str, Any] = {"quantity": 0}
CONFIG: dict[str, Any] = {
    "callerReference": "c",
    "aliases": NONE,
    "defaultRootObject": "index.html",
    "origins": {
        "quantity": 1,
        "items": [
            {
                "id": "s3",
                "domainName": "b.s3.amazonaws.com",
                "originPath": "",
                "customHeaders": NONE,
                "s3OriginConfig": {"originAccessIdentity": "origin-access-identity/cloudfront/E2"},
                "connectionAttempts": 3,
                "originShield": {"enabled": False},
            }
        ],
    },
    "originGroups": NONE,
    "defaultCacheBehavior": {
        "targetOriginId": "s3",
        "trustedSigners": {"enabled": False, "quantity": 0},
        "viewerProtocolPolicy": "redirect-to-https",
        "allowedMethods": {
            "quantity": 2,
            "items": ["HEAD", "GET"],
            "cachedMethods": {"quantity": 2, "items": ["HEAD", "GET"]},
        },
        "compress": False,
        "lambdaFunctionAssociations": NONE,
        "forwardedValues": {"queryString": False, "cookies": {"forward": "none"}, "headers": NONE},
        "minTTL": 0,
        "defaultTTL": 3600,
        "maxTTL": 86400,
    },
    "cacheBehaviors": NONE,
    "customErrorResponses": NONE,
    "comment": HIDDEN,
    "logging": {"enabled": False, "includeCookies": False, "bucket": "", "prefix": ""},
    "priceClass": "PriceClass_100",
    "enabled": True,
    "viewerCertificate": {
        "cloudFrontDefaultCertificate": True,
        "sSLSupportMethod": "vip",
        "minimumProtocolVersion": "TLSv1",
    },
    "restrictions": {"geoRestriction": {"restrictionType": "none", "quantity": 0}},
    "webACLId": "",
    "httpVersion": "HTTP2",
    "isIPV6Enabled": False,
}
D = "aws_cloudfront_distribution.d"


def update(**changed: Any) -> Call:
    """The call with members of the configuration replaced, ``a__b`` for one inside another."""
    config = copy.deepcopy(CONFIG)
    for path, value in changed.items():
        *outer, last = path.split("__")
        member = config
        for name in outer:
            member = member[name]
        member[last] = value
    return "UpdateDistribution", {"id": "E1", "ifMatch": "E", "distributionConfig": config}


CASES: dict[str, tuple[Call, list[Change]]] = {
    "nothing changed": (update(), []),
    "alias": (
        update(aliases={"quantity": 1, "items": ["www.example.com"]}),
        [(D, "aliases", [], ["www.example.com"])],
    ),
    "switched off": (update(enabled=False), [(D, "enabled", "true", "false")]),
    "member of the default behavior": (
        update(defaultCacheBehavior__viewerProtocolPolicy="allow-all"),
        [(D, "default_cache_behavior[0].viewer_protocol_policy", "redirect-to-https", "allow-all")],
    ),
    "a policy takes the place of forwarded values": (
        update(defaultCacheBehavior__forwardedValues=None, defaultCacheBehavior__cachePolicyId="P1"),
        [
            (D, "default_cache_behavior[0].cache_policy_id", "", "P1"),
            (D, "default_cache_behavior[0].forwarded_values", BEHAVIOR["forwarded_values"], []),
        ],
    ),
    "headers that are forwarded": (
        update(defaultCacheBehavior__forwardedValues__headers={"quantity": 1, "items": ["Host"]}),
        [(D, "default_cache_behavior[0].forwarded_values[0].headers", [], ["Host"])],
    ),
    "origin": (
        update(origins={"quantity": 1, "items": [{**CONFIG["origins"]["items"][0], "domainName": "evil.example.net"}]}),
        [(D, "origin", [ORIGIN], [{**ORIGIN, "domain_name": "evil.example.net"}])],
    ),
    "logging": (
        update(logging={"enabled": True, "includeCookies": False, "bucket": "l.s3.amazonaws.com", "prefix": "x"}),
        [
            (
                D,
                "logging_config",
                [],
                [{"bucket": "l.s3.amazonaws.com", "include_cookies": False, "prefix": "x"}],
            )
        ],
    ),
    "countries": (
        update(
            restrictions={"geoRestriction": {"restrictionType": "blacklist", "quantity": 1, "items": ["DE"]}},
        ),
        [
            (D, "restrictions[0].geo_restriction[0].locations", [], ["DE"]),
            (D, "restrictions[0].geo_restriction[0].restriction_type", "none", "blacklist"),
        ],
    ),
    "certificate": (
        update(
            viewerCertificate={
                "cloudFrontDefaultCertificate": False,
                "aCMCertificateArn": "arn:c",
                "sSLSupportMethod": "sni-only",
                "minimumProtocolVersion": "TLSv1.2_2021",
            }
        ),
        [
            (D, "viewer_certificate[0].acm_certificate_arn", "", "arn:c"),
            (D, "viewer_certificate[0].cloudfront_default_certificate", "true", "false"),
            (D, "viewer_certificate[0].minimum_protocol_version", "TLSv1", "TLSv1.2_2021"),
            (D, "viewer_certificate[0].ssl_support_method", "", "sni-only"),
        ],
    ),
    "comment where it is logged": (update(comment="x"), [(D, "comment", "site", "x")]),
    "firewall": (update(webACLId="arn:w"), [(D, "web_acl_id", "", "arn:w")]),
    "firewall by its own call": (
        ("AssociateDistributionWebACL", {"id": "E1", "webACLArn": "arn:w"}),
        [(D, "web_acl_id", "", "arn:w")],
    ),
    "tags": (
        ("TagResource", {"resource": ARN, "tags": {"items": [{"key": "WAF", "value": "Internal"}]}}),
        [(D, "tags.WAF", None, "Internal"), (D, "tags_all.WAF", None, "Internal")],
    ),
    "tags taken away": (
        ("UntagResource", {"resource": ARN, "tagKeys": {"items": ["Name"]}}),
        [(D, "tags.Name", "d", None), (D, "tags_all.Name", "d", None)],
    ),
    "deleted": (("DeleteDistribution", {"id": "E1", "ifMatch": "E"}), [(D,)]),
    "created": (
        ("CreateDistribution", {"distributionConfig": CONFIG}, {"distribution": {"id": "E9", "aRN": "arn:9"}}),
        [("unmanaged", "aws_cloudfront_distribution", "E9")],
    ),
    "comment of a key, the only thing that can change": (
        ("UpdatePublicKey", {"id": "K1", "publicKeyConfig": {"name": "k", "comment": HIDDEN}}),
        [("aws_cloudfront_public_key.k", "comment", "", "(unknown)")],
    ),
    "function, by its versioned name": (
        (
            "UpdateFunction2020_05_31",
            {
                "name": "f",
                "functionCode": HIDDEN,
                "functionConfig": {"comment": HIDDEN, "runtime": "cloudfront-js-2.0"},
            },
        ),
        [
            ("aws_cloudfront_function.f", "code", "x", "(unknown)"),
            ("aws_cloudfront_function.f", "runtime", "cloudfront-js-1.0", "cloudfront-js-2.0"),
        ],
    ),
    "cache policy": (
        (
            "UpdateCachePolicy",
            {
                "id": "P1",
                "cachePolicyConfig": {
                    "name": "c",
                    "defaultTTL": 60,
                    "parametersInCacheKeyAndForwardedToOrigin": {
                        "enableAcceptEncodingGzip": False,
                        "cookiesConfig": {"cookieBehavior": "none"},
                        "headersConfig": {"headerBehavior": "whitelist", "headers": {"quantity": 1, "items": ["b"]}},
                        "queryStringsConfig": {"queryStringBehavior": "none"},
                    },
                },
            },
        ),
        [
            ("aws_cloudfront_cache_policy.c", "default_ttl", "50", "60"),
            (
                "aws_cloudfront_cache_policy.c",
                "parameters_in_cache_key_and_forwarded_to_origin[0].headers_config[0].headers[0].items",
                ["a"],
                ["b"],
            ),
        ],
    ),
    "invalidation": (("CreateInvalidation", {"distributionId": "E1"}), []),
}


@pytest.mark.parametrize(("made", "expected"), CASES.values(), ids=CASES)
def test_call(made: Call, expected: list[Change]) -> None:
    assert changes("cloudfront", RESOURCES, made) == expected


def test_state_of_a_provider_between_the_schemas() -> None:
    """Provider 3.70 knows attempts of an origin, and nothing newer at the top of the resource."""
    resources = copy.deepcopy(RESOURCES)
    resources[D]["origin"][0].update(connection_attempts=3, connection_timeout=10, origin_shield=[])
    origin = {**CONFIG["origins"]["items"][0], "connectionTimeout": 10}
    assert changes("cloudfront", resources, update(origins={"quantity": 1, "items": [origin]})) == []
    slower = {**origin, "connectionTimeout": 5}
    (change,) = changes("cloudfront", resources, update(origins={"quantity": 1, "items": [slower]}))
    assert change[:2] == (D, "origin")
    assert change[3] == [{**resources[D]["origin"][0], "connection_timeout": 5}]
