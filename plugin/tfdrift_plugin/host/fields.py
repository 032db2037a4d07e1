"""Fields as conditions and output lines name them: lookup, arguments, transformers, types.

Lookup and transformers behave as in libsinsp 0.23 (``sinsp_filtercheck.cpp``, ``plugin_filtercheck.cpp``,
``sinsp_filter_transformers/``).  String values are bytes: Falco compares bytes.  A transformed string keeps the closing
NUL that libsinsp counts into its length, because ``in`` and ``intersects`` see it.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tfdrift_core.output.fields import Type

Value = bytes | int
Values = tuple[Value, ...] | None


class FieldError(ValueError):
    """A field, argument or transformer that libsinsp refuses."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A field as the plugin (``id`` is its index) or the framework itself (``id`` is ``None``) declares it."""

    name: str
    type: Type
    id: int | None = None
    is_list: bool = False
    key: bool = False
    index: bool = False
    required: bool = False
    width: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A use of a field: its argument and transformers (innermost first), and the type that comes out of them."""

    spec: Spec
    arg: str | None = None
    transformers: tuple[str, ...] = ()
    type: Type = Type.STRING
    is_list: bool = False

    @property
    def name(self) -> str:
        return self.spec.name if self.arg is None else f"{self.spec.name}[{self.arg}]"

    @property
    def expression(self) -> str:
        text = self.name
        for transformer in self.transformers:
            text = f"{transformer}({text})"
        return text

    def transformed(self, transformer: str) -> "Field":
        """This field with one more transformer around it.  Raises `FieldError` where the type does not allow it."""
        chain = (*self.transformers, transformer)
        if transformer == "len" and (self.is_list or self.type is Type.STRING):
            return replace(self, transformers=chain, type=Type.UINT64, is_list=False)
        if self.type is not Type.STRING:
            of_list = "list " if self.is_list else ""
            raise FieldError(
                f"can't add field transformer: type '{self.type.upper()}' is not supported by '{transformer}' "
                f"transformer applied on {of_list}field '{self.spec.name}'"
            )
        return replace(self, transformers=chain)

    def apply(self, values: Values) -> Values:
        """The extracted values after the transformers; ``None`` where one of them fails."""
        is_list = self.spec.is_list
        for name in self.transformers:
            if values is None:
                return None
            if name == "len":
                values = (len(values) if is_list else len(c_string(values[0])),)
                is_list = False
            else:
                values = _each(TRANSFORMERS[name], values)
        return values


def c_string(value: Value) -> bytes:
    """What C's string functions see of a string value."""
    return value.partition(b"\0")[0] if isinstance(value, bytes) else b""


def _each(function: Callable[[bytes], bytes | None], values: tuple[Value, ...]) -> Values:
    results = [function(value.rstrip(b"\0")) for value in values if isinstance(value, bytes)]
    found = [result for result in results if result is not None]
    return tuple(r if r.endswith(b"\0") else r + b"\0" for r in found) if len(found) == len(results) else None


def _decode64(value: bytes) -> bytes | None:
    digits = value.removesuffix(b"=").removesuffix(b"=")
    try:
        decoded = base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except binascii.Error:
        return None
    # libsinsp refuses a last digit with bits that belong to no byte, Python does not.
    return decoded if base64.b64encode(decoded).rstrip(b"=") == digits else None


TRANSFORMERS: dict[str, Callable[[bytes], bytes | None]] = {
    "tolower": bytes.lower,
    "toupper": bytes.upper,
    "b64": _decode64,
    "basename": lambda value: value.rpartition(b"/")[2],
}
TRANSFORMER_NAMES = (*TRANSFORMERS, "len")

