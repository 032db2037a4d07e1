"""falco.yaml, with all that Falco does to an init_config."""

import json
from pathlib import Path

import pytest
import yaml
from tfdrift_plugin.host.falco_yaml import ConfigError, as_falco_json, load
from tfdrift_plugin.host.rules import Priority


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"012345678901"', 12345678901.0),
        ("111122223333", 111122223333.0),
        ('"1.10"', 1.1),
        ('"0755"', 493),
        ('"000000000042"', 34),
        ("0x1F", 31),
        ('"true"', True),
        ("yes", True),
        ("Off", False),
        ("{}", None),
        ("[]", None),
        ("", None),
        ("null", None),
        ('""', ""),
        ("eu-west-1", "eu-west-1"),
        ("[a, 1, [x]]", ["a", 1, ["x"]]),
        ("{a: {b: c}}", {"a": {"b": "c"}}),
        ("${NAME}/x", "value/x"),
        ("$${NAME}", "${NAME}"),
        ("${MISSING}", ""),
    ],
)
def test_mangling(text: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "value")
    node = yaml.compose(f"key: {text}", Loader=yaml.SafeLoader)
    assert node is not None
    assert as_falco_json(node) == {"key": expected}


FULL = """
rules_files: [rules.yaml, more, missing.yaml]
json_output: true
time_format_iso_8601: true
rule_matching: all
priority: notice
load_plugins: [tfdrift]
plugins:
  - name: other
    library_path: libother.so
  - name: tfdrift
    library_path: ${WHERE}/libtfdrift.so
    init_config: {state: [a], accounts: ["012345678901"]}
    open_params: "  trail/ "
"""


def test_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/opt")
    (tmp_path / "more").mkdir()
    for name in ("rules.yaml", "more/b.yaml", "more/a.yml", "more/c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "falco.yaml").write_text(FULL)
    config = load(tmp_path / "falco.yaml")
    assert config.library == Path("/opt/libtfdrift.so")
    assert json.loads(config.init_config) == {"state": ["a"], "accounts": [12345678901.0]}
    assert config.open_params == "trail/"
    assert [path.name for path in config.rules_files or ()] == ["rules.yaml", "a.yml", "b.yaml"]
    assert (config.json_output, config.iso_time, config.all_rules) == (True, True, True)
    assert config.least is Priority.Notice


def test_a_string_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "falco.yaml").write_text("""plugins: [{name: tfdrift, init_config: '{"accounts": ["042"]}'}]""")
    assert load(tmp_path / "falco.yaml").init_config == '{"accounts": ["042"]}'


def test_just_an_init_config(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("state: [a, b]")
    assert json.loads(load(tmp_path / "config.yaml").init_config) == {"state": ["a", "b"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "falco.yaml: No such file or directory"),
        ("a: [", "falco.yaml is not valid YAML: "),
        ("- a", "falco.yaml is not a YAML mapping"),
        (
            "plugins: [{name: tfdrift}]\npriority: high",
            "falco.yaml: unknown priority 'high': one of Emergency, Alert, Critical, Error, Warning, Notice,",
        ),
        ("plugins: []", "falco.yaml: no entry of plugins has the name 'tfdrift'"),
        ("plugins: [{name: json}]", "falco.yaml: no entry of plugins has the name 'tfdrift'"),
        (
            "plugins: [{name: tfdrift}]\nload_plugins: []",
            "falco.yaml: load_plugins does not list 'tfdrift', so Falco would not load it",
        ),
    ],
)
def test_bad_files(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "falco.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert message in str(raised.value)
