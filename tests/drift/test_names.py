import pytest

from tfdrift_core.drift import names

SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/my-secret-AbCdEf"


@pytest.mark.parametrize(
    ("type", "held", "logged"),
    [
        ("aws_msk_cluster", "arn:aws:kafka:r:1:cluster/k/u", "arn%3Aaws%3Akafka%3Ar%3A1%3Acluster%2Fk%2Fu"),
        ("aws_apigatewayv2_stage", "$default", "%24default"),
        ("aws_db_instance", "orders", "ORDERS"),
        ("aws_elasticache_replication_group", "web-sessions", "Web-Sessions"),
        ("aws_iam_role", "App", "app"),
        ("aws_route53_record", "*.example.com", "\\052.Example.com."),
        ("aws_route53_record", "a b.example.com", "a\\040b.example.com"),
        ("aws_secretsmanager_secret", SECRET, SECRET),
        ("aws_secretsmanager_secret", SECRET, SECRET[:-7]),
        ("aws_secretsmanager_secret_policy", SECRET, "prod/my-secret"),
        ("aws_sqs_queue", "https://sqs.eu-central-1.amazonaws.com/111122223333/q", "https://queue.amazonaws.com/111122223333/q"),
        ("aws_sqs_queue", "https://sqs.eu-central-1.amazonaws.com/111122223333/q", "https://eu-central-1.queue.amazonaws.com/111122223333/q"),
    ],
)  # fmt: skip
def test_a_name_is_found_however_it_is_written(type, held, logged):
    assert names.key(type, logged) in names.keys(type, held)


@pytest.mark.parametrize(
    ("type", "held", "logged"),
    [
        ("aws_lambda_function", "App", "app"),
        ("aws_dynamodb_table", "Orders", "orders"),
        ("aws_secretsmanager_secret", SECRET, "my-secret"),
        ("aws_secretsmanager_secret", SECRET, SECRET[:-8]),
        ("aws_sqs_queue", "https://sqs.eu-central-1.amazonaws.com/111122223333/q", "https://queue.amazonaws.com/999922223333/q"),
        ("aws_ssm_parameter", "/100%/x", "/100/x"),
    ],
)  # fmt: skip
def test_what_is_another_name_is_not(type, held, logged):
    assert names.key(type, logged) not in names.keys(type, held)


@pytest.mark.parametrize(
    ("arn", "parts"),
    [
        ("arn:aws:ssm:r:1:parameter/a/b", ["parameter/a/b", "a/b", "/a/b", "b", "/b"]),
        ("arn:aws:logs:r:1:log-group:/aws/x:*", ["log-group:/aws/x:*", "/aws/x", "aws/x", "/aws/x", "x", "/x", "*"]),
        ("arn:aws:lambda:r:1:function:app:live", ["app"]),
        ("arn:aws:s3:::b", ["b"]),
        ("arn:aws:s3:r:1:accesspoint/b", []),
        ("arn:aws:iam::aws:policy/X", []),
        ("arn:aws:events:other:1:event-bus/b", []),
        ("arn:aws:events:r:2:event-bus/b", []),
        ("b", []),
    ],
)
def test_an_arn_stands_for_names_of_its_account_and_region(arn, parts):
    assert list(names.parts_of_arn(arn, "1", "r")) == parts
