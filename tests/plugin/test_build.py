"""What the build says where something is missing."""

import json
import sysconfig
from pathlib import Path

import pytest
from tfdrift_plugin import build

from tfdrift_core import config
from tfdrift_core.output.fields import FIELDS


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(build.BuildError, match=r"no C compiler: no-such-compiler(.|\n)*apt-get install gcc libc6-dev"):
        build.compiler()


def test_a_static_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", {"INSTSONAME": "libpython3.x.a", "LIBDIR": "/usr/lib"}.get)
    with pytest.raises(build.BuildError, match=r"has no shared library(.|\n)*apt-get install libpython3"):
        build.Python.running()


def test_missing_headers_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = {**sysconfig.get_paths(), "include": str(tmp_path)}
    monkeypatch.setattr(sysconfig, "get_paths", lambda: paths)
    with pytest.raises(build.BuildError, match=r"Python.h is missing(.|\n)*apt-get install libpython3"):
        build.Python.running()


def test_a_missing_inflater_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", "cc -nostdinc")
    with pytest.raises(
        build.BuildError, match=r"libdeflate.h and zlib.h are missing(.|\n)*apt-get install libdeflate-dev"
    ):
        build.build(tmp_path / "libtfdrift.so")


def test_a_compiler_error_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(build.BuildError, match="no-such-flag"):
        build.build(tmp_path / "libtfdrift.so", flags=["--no-such-flag"])


def test_falco_is_told_the_field_table() -> None:
    told = json.loads(build.fields_json())
    assert [entry["name"] for entry in told] == [field.name for field in FIELDS]
    assert {entry["name"] for entry in told if "arg" in entry} == {
        "ct.request",
        "ct.response",
        "ec2.imageids",
        "tf.tags",
    }
    assert all(entry["desc"] and "`" not in entry["desc"] for entry in told)


def test_constants_are_c_strings() -> None:
    text = build.header(build.Python.running())
    line = next(line for line in text.splitlines() if line.startswith("#define TFD_SCHEMA_JSON "))
    literal = line.split(" ", 2)[2]
    assert literal.isascii()
    schema = json.loads(literal[1:-1].encode().decode("unicode_escape"))
    assert schema == json.loads(config.schema_text())
