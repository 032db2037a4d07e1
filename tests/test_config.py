import json

import pytest

from tfdrift_core.config import Account, Aws, Config, ConfigError, Region, Source, duration, load


def test_empty_text_is_the_default_configuration():
    assert load("") == load("{}") == load("null") == Config()


def test_yaml_and_json_text_give_the_same():
    document = {
        "state": ["/x/terraform.tfstate", {"backend": "s3", "bucket": "b", "key": "k"}],
        "sources": ["sqs://queue", {"url": "s3://b/prefix"}],
        "aws": {"region": "eu-west-1", "timeout": "5s"},
        "refresh_interval": "5m",
        "emit_expected": True,
    }
    text = """
state:
  - /x/terraform.tfstate
  - {backend: s3, bucket: b, key: k}
sources: ["sqs://queue", {url: "s3://b/prefix"}]
aws:
  region: eu-west-1
  timeout: 5s
refresh_interval: 5m
emit_expected: true
"""
    config = load(text)
    assert config == load(json.dumps(document))
    assert config.state == ({"url": "/x/terraform.tfstate"}, {"backend": "s3", "bucket": "b", "key": "k"})
    assert config.sources == (Source("sqs://queue"), Source("s3://b/prefix"))
    assert config.aws == Aws(region="eu-west-1", timeout=5.0)
    assert config.refresh_interval == 300.0
    assert config.emit_expected


def test_null_for_an_empty_container_is_that_container():
    text = '{"state": null, "config": null, "sources": null, "aws": null, "expected": null, "accounts": null}'
    assert load(text) == Config()


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("012345678901", "12345678901.0"),
        ("123456789012", "123456789012.0"),
        ("123456789012", "123456789012"),
        ("000000000042", '"42"'),
        ("012345670123", "1402433619"),  # eleven octal digits fit into 32 bits: Falco reads an octal number
        ("000000000777", '"000000000777"'),
    ],
)
def test_account_ids_get_their_zeros_back(written, arrives):
    assert load(f'{{"accounts": [{arrives}]}}').accounts == (Account(written),)
    assert load(f'{{"accounts": [{{"id": {arrives}}}]}}').accounts == (Account(written),)


@pytest.mark.parametrize("written", ["012345678901", "012345670123", "123456789012"])
def test_account_ids_in_our_own_yaml_keep_their_digits(written):
    assert load(f"accounts: [{written}]").accounts == (Account(written),)


def test_numbers_and_booleans_for_text_become_text():
    config = load('{"state": [{"backend": "s3", "bucket": 42.0, "key": 1.5, "workspace": true}], "config": 7}')
    assert config.state == ({"backend": "s3", "bucket": "42", "key": "1.5", "workspace": "true"},)
    assert config.config == ("7",)


def test_one_text_where_a_list_is_meant():
    config = load("state: /x/y.tfstate\nconfig: /x\nregions: [eu-west-1, {name: us-east-1, state: a/*}]")
    assert config.state == ({"url": "/x/y.tfstate"},)
    assert config.config == ("/x",)
    assert config.regions == (Region("eu-west-1"), Region("us-east-1", state=("a/*",)))


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("5m", 300), ("1.5h", 5400), ("250ms", 0.25), (7, 7), ("7", 7)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds
    assert load(json.dumps({"refresh_interval": text})).refresh_interval == seconds


