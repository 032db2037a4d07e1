"""Falco's side of the plugin interface: loads a plugin and calls it as Falco 0.39 to 0.44 do, in the same order.

Struct layouts and rules are those of ``plugin_api.h`` and ``plugin_types.h`` of falcosecurity/libs; what makes Falco
give up makes this host give up with `PluginError`.
"""

import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import cffi
import jsonschema.exceptions
import jsonschema.validators

from tfdrift_core.output.fields import Type
from tfdrift_plugin.host.fields import Catalogue, Field, FieldError, Values
from tfdrift_plugin.host.rules import version

SUCCESS, FAILURE, TIMEOUT, EOF, NOT_SUPPORTED = 0, 1, -1, 2, 3
PLUGIN_EVENT = 322
# The event's head, the lengths of its two parameters and the first of them, the plugin's id.
PAYLOAD_OFFSET = 38
NOW = 2**64 - 1
NANOSECONDS = 10**9
FTYPES = {Type.UINT64: 8, Type.STRING: 9, Type.RELTIME: 20, Type.ABSTIME: 21, Type.BOOL: 25}
# How libsinsp marks a list in an extraction request: a flag word, not a 1.
LIST_FLAG = 64
SEVERITIES = (logging.CRITICAL,) * 2 + (logging.ERROR, logging.WARNING) + (logging.INFO,) * 2 + (logging.DEBUG,) * 2

_CDEF = """
typedef struct {
    const char *config; void *owner; void *get_owner_last_error; void *tables;
    void (*log)(void *, const char *, const char *, int32_t);
} init_input;
typedef struct { void *event; uint64_t number; const char *source; } event_input;
typedef struct {
    void *res; uint64_t res_len; uint32_t field_id; const char *field; const char *arg_key;
    uint64_t arg_index; uint32_t arg_present; uint32_t ftype; uint32_t flist;
} extract_field;
typedef struct {
    void *owner; void *get_owner_last_error; uint32_t num_fields; extract_field *fields;
    void *table_reader[4]; void *table_reader_ext; void *value_offsets;
} extract_input;
typedef struct { const char *name; int32_t type; union { uint64_t u64; double d; } value; int32_t value_type; } metric;

const char *plugin_get_required_api_version(void);
const char *plugin_get_name(void);
const char *plugin_get_description(void);
const char *plugin_get_contact(void);
const char *plugin_get_version(void);
uint32_t plugin_get_id(void);
const char *plugin_get_event_source(void);
const char *plugin_get_fields(void);
const char *plugin_get_extract_event_sources(void);
const char *plugin_get_init_schema(int32_t *);
void *plugin_init(const init_input *, int32_t *);
void plugin_destroy(void *);
const char *plugin_get_last_error(void *);
const char *plugin_list_open_params(void *, int32_t *);
void *plugin_open(void *, const char *, int32_t *);
void plugin_close(void *, void *);
int32_t plugin_next_batch(void *, void *, uint32_t *, void ***);
const char *plugin_event_to_string(void *, const event_input *);
int32_t plugin_extract_fields(void *, const event_input *, const extract_input *);
metric *plugin_get_metrics(void *, uint32_t *);
"""
_FFI: Any = cffi.FFI()
_FFI.cdef(_CDEF)

Log = Callable[[int, str], None]


class PluginError(Exception):
    """Falco would not start, or would exit, with this message."""


class Framework(Enum):
    """What the loading Falco offers: its plugin API, and the size of the extraction request that it passes."""

    FALCO_0_39 = ((3, 7, 0), 72)
    FALCO_0_43 = ((3, 12, 0), 80)


def _text(pointer: Any) -> str:
    return "" if pointer == _FFI.NULL else _FFI.string(pointer).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Identity:
    """What the plugin tells about itself before it is initialised."""

    api: str
    name: str
    description: str
    contact: str
    version: str
    id: int
    source: str
    fields: str
    extract_sources: str