# What libsinsp itself knows about any event, and how wide it prints the numbers.
GENERIC = (
    Spec("evt.num", Type.UINT64),
    Spec("evt.time", Type.STRING),
    Spec("evt.time.s", Type.STRING),
    Spec("evt.time.iso8601", Type.STRING),
    Spec("evt.datetime", Type.STRING),
    Spec("evt.datetime.s", Type.STRING),
    Spec("evt.rawtime", Type.ABSTIME),
    Spec("evt.rawtime.s", Type.ABSTIME),
    Spec("evt.rawtime.ns", Type.ABSTIME, width=9),
    Spec("evt.reltime", Type.RELTIME, width=9),
    Spec("evt.reltime.s", Type.RELTIME),
    Spec("evt.reltime.ns", Type.RELTIME, width=9),
    Spec("evt.pluginname", Type.STRING),
    Spec("evt.plugininfo", Type.STRING),
    Spec("evt.source", Type.STRING),
    Spec("evt.is_async", Type.BOOL),
    Spec("evt.asynctype", Type.STRING),
    Spec("evt.hostname", Type.STRING),
)


class Catalogue:
    """Every field that a rule can name, in the order in which libsinsp asks for them."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self.classes: tuple[tuple[Spec, ...], ...] = (GENERIC, tuple(specs))

    @classmethod
    def of_plugin(cls, declared: str) -> "Catalogue":
        """From what ``plugin_get_fields`` returns.  Raises `FieldError` for a list that libsinsp would not load."""
        try:
            return cls([_spec(number, entry) for number, entry in enumerate(json.loads(declared))])
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise FieldError(f"the plugin's field list is not valid: {error!r}") from error

    def exact(self, text: str) -> Field:
        """The field of a condition, ``name`` or ``name[argument]``."""
        field, length = self._match(text)
        if field is None or length != len(text):
            raise FieldError(f"filter_check called with nonexistent field {text}")
        return field

    def has(self, text: str) -> bool:
        """Whether ``text`` is a field with all that it needs."""
        try:
            self.exact(text)
        except FieldError:
            return False
        return True

    def prefix(self, text: str) -> tuple[Field, int]:
        """The field with which the rest of an output line starts, and its length in ``text``."""
        field, length = self._match(text)
        if field is None:
            raise FieldError(f"invalid formatting token {text}")
        return field, length

    def _match(self, text: str) -> tuple[Field | None, int]:
        # The first class with a field that text starts with wins, and within a class the longest name.
        for specs in self.classes:
            found = max((s for s in specs if text.startswith(s.name)), key=lambda s: len(s.name), default=None)
            if found is None:
                continue
            length = len(found.name)
            bracket = text.partition(" ")[0].find("[") if found.id is not None else -1
            if bracket == -1:
                if found.required:
                    raise FieldError(f"filter '{text}': {found.name} requires an argument but none provided")
                return Field(found, type=found.type, is_list=found.is_list), length
            if bracket != length:
                continue
            arg, closed, _ = text[bracket + 1 :].partition(" ")[0].partition("]")
            if not closed:
                raise FieldError(f"filter '{text}': {found.name} has unbalanced argument brackets")
            if not (found.key or found.index):
                raise FieldError(
                    f"filter '{text}': {found.name} does not allow nor require an argument but one is provided: {arg}"
                )
            if not found.key and not (arg.isdecimal() and (arg == "0" or arg[0] != "0")):
                raise FieldError(f"filter {text} {found.name} has an invalid index argument: {arg}")
            return Field(found, arg, type=found.type, is_list=found.is_list), bracket + len(arg) + 2
        return None, -1


def _spec(number: int, entry: dict[str, object]) -> Spec:
    arg = entry.get("arg") or {}
    if not isinstance(arg, dict):
        raise TypeError("arg is not an object")
    return Spec(
        name=str(entry["name"]),
        type=Type(str(entry["type"])),
        id=number,
        is_list=bool(entry.get("isList", False)),
        key=bool(arg.get("isKey", False)),
        index=bool(arg.get("isIndex", False)),
        required=bool(arg.get("isRequired", False)),
    )
