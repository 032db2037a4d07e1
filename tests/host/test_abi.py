"""The host plays Falco's part of the plugin interface, and gives up where Falco gives up."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tfdrift_plugin.host.abi import Framework, Instance, Library, PluginError
from tfdrift_plugin.host.fields import Field, Values

from tests.host import standin


@contextmanager
def opened(library: Library, path: Path, config: str = "") -> Iterator[Instance]:
    with library.init(config, lambda *_: None) as plugin, plugin.open(str(path)) as instance:
        yield instance


@pytest.fixture
def events(tmp_path: Path) -> Path:
    values: standin.Event = {"t.s": "x", "t.l": ["a", "b"], "t.n": 7, "t.b": 1, "t.t": 2**64 - 1, "t.arg": ["k=v"]}
    return standin.write(tmp_path / "events", [values, {}] * 10)


@pytest.mark.parametrize("framework", list(Framework))
def test_values_of_every_type_in_both_layouts(events: Path, framework: Framework) -> None:
    library = Library(standin.library(), framework)

    def values(name: str) -> Values:
        return event.get(library.catalogue.exact(name))

    with opened(library, events) as instance:
        event = next(instance.events())
        assert values("t.s") == (b"x",)
        assert values("t.l") == (b"a", b"b")
        assert values("t.n") == (7,)
        assert values("t.b") == (1,)
        assert values("t.t") == (2**64 - 1,)
        assert values("t.arg[k]") == (b"v",)
        assert values("t.arg[other]") is None
        assert values("t.o") is None
        assert values("evt.plugininfo") == (b"an event",)


def test_every_batch_until_the_end(library: Library, events: Path) -> None:
    with opened(library, events) as instance:
        assert [event.number for event in instance.events()] == list(range(1, 21))
        assert instance.plugin.metrics() == {"events": 20}


def test_several_plugins_side_by_side(library: Library, events: Path) -> None:
    with opened(library, events) as first, opened(library, events) as second:
        assert len(list(first.events())) == len(list(second.events())) == 20


def test_log_messages_arrive(library: Library) -> None:
    messages: list[tuple[int, str]] = []
    with library.init("", lambda level, text: messages.append((level, text))):
        pass
    assert messages == [(logging.WARNING, "hello from init")]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"do": "broken"}', "plugin standin could not be initialised: it is broken on purpose"),
        ("{", "init_config of standin is not valid JSON: "),
        ('{"do": 1}', "init_config of standin: in ['do']: 1 is not of type 'string'"),
        ("[]", "init_config of standin: in <root>: [] is not of type 'object'"),
        ('{"x": 1}', "init_config of standin: in <root>: Additional properties are not allowed ('x' was unexpected)"),
    ],
)
def test_bad_config(library: Library, config: str, message: str) -> None:
    with pytest.raises(PluginError) as raised, library.init(config, lambda *_: None):
        pass
    assert str(raised.value).startswith(message)


def extract_all(instance: Instance, field: Field) -> None:
    for event in instance.events():
        event.get(field)


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("empty", "the plugin returned SUCCESS without events"),
        ("failing", "plugin standin: it is broken on purpose"),
        ("foreign", "the plugin made an event that Falco refuses: type 322, plugin id 7"),
        ("several", "non-list field 't.s' gave 2 values"),
    ],
)
def test_what_makes_falco_exit(library: Library, events: Path, deed: str, message: str) -> None:
    field = library.catalogue.exact("t.s")
    with opened(library, events, f'{{"do": "{deed}"}}') as instance, pytest.raises(PluginError) as raised:
        extract_all(instance, field)
    assert str(raised.value) == message


def test_missing_source(library: Library) -> None:
    message = "plugin standin could not open '/nowhere': no such file"
    with pytest.raises(PluginError, match=message), opened(library, Path("/nowhere")):
        pass


@pytest.mark.parametrize(
    ("api", "framework", "message"),
    [
        ("3.13.0", Framework.FALCO_0_43, "requires plugin API 3.13.0, this host offers 3.12.0"),
        ("3.8.0", Framework.FALCO_0_39, "requires plugin API 3.8.0, this host offers 3.7.0"),
        ("2.0.0", Framework.FALCO_0_43, "requires plugin API 2.0.0, this host offers 3.12.0"),
        ("three", Framework.FALCO_0_43, "requires plugin API three, this host offers 3.12.0"),
    ],
)
def test_api_versions(api: str, framework: Framework, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        Library(standin.library(api), framework)


@pytest.mark.parametrize("fields", ["[", "[1]", '[{"name": "a.b"}]', '[{"name": "a.b", "type": "float", "desc": "x"}]'])
def test_bad_field_lists(fields: str) -> None:
    with pytest.raises(PluginError, match="the plugin's field list is not valid"):
        Library(standin.library(fields=fields))


def test_not_a_plugin(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_text("not a library")
    with pytest.raises(PluginError, match=r"cannot load plugin .*x\.so: .*invalid ELF header|file too short"):
        Library(tmp_path / "x.so")
