"""Output lines of Falco rules: ``%field``, ``%field[argument]``, ``%20field`` and ``%toupper(field)``.

Parsing and printing follow libsinsp 0.23 (``eventformatter.cpp``, ``sinsp_filtercheck.cpp``) with a leading ``*``, as
Falco formats: an absent field is ``<NA>``, and ``null`` in JSON.  Text is bytes, because widths count bytes.
"""

import re
from dataclasses import dataclass

from tfdrift_core.output.fields import Type
from tfdrift_plugin.host.evaluate import Event
from tfdrift_plugin.host.fields import TRANSFORMER_NAMES, Catalogue, Field, FieldError, Value, Values, c_string

ABSENT = b"<NA>"
# libsinsp prints a list through a buffer of 1024 bytes, of which the last is the NUL.
LIST_BYTES = 1023


@dataclass(frozen=True, slots=True)
class Format:
    """``parts`` are literal text, or a field with its width (0: as long as it is); ``keys`` are the fields in JSON."""

    parts: tuple[bytes | tuple[Field, int], ...]
    keys: tuple[Field, ...]

    def text(self, event: Event) -> bytes:
        return b"".join(part if isinstance(part, bytes) else _column(event, *part) for part in self.parts)

    def values(self, event: Event) -> dict[str, object]:
        """The output fields of the JSON form, by name."""
        return {field.name: as_json(field, event.get(field)) for field in self.keys}


_TRANSFORMERS = re.compile(rf"(?:(?:{'|'.join(TRANSFORMER_NAMES)})\()*")


def compile_format(text: str, catalogue: Catalogue) -> Format:
    """Raises `FieldError` where Falco refuses the line."""
    parts: list[bytes | tuple[Field, int]] = []
    keys: dict[Field, None] = {}
    literal, *rest = text.split("%")
    parts.append(literal.encode("utf-8", "surrogateescape"))
    for token in rest:
        field, width, literal = _token(token, catalogue)
        keys.setdefault(Field(field.spec, field.arg, type=field.spec.type, is_list=field.spec.is_list))
        parts.append((field, width))
        parts.append(literal.encode("utf-8", "surrogateescape"))
    return Format(tuple(part for part in parts if part), tuple(keys))


def _token(token: str, catalogue: Catalogue) -> tuple[Field, int, str]:
    """The field, its width and the literal text after it."""
    if not token:
        raise FieldError("invalid formatting syntax: formatting cannot end with a %")
    digits = re.match(r"\d*", token, re.ASCII)
    width = digits[0] if digits else ""
    token = token[len(width) :]
    if not token:
        raise FieldError("invalid formatting syntax: formatting cannot end with a number")
    prefix = _TRANSFORMERS.match(token)
    chain = prefix[0].split("(")[:-1] if prefix else []
    token = token[sum(len(name) + 1 for name in chain) :]
    field, length = catalogue.prefix(token)
    token = token[length:]
    for transformer in reversed(chain):
        field = field.transformed(transformer)
        if not token.startswith(")"):
            raise FieldError(f"missing closing transformer parenthesis: {token}")
        token = token[1:]
    return field, int(width or 0), token


def _column(event: Event, field: Field, width: int) -> bytes:
    text = as_text(field, field.apply(event.get(field)))
    return text[:width].ljust(width) if width else text


def as_text(field: Field, values: Values) -> bytes:
    if values is None:
        return ABSENT
    if field.is_list:
        return (b"(" + b",".join(_one(field, value) for value in values) + b")")[:LIST_BYTES]
    return _one(field, values[0])


def _one(field: Field, value: Value) -> bytes:
    if field.type is Type.STRING:
        return c_string(value)
    if field.type is Type.BOOL:
        return b"true" if value else b"false"
    return b"%0*d" % (field.spec.width, int(value))


def as_json(field: Field, values: Values) -> object:
    if values is None:
        return None
    plain = [_plain(field, value) for value in values]
    return plain if field.is_list else plain[0]


def _plain(field: Field, value: Value) -> object:
    if field.type is Type.STRING:
        # Falco up to 0.43 dies of invalid UTF-8 here, 0.44 replaces it.
        return c_string(value).decode("utf-8", "replace") if isinstance(value, bytes) else value
    return bool(value) if field.type is Type.BOOL else value