def test_sizes():
    assert load("max_state_size: 2GB").max_state_size == 2 << 30
    assert load("max_state_size: 1000").max_state_size == 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stat: []", "init_config.stat: unknown key; did you mean 'state'?"),
        ("state: [{bukcet: b}]", "init_config.state[0].bukcet: unknown key; did you mean 'bucket'?"),
        ("aws: {zzz: 1}", "init_config.aws.zzz: unknown key; known here: profile, region, role_arn,"),
        ("state: 5", "init_config.state: 5 is not allowed here; write a list or text"),
        ("state: [[]]", "init_config.state[0]: [] is not allowed here; write text or a map"),
        (
            "state: [{backend: s33}]",
            "init_config.state[0].backend: \"s33\" is not known; did you mean 's3'?",
        ),
        (
            "state: [{backend: http, password: geheim}]",
            "init_config.state[0].password: secrets do not belong into the configuration; use password_env",
        ),
        (
            'state: [{backend: http, password_env: "geheim!"}]',
            "write the name of an environment variable (letters, digits, underscore), not its value",
        ),
        ("refresh_interval: soon", 'init_config.refresh_interval: "soon" does not fit; write a number of seconds, or'),
        ("refresh_interval: -1", "init_config.refresh_interval: -1 does not fit; write a number of seconds, or"),
        ("emit_expected: maybe", 'init_config.emit_expected: "maybe" is not allowed here; write true or false'),
        ("accounts: [12x]", 'init_config.accounts[0]: "12x" does not fit; write an account id of 12 digits'),
        ("accounts: [{name: prod}]", "init_config.accounts[0]: id is missing; add it"),
        ("accounts: [{id: null}]", "init_config.accounts[0]: id is missing; add it"),
        ("accounts: [{id: .nan}]", "init_config.accounts[0].id: NaN does not fit; write an account id of 12 digits"),
        ("accounts: [1.5]", "init_config.accounts[0]: 1.5 does not fit; write an account id of 12 digits"),
        ("regions: [{name: null}]", "init_config.regions[0]: name is missing; add it"),
        ("organization: {role: null}", "init_config.organization: role is missing; add it"),
        ("sources: [{}]", "init_config.sources[0]: url is missing; add it"),
        ("data_dir: !!bool x", "init_config: cannot be read: a tag does not fit its value; leave the tags (!!...) out"),
        ("data_dir: !!int ''", "init_config: cannot be read: a tag does not fit its value; leave the tags (!!...) out"),
        ("data_dir: !!float ''", "init_config: cannot be read: a tag does not fit its value"),
        ("- a", 'init_config: ["a"] is not allowed here; write a map'),
        ("state: [", "init_config, line 1, column 9: cannot be read:"),
        ("{\x00}", "init_config"),
        ('data_dir: "a\\0b"', "init_config: cannot be read: a text holds a NUL character"),
        ("state: &a [*a]", "init_config: cannot be read: it is nested too deeply, or an alias stands for itself"),
        ("[" * 5000, "init_config: cannot be read: it is nested too deeply, or an alias stands for itself"),
        (
            "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else 'y'] * 20)}]\n" for n in range(10)),
            "init_config: cannot be read: it is nested too deeply, or an alias stands for itself",
        ),
        (f"refresh_interval: {'9' * 400}", "init_config.refresh_interval: "),
        (f"refresh_interval: {'9' * 400}d", "init_config.refresh_interval: "),
        (f"refresh_interval: {'9' * 9000}", "init_config: cannot be read: Exceeds the limit"),
        ("refresh_interval: 1e400", "init_config.refresh_interval: "),
        ("refresh_interval: .nan", "init_config.refresh_interval: NaN is not a duration"),
        ("aws: {timeout: 99999d}", 'init_config.aws.timeout: "99999d" is not a duration'),
        (f"max_state_size: {'9' * 400}", "init_config.max_state_size: "),
        ("max_state_size: 0", 'init_config.max_state_size: "0" is not a size: write bytes, or 512M, 2G'),
        ("aws: {endpoint_url: 'example.com:4566'}", "endpoint_url 'example.com:4566' is not an http or https URL"),
    ],
)
def test_what_is_wrong_is_said_with_place_and_remedy(text, message):
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert message in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_every_fault_has_its_line():
    with pytest.raises(ConfigError) as caught:
        load("stat: 1\nconfg: 2\nrefresh_interval: x")
    assert len(str(caught.value).splitlines()) == 3