class Library:
    """A loaded shared object.  Raises `PluginError` where Falco would refuse to load it."""

    def __init__(self, path: Path, framework: Framework = Framework.FALCO_0_43) -> None:
        self.path = path
        self.framework = framework
        try:
            self.functions: Any = _FFI.dlopen(str(path.absolute()), _FFI.RTLD_NOW | _FFI.RTLD_LOCAL)
        except OSError as error:
            raise PluginError(f"cannot load plugin {path}: {error}") from error
        self.identity = self._identity()
        # Falco loads every plugin twice: once to know its fields, once to run it.
        if self._identity() != self.identity:
            raise PluginError(f"{path} tells something else about itself when it is asked again")
        self._check()
        try:
            self.catalogue = Catalogue.of_plugin(self.identity.fields)
        except FieldError as error:
            raise PluginError(f"{path}: {error}") from error

    def close(self) -> None:
        _FFI.dlclose(self.functions)

    def function(self, name: str) -> Any:
        try:
            return getattr(self.functions, f"plugin_{name}")
        except AttributeError as error:
            raise PluginError(f"{self.path} does not export plugin_{name}") from error

    def _identity(self) -> Identity:
        def text(name: str) -> str:
            return _text(self.function(f"get_{name}")())

        return Identity(
            api=text("required_api_version"),
            name=text("name"),
            description=text("description"),
            contact=text("contact"),
            version=text("version"),
            id=int(self.function("get_id")()),
            source=text("event_source"),
            fields=text("fields"),
            extract_sources=text("extract_event_sources"),
        )

    def _check(self) -> None:
        have, wanted = self.framework.value[0], version(self.identity.api)
        if wanted is None or wanted[0] != have[0] or wanted[1] > have[1]:
            offered = ".".join(map(str, have))
            raise PluginError(f"{self.path} requires plugin API {self.identity.api}, this host offers {offered}")
        if version(self.identity.version) is None:
            raise PluginError(f"{self.path}: plugin version '{self.identity.version}' is not of the form x.y.z")
        if not self.identity.id or self.identity.source in ("", "syscall"):
            raise PluginError(f"{self.path}: a source plugin needs an id and an event source of its own")

    def schema(self) -> Mapping[str, object] | None:
        """The JSON Schema of ``init_config``, if the plugin has one."""
        kind = _FFI.new("int32_t *")
        text = _text(self.function("get_init_schema")(kind))
        return json.loads(text) if kind[0] == 1 and text else None

    @contextmanager
    def init(self, config: str, log: Log) -> Iterator["Plugin"]:
        """The initialised plugin, destroyed at the end.  ``config`` is JSON text; an empty one counts as ``{}``."""
        plugin = Plugin(self, self._validated(config), log)
        try:
            yield plugin
        finally:
            plugin.destroy()

    def _validated(self, config: str) -> str:
        schema = self.schema()
        if schema is None:
            return config
        config = config or "{}"
        try:
            value = json.loads(config)
            validator = jsonschema.validators.validator_for(schema)(schema)
            problem = jsonschema.exceptions.best_match(validator.iter_errors(value))
        except json.JSONDecodeError as error:
            raise PluginError(f"init_config of {self.identity.name} is not valid JSON: {error}") from error
        if problem is not None:
            where = "".join(f"[{part!r}]" for part in problem.absolute_path) or "<root>"
            raise PluginError(f"init_config of {self.identity.name}: in {where}: {problem.message}")
        return config


