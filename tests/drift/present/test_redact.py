"""No secret ever leaves: by name, by place, by form and by value."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.shared import corpus, least
from tfdrift_core.drift.compare.schema import Block, Node, resource_types, schema_for
from tfdrift_core.drift.present.redact import (
    SENSITIVE,
    Redactor,
    is_placeholder,
    secret_values,
    sensitive_attribute,
)


def redact_record(raw: Mapping[str, Any], secrets: Iterable[str] = ()) -> dict[str, Any]:
    return Redactor.of(secrets).record(raw)


def redact_value(type: str, path: str, value: Any, secrets: Iterable[str] = ()) -> Any:
    return Redactor.of(secrets).value(type, path, value)


def scrub(text: str, secrets: Iterable[str]) -> str:
    return Redactor.of(secrets).scrub(text)


PLANTED = "Pl4nted-s3cret/+=%"


def call(event: str, request: Any = None, response: Any = None, **more: Any) -> dict[str, Any]:
    service, _, name = event.partition(":")
    return {
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "userIdentity": {"type": "IAMUser", "accessKeyId": "AKIAEXAMPLE", "userName": "alice"},
        "requestParameters": request,
        "responseElements": response,
        **more,
    }


def gone(raw: dict[str, Any]) -> dict[str, Any]:
    shown = redact_record(raw)
    assert PLANTED not in json.dumps(shown)
    assert "Pl4nted" not in json.dumps(shown)
    return shown


@pytest.mark.parametrize(
    "raw",
    [
        call("rds:ModifyDBInstance", {"dBInstanceIdentifier": "db", "masterUserPassword": PLANTED}),
        call("rds:ModifyDBInstance", None, {"pendingModifiedValues": {"masterUserPassword": PLANTED}}),
        call("redshift:CreateCluster", {"masterUserPassword": PLANTED}),
        call("elasticache:ModifyReplicationGroup", {"authToken": PLANTED, "authTokenUpdateStrategy": "SET"}),
        call("secretsmanager:PutSecretValue", {"secretId": "s", "secretString": PLANTED}),
        call("secretsmanager:PutSecretValue", {"secretId": "s", "secretBinary": [1, PLANTED]}),
        call("ssm:PutParameter", {"name": "/app/mode", "value": PLANTED, "type": "String"}),
        call("ec2:RunInstances", {"userData": PLANTED}),
        call("ec2:ModifyInstanceAttribute", {"instanceId": "i-1", "userData": {"value": PLANTED}}),
        call("ec2:ModifyInstanceAttribute", {"instanceId": "i-1", "attribute": "userData", "value": PLANTED}),
        call("ec2:CreateLaunchTemplate", {"XRequest": {"LaunchTemplateData": {"UserData": PLANTED}}}),
        call("ec2:CreateKeyPair", {"keyName": "k"}, {"keyMaterial": PLANTED, "keyFingerprint": "aa:bb"}),
        call("ec2:CreateVpnConnection", None, {"vpnConnection": {"customerGatewayConfiguration": f"<x>{PLANTED}</x>"}}),
        call("ec2:ModifyVpnTunnelOptions", {"tunnelOptions": {"preSharedKey": PLANTED}}),
        call("lambda:UpdateFunctionConfiguration20150331v2", {"environment": {"variables": {"MODE": PLANTED}}}),
        call("lambda:UpdateFunctionConfiguration20150331v2", None, {"environment": {"variables": {"MODE": PLANTED}}}),
        call("ecs:RegisterTaskDefinition", {"containers": [{"environment": [{"name": "A", "value": PLANTED}]}]}),
        call("codebuild:CreateProject", {"environment": {"environmentVariables": [{"name": "A", "value": PLANTED}]}}),
        call("amplify:CreateApp", {"environmentVariables": {"A": PLANTED}, "oauthToken": PLANTED}),
        call("apprunner:CreateService", {"imageConfiguration": {"runtimeEnvironmentVariables": {"A": PLANTED}}}),
        call("sagemaker:CreateModel", {"primaryContainer": {"environment": {"my_key": PLANTED}}}),
        call("elasticbeanstalk:UpdateEnvironment", {"optionSettings": [
            {"namespace": "aws:elasticbeanstalk:application:environment", "optionName": "MODE", "value": PLANTED}]}),
        call("cloudformation:CreateStack", {"parameters": [{"parameterKey": "DBPassword", "parameterValue": PLANTED}]}),
        call("cloudfront:UpdateDistribution", {"distributionConfig": {"origins": {"items": [{"customHeaders": {
            "items": [{"headerName": "X-Origin-Verify", "headerValue": PLANTED}]}}]}}}),
        call("apigateway:CreateApiKey", {"createApiKeyInput": {"name": "k", "value": PLANTED}}, {"value": PLANTED}),
        call("apigateway:UpdateApiKey", None, {"id": "x", "value": PLANTED}),
        call("iam:CreateAccessKey", None, {"accessKey": {"accessKeyId": "AKIANEW", "secretAccessKey": PLANTED}}),
        call("iam:CreateLoginProfile", {"userName": "bob", "password": PLANTED}),
        call("iam:UploadServerCertificate", {"privateKey": PLANTED, "certificateBody": "public"}),
        call("iam:EnableMFADevice", {"authenticationCode1": PLANTED, "authenticationCode2": 123456}),
        call("iam:CreateVirtualMFADevice", None, {"device": {"base32StringSeed": PLANTED, "qRCodePNG": PLANTED}}),
        call("sts:AssumeRole", None, {"credentials": {"accessKeyId": "ASIA", "sessionToken": PLANTED}}),
        call("cognito-idp:CreateUserPoolClient", None, {"userPoolClient": {"clientSecret": PLANTED}}),
        call("cognito-idp:CreateIdentityProvider", {"providerDetails": {"client_id": "x", "client_secret": PLANTED}}),
        call("events:CreateConnection", {"authParameters": {"apiKeyAuthParameters": {"apiKeyName": "x",
            "apiKeyValue": PLANTED}, "basicAuthParameters": {"username": "u", "password": PLANTED}}}),
        call("glue:CreateConnection", {"connectionInput": {"connectionProperties": {"PASSWORD": PLANTED}}}),
        call("dms:CreateEndpoint", {"extraConnectionAttributes": f"a=b;password={quote(PLANTED, safe='')};c=d"}),
        call("firehose:CreateDeliveryStream", {"httpEndpointDestinationConfiguration": {"endpointConfiguration": {
            "accessKey": PLANTED}}}),
        call("sns:CreatePlatformApplication", {"attributes": {"PlatformCredential": PLANTED}}),
        call("s3:PutObject", {"x-amz-server-side-encryption-customer-key": PLANTED}),
        call("codepipeline:CreatePipeline", {"pipeline": {"stages": [{"configuration": {"OAuthToken": PLANTED}}]}}),
        call("mq:CreateBroker", {"users": [{"username": "u", "password": {"x": [PLANTED]}}]}),
        call("x:Y", {"body": json.dumps({"deep": json.dumps({"password": PLANTED})})}),
        call("x:Y", {"body": quote(json.dumps({"password": PLANTED}))}),
        call("x:Y", {"body": json.dumps({"password": PLANTED}) + "}"}),
        call("x:Y", {"body": f'{{"password": "{PLANTED}", "password": null}}'}),
        call("x:Y", {"note": f"-----BEGIN RSA PRIVATE KEY-----\n{PLANTED}\n-----END RSA PRIVATE KEY-----"}),
        call("x:Y", {"note": f"-----BEGIN PRIVATE KEY-----\n{PLANTED}"}),
        call("x:Y", {"url": "postgres://app:Pl4nted@db.example.com:5432/app"}),
        call("x:Y", {"url": "https://x.example.com/?X-Amz-Security-Token=Pl4nted&b=c"}),
        call("x:Y", {"headers": {"Authorization": "Bearer Pl4nted"}}),
        call("ecs:X", {"command": ["mysql", "--user", "app", "--password", PLANTED]}),
        call("ecs:X", {"command": ["sh", "-c", "export DB_PASSWORD=Pl4nted; app --api-token Pl4nted"]}),
        call("ecs:X", {"command": ["--password=Pl4nted"]}),
        call("x:Y", {"document": "main:\n  db_password: Pl4nted\n"}),
        call("x:Y", {"document": "<vpn><ike><pre_shared_key>Pl4nted</pre_shared_key></ike></vpn>"}),
        call("elasticloadbalancing:ModifyRule", {"conditions": [{"field": "http-header", "httpHeaderConfig": {
            "httpHeaderName": "X-Anything", "values": [PLANTED]}}]}),
        call("elasticloadbalancing:CreateRule", None, {"rules": [{"conditions": [{"httpHeaderConfig": {
            "httpHeaderName": "X-Anything", "values": [PLANTED]}}]}]}),
        call("x:Y", {"condition": {"httpHeaderName": "X-Anything", "values": [PLANTED]}}),
        call("wafv2:UpdateWebACL", {"rules": [{"statement": {"notStatement": {"statement": {"byteMatchStatement": {
            "searchString": PLANTED, "fieldToMatch": {"singleHeader": {"name": "x-anything"}}}}}}}]}),
        call("wafv2:UpdateWebACL", {"byteMatchStatement": {
            "searchString": PLANTED, "fieldToMatch": {"singleHeader": {"name": "authorization"}}}}),
        call("waf:UpdateByteMatchSet", {"updates": [{"byteMatchTuple": {
            "targetString": PLANTED, "fieldToMatch": {"type": "HEADER", "data": "x-anything"}}}]}),
        call("events:UpdateConnection", {"authParameters": {"invocationHttpParameters": {
            "headerParameters": [{"key": "a", "value": PLANTED, "isValueSecret": True}],
            "queryStringParameters": [{"key": "b", "value": PLANTED, "isValueSecret": True}],
            "bodyParameters": [{"key": "c", "value": PLANTED, "isValueSecret": True}]}}}),
        call("ecs:X", {"command": ["sh", "-c", "mysql -u root -pPl4nted app"]}),
        call("ecs:X", {"command": ["sh", "-c", "cd /tmp; sshpass -p Pl4nted ssh h"]}),
        call("ecs:X", {"command": ["sh", "-c", "redis-cli -h r -a Pl4nted ping"]}),
        call("ecs:X", {"command": ["sh", "-c", "curl -s -u app:Pl4nted https://example.com"]}),
        call("ecs:X", {"command": ["/usr/bin/mysqldump", "-uroot", "-pPl4nted", "app"]}),
        call("ecs:X", {"command": ["redis-cli", "-a", "Pl4nted", "ping"]}),
        call("sns:Subscribe", {"endpoint": "https://events.pagerduty.com/integration/Pl4nted/enqueue"}),
        call("sns:Subscribe", {"endpoint": "https://x.webhook.office.com/webhookb2/Pl4nted@a/IncomingWebhook/b/c"}),
        call("sns:Subscribe", {"endpoint": "https://outlook.office.com/webhook/Pl4nted/IncomingWebhook/b"}),
        call("sns:Subscribe", {"endpoint": "https://discord.com/api/webhooks/123/Pl4nted"}),
        call("sns:Subscribe", {"endpoint": "https://alert.victorops.com/integrations/generic/2/alert/Pl4nted/team"}),
        call("sns:Subscribe", {"endpoint": "https://api.telegram.org/bot12:Pl4nted/sendMessage"}),
        call("sns:Subscribe", {"endpoint": "https://chat.googleapis.com/v1/spaces/a/messages?key=Pl4nted&x=y"}),
        call("x:Y", {"dsn": "Server=db;Password=Pl4nted;Database=app"}),
        call("x:Y", {"webhook": "https://hooks.slack.com/services/Pl4nted/x"}),
        call("codebuild:UpdateProject", {"environmentVariablesOverride": [{"name": "A", "value": PLANTED}]}),
        call("directconnect:CreateBGPPeer", {"newBGPPeer": {"authKey": PLANTED}}),
        call("x:Y", {"note": "Authorization: Bearer Pl4nted.0123456789abc"}),
        call("x:Y", errorMessage="cannot connect with password=Pl4nted"),
        call("x:Y", additionalEventData={"sessionToken": PLANTED}, serviceEventDetails={"clientSecret": PLANTED}),
        call("x:Y", {"password": 123456789, "pass": 1} | {"db_password": PLANTED}),
        {"requestParameters": {"masterUserPassword": PLANTED}},
        {"eventSource": 7, "eventName": None, "requestParameters": [{"password": PLANTED}]},
    ],
    ids=lambda raw: f"{raw.get('eventName')}",
)  # fmt: skip
def test_planted_secret_is_gone(raw: dict[str, Any]) -> None:
    before = json.dumps(raw)
    gone(raw)
    assert json.dumps(raw) == before


def test_numbers_are_hidden_and_truth_values_are_not() -> None:
    shown = redact_record(
        call("x:Y", {"password": 123456, "manageMasterUserPassword": True, "masterUserPassword": None})
    )
    assert shown["requestParameters"] == {
        "password": SENSITIVE,
        "manageMasterUserPassword": True,
        "masterUserPassword": None,
    }


def test_names_and_structure_stay() -> None:
    shown = redact_record(
        call(
            "lambda:UpdateFunctionConfiguration20150331v2",
            {"functionName": "f", "environment": {"variables": {"MODE": "x", "DB": "y"}}},
        )
    )
    assert shown["requestParameters"] == {
        "functionName": "f",
        "environment": {"variables": {"MODE": SENSITIVE, "DB": SENSITIVE}},
    }
    project = {"environment": {"type": "LINUX", "image": "i", "environmentVariables": [{"name": "A", "value": "x"}]}}
    assert redact_record(call("codebuild:UpdateProject", project))["requestParameters"] == {
        "environment": {"type": "LINUX", "image": "i", "environmentVariables": [{"name": "A", "value": SENSITIVE}]}
    }


@pytest.mark.parametrize(
    "request_parameters",
    [
        {"nextToken": "abc", "clientToken": "abc", "clientRequestToken": "abc", "creationToken": "d-i5"},
        {"httpTokens": "required", "LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "optional"}}},
        {"secretId": "arn:aws:secretsmanager:us-east-1:1:secret:x", "secretArn": "arn", "keyId": "alias/x"},
        {"accessKeyId": "AKIAEXAMPLE", "keyName": "k", "keyFingerprint": "aa:bb", "publicKeyMaterial": "ssh-rsa AAAA"},
        {"generateSecret": True, "passwordResetRequired": False, "minimumPasswordLength": 12},
        {"parameters": [{"parameterName": "password_encryption", "parameterValue": "scram-sha-256"}]},
        {"tagSet": {"items": [{"key": "secret", "value": "no"}, {"key": "Environment", "value": "prod"}]}},
        {"tags": {"environment": "prod", "env": "dev", "Verify": "yes"}},
        {"environment": "prod", "environmentName": "staging", "environmentId": "e-1"},
        {"authorization": "AWS_IAM", "tokenValidityUnits": {"accessToken": "minutes"}},
        {"authorizationType": "NONE", "apiKeyRequired": False, "apiKeySource": "HEADER", "apiKeyId": "abc"},
        {"credentials": "arn:aws:iam::1:role/x", "encryptionKey": "arn:aws:kms:eu-west-1:1:key/x"},
        {"policyDocument": '{"Version": "2012-10-17", "Statement": [{"Action": "secretsmanager:GetSecretValue"}]}'},
        {"conditions": [{"httpHeaderConfig": {"httpHeaderName": "User-Agent", "values": ["Mozilla*"]}}]},
        {"statement": {"searchString": "bot", "fieldToMatch": {"singleHeader": {"name": "user-agent"}}}},
        {"statement": {"searchString": "/admin", "fieldToMatch": {"uriPath": {}}}},
        {"headers": [{"headerName": "X-Forwarded-Proto", "headerValue": "https"}]},
        {"headerParameters": [{"key": "a", "value": "plain", "isValueSecret": False}]},
        {"command": ["nginx", "-p", "/etc/nginx"], "entryPoint": ["sh", "-c", "docker run -p 8080:80 x; ls -a"]},
        {"endpoint": "https://example.pagerduty.com/incidents/PABC123"},
        {"command": ["--user", "app", "--verbose"], "description": "password: minimum length\nis a policy"},
        {"description": "Basic infrastructure monitoring", "url": "https://example.com:8443/a?b=c"},
        {"changes": [{"resourceRecordSet": {"name": "a.example.com", "resourceRecords": [{"value": "1.2.3.4"}]}}]},
        {"attributes": {"KmsMasterKeyId": "alias/x", "VisibilityTimeout": "30"}},
        {"secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm:eu-west-1:1:parameter/x"}]},
        {"masterUserPassword": "****", "userData": "<sensitiveDataRemoved>", "environmentVariables": "***"},
    ],
)  # fmt: skip
def test_what_is_no_secret_is_shown(request_parameters: dict[str, Any]) -> None:
    assert redact_record(call("x:Y", request_parameters))["requestParameters"] == request_parameters


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("****", True),
        ("***", True),
        ("HIDDEN_DUE_TO_SECURITY_REASONS", True),
        ("<sensitiveDataRemoved>", True),
        ("Value hidden due to security reasons.", True),
        (SENSITIVE, True),
        ("(sensitive value)", True),
        ("*", False),
        ("a****", False),
        ("", False),
        (None, False),
        (7, False),
        ("x" * 100_000, False),
    ],
)
def test_placeholders(value: Any, expected: bool) -> None:
    assert is_placeholder(value) is expected


@pytest.mark.parametrize(
    ("type", "path"),
    [
        ("aws_db_instance", "password"),
        ("aws_db_instance", "password_wo"),
        ("aws_rds_cluster", "master_password"),
        ("aws_elasticache_replication_group", "auth_token"),
        ("aws_instance", "user_data"),
        ("aws_instance", "user_data_base64"),
        ("aws_launch_template", "user_data"),
        ("aws_secretsmanager_secret_version", "secret_string"),
        ("aws_secretsmanager_secret_version", "secret_binary"),
        ("aws_ssm_parameter", "value"),
        ("aws_api_gateway_api_key", "value"),
        ("aws_lambda_function", "environment"),
        ("aws_lambda_function", "environment[0].variables"),
        ("aws_lambda_function", 'environment[0].variables["MODE"]'),
        ("aws_lambda_function", ("environment", 0, "variables", "MODE")),
        ("aws_codebuild_project", "environment[0].environment_variable[1].value"),
        ("aws_amplify_app", "environment_variables"),
        ("aws_acm_certificate", "private_key"),
        ("aws_iam_access_key", "secret"),
        ("aws_iam_access_key", "ses_smtp_password_v4"),
        ("aws_vpn_connection", "tunnel1_preshared_key"),
        ("aws_vpn_connection", "customer_gateway_configuration"),
        ("aws_mq_broker", "user[0].password"),
        ("aws_cloudwatch_event_connection", "auth_parameters[0].api_key[0].value"),
        ("aws_cognito_identity_provider", "provider_details.client_secret"),
        ("aws_cognito_user_pool_client", "client_secret"),
        ("aws_lb_listener", "default_action[0].authenticate_oidc[0].client_secret"),
        ("aws_codepipeline", "stage[0].action[0].configuration.OAuthToken"),
        ("aws_cloudfront_distribution", "origin[0].custom_header[0].value"),
        ("aws_mwaa_environment", "airflow_configuration_options"),
        ("aws_kinesis_firehose_delivery_stream", "http_endpoint_configuration[0].access_key"),
    ],
)
def test_sensitive_attributes(type: str, path: Any) -> None:
    assert sensitive_attribute(type, path)
    assert redact_value(type, path, PLANTED) == SENSITIVE


@pytest.mark.parametrize(
    ("type", "path"),
    [
        ("aws_instance", "instance_type"),
        ("aws_instance", "tags.Environment"),
        ("aws_instance", "user_data_replace_on_change"),
        ("aws_instance", "metadata_options[0].http_tokens"),
        ("aws_instance", "get_password_data"),
        ("aws_db_instance", "manage_master_user_password"),
        ("aws_db_instance", "password_wo_version"),
        ("aws_efs_file_system", "creation_token"),
        ("aws_iam_account_password_policy", "minimum_password_length"),
        ("aws_iam_account_password_policy", "allow_users_to_change_password"),
        ("aws_codebuild_project", "environment[0].image"),
        ("aws_codebuild_project", "encryption_key"),
        ("aws_api_gateway_integration", "credentials"),
        ("aws_key_pair", "public_key"),
        ("aws_s3_bucket", "policy"),
        ("aws_cognito_user_pool_client", "generate_secret"),
        ("aws_ssm_parameter", "type"),
        ("aws_apigatewayv2_stage", "stage_variables"),
        ("aws_api_gateway_method", "authorization"),
        ("aws_cognito_user_pool_client", "token_validity_units[0].access_token"),
        ("aws_rds_cluster", "master_user_secret[0].secret_arn"),
        ("aws_db_proxy", "auth[0].secret_arn"),
        ("aws_ses_domain_identity", "verification_token"),
    ],
)
def test_attributes_that_are_shown(type: str, path: str) -> None:
    assert not sensitive_attribute(type, path)
    assert redact_value(type, path, "plain") == "plain"


def attributes_of_the_provider() -> Iterator[tuple[str, tuple[str, ...], Node]]:
    """Every attribute without attributes below it, of every resource type."""

    def below(block: Block, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
        for name, node in block.attributes.items():
            if node.nested is None:
                yield (*path, name), node
            else:
                yield from below(node.nested, (*path, name))

    for type in sorted(resource_types()):
        block = schema_for(type)
        assert block is not None
        for path, node in below(block, ()):
            yield type, path, node


# Names that say nothing; the provider's schema, which is asked as well, hides them.
UNTOLD = {
    "bundle_id", "certificate", "certificate_pem", "certificate_wallet", "client_id", "client_id_wo", "input",
    "kms_encryption_context", "kms_key_id", "payload", "platform_principal", "public_key", "resource", "ssh_key",
    "team_id", "token_key_id",
}  # fmt: skip


def test_names_tell_what_the_provider_calls_sensitive() -> None:
    told, missed = 0, set()
    for type, path, node in attributes_of_the_provider():
        flagged = sensitive_attribute(type, path)
        if node.kind in ("bool", "number"):
            assert not flagged, (type, path)
        elif node.sensitive:
            told += flagged
            missed |= set() if flagged else {path[-1]}
    assert told > 100
    assert missed <= UNTOLD


def test_values_are_hidden_in_parts() -> None:
    container = [{"name": "app", "image": "i:2", "environment": [{"name": "A", "value": PLANTED}]}]
    shown = redact_value("aws_ecs_task_definition", "container_definitions", json.dumps(container))
    assert json.loads(shown) == [{"name": "app", "image": "i:2", "environment": [{"name": "A", "value": SENSITIVE}]}]
    block = [{"variables": {"MODE": PLANTED}}]
    assert redact_value("aws_lambda_function", "environment", block) == [{"variables": {"MODE": SENSITIVE}}]
    headers = [{"custom_header": [{"name": "X-Origin-Verify", "value": PLANTED}, {"name": "X-Env", "value": "prod"}]}]
    assert redact_value("aws_x", "origin", headers) == [
        {"custom_header": [{"name": "X-Origin-Verify", "value": SENSITIVE}, {"name": "X-Env", "value": "prod"}]}
    ]
    assert redact_value("aws_instance", "user_data", None) is None
    assert redact_value("aws_db_instance", "password", "****") == "****"
    assert redact_value("aws_instance", "instance_type", "t3.micro") == "t3.micro"
    assert redact_value("aws_instance", "tags", {"environment": "prod"}) == {"environment": "prod"}
    assert redact_value("aws_instance", "ami", f"x{PLANTED}", [PLANTED]) == f"x{SENSITIVE}"


class TestScrub:
    @pytest.mark.parametrize(
        "secret", ["hunter2-hunter2", 'qu"ote\\back', "line\nbreak-x", "pa ss/wo=rd%", "pässwörd€", "x" * 5000]
    )
    def test_every_spelling(self, secret: str) -> None:
        spellings = [
            secret,
            json.dumps({"a": secret}),
            json.dumps({"a": secret}, ensure_ascii=False),
            quote(secret, safe=""),
            base64.b64encode(secret.encode()).decode(),
            f"before{secret}after{secret}",
        ]
        for text in spellings:
            shown = scrub(text, [secret])
            assert secret not in shown
            assert json.dumps(secret)[1:-1] not in shown
            assert SENSITIVE in shown

    def test_short_secrets_and_placeholders_are_left_alone(self) -> None:
        assert scrub("a db of 12345", ["db", "12345", "", "****", "sensitive"]) == "a db of 12345"

    def test_the_longer_secret_goes_first(self) -> None:
        assert scrub("secret-and-more", ["secret", "secret-and-more"]) == SENSITIVE

    def test_known_secrets_leave_the_record(self) -> None:
        raw = call("ec2:CreateTags", {"tagSet": {"items": [{"key": "note", "value": f"it is {PLANTED}"}], PLANTED: 1}})
        raw["userAgent"] = f"tool/1 {PLANTED}"
        assert PLANTED not in json.dumps(redact_record(raw, [PLANTED]))

    def test_a_redactor_does_not_print_its_secrets(self) -> None:
        assert PLANTED not in repr(Redactor.of([PLANTED]))


def test_secrets_of_a_resource() -> None:
    attributes = {
        "id": "db-1",
        "username": "administrator",
        "password": "hunter2-hunter2",
        "other": {"marked": "marked-secret"},
        "user": [{"password": "user-password"}],
        "environment": [{"variables": {"MODE": "production", "API_KEY": "key-0123456789"}}],
        "secret_string": json.dumps({"username": "service", "password": "inner-password"}),
        "master_password": "****",
        "tags": {"Environment": "production"},
    }
    found = secret_values("aws_db_instance", attributes, [("other", "marked")])
    assert found == {
        "hunter2-hunter2",
        "marked-secret",
        "user-password",
        "key-0123456789",
        attributes["secret_string"],
        "inner-password",
    }
    indexed = secret_values("aws_x", {"block": [{"a": "aaaaaaa"}, {"a": "bbbbbbb"}]}, [("block", 1, "a")])
    assert indexed == {"bbbbbbb"}
    assert secret_values("aws_x", {"block": [{"a": "aaaaaaa"}]}, [("block", "a")]) == {"aaaaaaa"}
    whole = secret_values("aws_x", {"block": [{"a": "aaaaaaa", "b": ["bbbbbbb"]}]}, [("block",)])
    assert whole == {"aaaaaaa", "bbbbbbb"}


def nested(levels: int, value: Any) -> Any:
    for n in range(levels):
        value = {"a": value} if n % 2 else [value]
    return value


def test_deep_records_end() -> None:
    shown = redact_record({"requestParameters": nested(900, PLANTED), "eventName": "x"})
    assert PLANTED not in json.dumps(shown)
    text: Any = {"password": PLANTED}
    for _ in range(12):
        text = json.dumps({"a": text})
    assert "Pl4nted" not in json.dumps(redact_record({"requestParameters": {"x": text}}))


@pytest.mark.parametrize("value", ['{"password": "\\ud800"}', "[" * 5000, "{" * 100, "%7B", '{"a": 1e999}', "\ud800[{"])
def test_strange_texts_pass(value: str) -> None:
    redact_record({"requestParameters": {"x": value}, "eventName": value})


def test_large_texts_pass() -> None:
    for text in ("a" * 1_000_000, "://" * 300_000, '"' * 500_000, "Bearer " * 100_000, "password=" * 100_000):
        redact_record({"requestParameters": {"x": text, text: "y"}})


SECRET_NAMES = [
    "password",
    "masterUserPassword",
    "secretString",
    "userData",
    "authToken",
    "privateKey",
    "client_secret",
]
KEYS = st.sampled_from(["a", "items", "value", "name", "tags", "environment", "x-y", "0", *SECRET_NAMES])
LEAVES = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "plain", "{}", "[1]", "****"])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3) | inner.map(json.dumps),
    max_leaves=8,
)
SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=12).map(
    lambda text: f"zQ7{text}7Qz"
)
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def contains(value: Any, secret: str) -> bool:
    """Whether a secret can still be read, through any layers of JSON text."""
    if isinstance(value, str):
        try:
            inner = json.loads(value)
        except ValueError:
            inner = None
        return secret in value or (isinstance(inner, dict | list | str) and inner != value and contains(inner, secret))
    if isinstance(value, dict):
        return any(contains(k, secret) or contains(v, secret) for k, v in value.items())
    return isinstance(value, list) and any(contains(item, secret) for item in value)


@QUIET
@given(TREES, SECRETS, st.sampled_from(SECRET_NAMES), st.lists(st.sampled_from("dljx"), max_size=5))
def test_a_planted_secret_never_stays(tree: Any, secret: str, name: str, wraps: list[str]) -> None:
    value: Any = {name: secret, "beside": tree}
    for wrap in wraps:
        match wrap:
            case "d":
                value = {"a": value, "b": tree}
            case "l":
                value = [tree, value]
            case "x":
                value = {"environment": {"variables": value}}
            case _:
                value = json.dumps(value)
    shown = redact_record({"eventName": "X", "requestParameters": {"p": value}})
    assert not contains(shown, secret)


@QUIET
@given(TREES, SECRETS)
def test_a_known_secret_never_stays(tree: Any, secret: str) -> None:
    raw = {"eventName": secret, "requestParameters": {"t": tree, secret: [secret, json.dumps({"a": f"x{secret}"})]}}
    assert not contains(redact_record(raw, [secret]), secret)


@QUIET
@given(TREES)
@example('{"password": 0, "masterUserPassword": "false"}')
@example('["{\\"password\\": 0}"]')
def test_redacting_twice_changes_nothing(tree: Any) -> None:
    once = redact_record({"requestParameters": tree})
    assert redact_record(once) == once


def test_real_records_keep_all_but_their_secrets() -> None:
    changed = 0
    for entry in corpus():
        raw = entry["record"]
        shown = redact_record(raw)
        assert shown.keys() == raw.keys()
        for key in ("eventID", "eventName", "eventSource", "userIdentity", "sourceIPAddress", "userAgent"):
            assert shown.get(key) == raw.get(key)
        changed += shown != raw
    assert 0 < changed < least(65, 120)  # with what only the models of AWS call sensitive