class Plugin:
    """An initialised plugin (``ss_plugin_t``)."""

    def __init__(self, library: Library, config: str, log: Log) -> None:
        self.library = library
        self.log = log
        self._owner = _FFI.new_handle(self)
        # The callback and the strings must outlive every call that may use them.
        self._log_function = _FFI.callback("void(void *, const char *, const char *, int32_t)", self._on_log)
        self._config = _FFI.new("char[]", config.encode())
        self._input = _FFI.new(
            "init_input *", {"config": self._config, "owner": self._owner, "log": self._log_function}
        )
        rc = _FFI.new("int32_t *", FAILURE)
        self.state = library.function("init")(self._input, rc)
        if rc[0] != SUCCESS or self.state == _FFI.NULL:
            reason = self.last_error() if self.state != _FFI.NULL else "no reason given"
            self.destroy()
            raise PluginError(f"plugin {library.identity.name} could not be initialised: {reason}")

    def _on_log(self, _owner: object, component: object, message: object, severity: int) -> None:
        level = SEVERITIES[min(max(severity, 1), len(SEVERITIES)) - 1]
        part = _text(component)
        self.log(level, f"{part}: {_text(message)}" if part else _text(message))

    def destroy(self) -> None:
        if self.state != _FFI.NULL:
            self.library.function("destroy")(self.state)
            self.state = _FFI.NULL

    def last_error(self) -> str:
        return _text(self.library.function("get_last_error")(self.state))

    def open_params(self) -> str:
        """The JSON list of suggested sources."""
        rc = _FFI.new("int32_t *", FAILURE)
        return _text(self.library.function("list_open_params")(self.state, rc))

    def metrics(self) -> dict[str, int | float]:
        count = _FFI.new("uint32_t *")
        found = self.library.function("get_metrics")(self.state, count)
        # Value types 2 and 3 are the 64-bit ones, 4 and 5 floating point.
        return {
            _text(found[i].name): found[i].value.u64 if found[i].value_type < 4 else found[i].value.d
            for i in range(count[0])
        }

    @contextmanager
    def open(self, params: str) -> Iterator["Instance"]:
        """The opened event source, closed at the end."""
        rc = _FFI.new("int32_t *", FAILURE)
        text = _FFI.new("char[]", params.strip().encode())
        state = self.library.function("open")(self.state, text, rc)
        if rc[0] != SUCCESS or state == _FFI.NULL:
            raise PluginError(f"plugin {self.library.identity.name} could not open '{params}': {self.last_error()}")
        try:
            yield Instance(self, state)
        finally:
            self.library.function("close")(self.state, state)


class Instance:
    """An opened event source (``ss_instance_t``)."""

    def __init__(self, plugin: Plugin, state: Any) -> None:
        self.plugin = plugin
        self.state = state

    def events(self) -> Iterator["PluginEvent"]:
        """Every event until the source ends.  An event is good until the next one is asked for."""
        next_batch = self.plugin.library.function("next_batch")
        count, events = _FFI.new("uint32_t *"), _FFI.new("void ***")
        number, first = 0, None
        while True:
            count[0] = 0
            rc = next_batch(self.plugin.state, self.state, count, events)
            if rc == FAILURE:
                raise PluginError(f"plugin {self.plugin.library.identity.name}: {self.plugin.last_error()}")
            if rc == SUCCESS and count[0] == 0:
                raise PluginError("the plugin returned SUCCESS without events")
            for i in range(count[0]):
                number += 1
                event = PluginEvent(self.plugin, events[0][i], number, first)
                first = event.first
                yield event
            if rc == EOF:
                return


class PluginEvent:
    """An event in the plugin's memory.  Values are extracted once per field, as Falco's cache does."""

    def __init__(self, plugin: Plugin, pointer: Any, number: int, first: int | None) -> None:
        identity = plugin.library.identity
        self.plugin = plugin
        self.number = number
        data = _FFI.buffer(pointer, PAYLOAD_OFFSET)
        stamp, kind, params = (int.from_bytes(data[a:b], "little") for a, b in ((0, 8), (20, 22), (22, 26)))
        plugin_id = int.from_bytes(data[34:38], "little")
        if kind != PLUGIN_EVENT or params != 2 or plugin_id not in (0, identity.id):
            raise PluginError(f"the plugin made an event that Falco refuses: type {kind}, plugin id {plugin_id}")
        # Falco writes into the event, so it must be writable.
        data[8:16] = b"\xff" * 8
        data[34:38] = identity.id.to_bytes(4, "little")
        self.time = time.time_ns() if stamp == NOW else stamp
        self.first = self.time if first is None else first
        self._source = _FFI.new("char[]", identity.source.encode())
        self._input = _FFI.new("event_input *", {"event": pointer, "number": number, "source": self._source})
        self._values: dict[str, Values] = {}

    def get(self, field: Field) -> Values:
        name = field.name
        if name not in self._values:
            self._values[name] = self._extract(field) if field.spec.id is not None else self._generic(name)
        return self._values[name]

    def info(self) -> bytes:
        """The plugin's own one-line form of the event."""
        text = self.plugin.library.function("event_to_string")(self.plugin.state, self._input)
        return b"" if text == _FFI.NULL else _FFI.string(text)

    def _generic(self, name: str) -> Values:
        value = GENERIC[name](self)
        return None if value is None else (value,)

    def _extract(self, field: Field) -> Values:
        spec = field.spec
        keep = [_FFI.new("char[]", spec.name.encode())]
        request = _FFI.new("extract_field *")
        # What Falco leaves uninitialised is garbage here, so that a plugin that relies on it is found out.
        _FFI.buffer(request)[:] = b"\xa5" * _FFI.sizeof("extract_field")
        request.field_id, request.field = spec.id, keep[0]
        request.ftype, request.flist = FTYPES[spec.type], LIST_FLAG * spec.is_list
        request.arg_present, request.arg_key, request.arg_index = field.arg is not None, _FFI.NULL, NOW
        if field.arg is not None:
            if spec.key:
                keep.append(_FFI.new("char[]", field.arg.encode()))
                request.arg_key = keep[1]
            if spec.index and field.arg.isdecimal():
                request.arg_index = int(field.arg)
        arguments = _FFI.new("extract_input *", {"num_fields": 1, "fields": request})
        if self.plugin.library.framework.value[1] < _FFI.sizeof("extract_input"):
            # An older Falco's request ends before this member: a plugin that follows it crashes, as it would there.
            arguments.value_offsets = _FFI.cast("void *", 1)
        rc = self.plugin.library.function("extract_fields")(self.plugin.state, self._input, arguments)
        if rc != SUCCESS or request.res_len == 0:
            return None
        if request.res_len > 1 and not spec.is_list:
            raise PluginError(f"non-list field '{spec.name}' gave {request.res_len} values")
        if spec.type is Type.STRING:
            texts = _FFI.cast("char **", request.res)
            return tuple(_FFI.string(texts[i]) for i in range(request.res_len))
        numbers = _FFI.cast("uint32_t *" if spec.type is Type.BOOL else "uint64_t *", request.res)
        return tuple(int(numbers[i]) for i in range(request.res_len))


def hostname() -> str:
    return os.environ.get("FALCO_HOSTNAME") or socket.gethostname()


def _clock(event: PluginEvent, date: bool, nanoseconds: bool) -> bytes:
    # libsinsp shifts by today's offset from UTC, whatever the offset was at the event's time.
    local = time.gmtime(event.time // NANOSECONDS + time.localtime().tm_gmtoff)
    text = time.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S", local)
    return (f"{text}.{event.time % NANOSECONDS:09d}" if nanoseconds else text).encode()


def _iso8601(event: PluginEvent) -> bytes:
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(event.time // NANOSECONDS))
    return f"{text}.{event.time % NANOSECONDS:09d}+0000".encode()


GENERIC: Mapping[str, Callable[[PluginEvent], bytes | int | None]] = {
    "evt.num": lambda event: event.number,
    "evt.time": lambda event: _clock(event, date=False, nanoseconds=True),
    "evt.time.s": lambda event: _clock(event, date=False, nanoseconds=False),
    "evt.time.iso8601": _iso8601,
    "evt.datetime": lambda event: _clock(event, date=True, nanoseconds=True),
    "evt.datetime.s": lambda event: _clock(event, date=True, nanoseconds=False),
    "evt.rawtime": lambda event: event.time,
    "evt.rawtime.s": lambda event: event.time // NANOSECONDS,
    "evt.rawtime.ns": lambda event: event.time % NANOSECONDS,
    "evt.reltime": lambda event: (event.time - event.first) % 2**64,
    "evt.reltime.s": lambda event: (event.time - event.first) % 2**64 // NANOSECONDS,
    "evt.reltime.ns": lambda event: (event.time - event.first) % 2**64 % NANOSECONDS,
    "evt.pluginname": lambda event: event.plugin.library.identity.name.encode(),
    "evt.plugininfo": lambda event: event.info(),
    "evt.source": lambda event: event.plugin.library.identity.source.encode(),
    "evt.is_async": lambda _: 0,
    "evt.asynctype": lambda _: None,
    "evt.hostname": lambda _: hostname().encode(),
}
