"""Writes ``tfdrift_core/catalog/schema.txt.gz``: what the provider says about each resource type.

Three sources, all outside this repository:

* ``terraform providers schema -json`` with the AWS provider 3.39.0 (the provider of the suite in this folder), and
* the bindings that the CDK for Terraform generates from the schemas of providers 5.32 and 6, for what came after 3.39:
  ``cdktf-cdktf-provider-aws`` on PyPI, whose jsii bundle has the TypeScript with each attribute's kind and flags.

Where several know an attribute, the first one's word stands, except that a list in one may be a set in another.

    python -m tests.judge.make_schema --five cdktf_cdktf_provider_aws-19.1.0-py3-none-any.whl \\
        --six cdktf_cdktf_provider_aws-21.22.1-py3-none-any.whl
"""

import argparse
import base64
import gzip
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.judge import terraform

Codes = dict[str, Any]
OUT = Path(__file__).parents[2] / "tfdrift_core/catalog/schema.txt.gz"
_SCALARS = {"string": "s", "number": "n", "bool": "b", "dynamic": "d"}
_COLLECTIONS = {"list": "L", "set": "S", "map": "M"}
_MAPS = {"String": "s", "Number": "n", "Boolean": "b", "Any": "d"}
_NESTING = {"list": "l", "set": "e", "single": "1", "map": "l"}


# --- terraform providers schema -json


def from_provider(document: Mapping[str, Any]) -> dict[str, Codes]:
    """The codes of every resource type of the one provider in the document."""
    (provider,) = document["provider_schemas"].values()
    return {name: _block(entry["block"]) for name, entry in provider["resource_schemas"].items()}


def _block(block: Mapping[str, Any]) -> Codes:
    codes: Codes = {}
    for name, attribute in block.get("attributes", {}).items():
        kind, below = _type(attribute["type"])
        codes[name] = _code(kind + _flags(attribute), below)
    for name, nested in block.get("block_types", {}).items():
        codes[name] = _code(_NESTING[nested["nesting_mode"]], _block(nested["block"]), nested.get("max_items", 0))
    return codes


def _type(kind: str | list[Any]) -> tuple[str, Codes | None]:
    if isinstance(kind, str):
        return _SCALARS[kind], None
    outer, inner = kind
    if outer == "object":
        return "o", {name: _code(*_type(member)) for name, member in inner.items()}
    spelled, below = _type(inner)
    return _COLLECTIONS[outer] + spelled, below


def _flags(attribute: Mapping[str, Any]) -> str:
    flags = ""
    if attribute.get("computed"):
        flags += "o" if attribute.get("optional") else "c"
    if attribute.get("sensitive"):
        flags += "x"
    return ":" + flags if flags else ""


def _code(kind: str, below: Codes | None, max_items: int = 0) -> Any:
    if below is None:
        return kind
    return [kind, below, max_items] if max_items else [kind, below]


# --- the generated bindings

_STRUCT = re.compile(r"^export function (\w+)ToHclTerraform\(.*?^\}", re.M | re.S)
_MEMBER = re.compile(
    r"^      (?P<name>\w+): \{\n"
    r"        value: (?P<value>.*?),\n"
    r"        isBlock: (?P<block>true|false),\n"
    r'        type: "(?P<type>\w+)",\n'
    r'        storageClassType: "(?P<storage>[^"]*)",',
    re.M | re.S,
)
_STRUCT_MEMBER = re.compile(_MEMBER.pattern.replace("^      ", "^    ").replace("        ", "      "), re.M | re.S)
_CALLED = re.compile(r"(\w+)ToHclTerraform")
_FLAGS = re.compile(r"// (\w+) - computed: (true|false), optional: (true|false), required: (?:true|false)")
_CLASS = re.compile(r"^export class (\w+?)(?: extends (cdktf\.\w+))? \{(.*?)^\}", re.M | re.S)
_GETTER = re.compile(r"public get (\w+)\(\) \{\n\s+(?://.*\n\s+)?return (.*?);", re.S)


def from_bindings(wheel: Path) -> dict[str, Codes]:
    """The codes of every resource type of the jsii bundle inside the wheel."""
    return {name: _Module(source).resource() for name, source in _sources(wheel)}


def _sources(wheel: Path) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(wheel) as outer:
        (bundle,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(bundle))) as inner:
            for member in inner:
                path = Path(member.name)
                file = inner.extractfile(member)
                if path.name != "index.js" or path.parent.name.startswith("data-aws-") or file is None:
                    continue
                text = file.read().decode()
                _, found, encoded = text.rpartition("sourceMappingURL=data:application/json;base64,")
                source = json.loads(base64.b64decode(encoded))["sourcesContent"][0] if found else ""
                kind = re.search(r'tfResourceType = "(aws_\w+)"', source)
                if kind:
                    yield kind[1], source


class _Module:
    """One generated TypeScript module."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.structs = {match[1]: match[0] for match in _STRUCT.finditer(source)}
        self.classes = {match[1]: (match[2] or "", match[3]) for match in _CLASS.finditer(source)}

    def resource(self) -> Codes:
        name = next(name for name, (base, _) in self.classes.items() if base == "cdktf.TerraformResource")
        body = self.classes[name][1]
        members = body[body.index("synthesizeHclAttributes()") :]
        return self._members(_MEMBER.finditer(members), body)

    def _members(self, found: Iterator[re.Match[str]], body: str) -> Codes:
        codes = {match["name"]: self._code(match, body) for match in found}
        for name, flags in _flag_table(body).items():
            if name not in codes and flags == "c":
                codes[name] = self._computed(body, name)
            elif name in codes and flags:
                codes[name] = _with_flags(codes[name], flags)
        return codes

    def _code(self, match: re.Match[str], body: str) -> Any:
        kind, storage = match["type"], match["storage"]
        struct = next((name for name in _CALLED.findall(match["value"]) if name in self.structs), None)
        if struct is None:
            return _plain(kind, storage)
        text = self.structs[struct]
        output = struct[0].upper() + struct[1:] + "OutputReference"
        below = self._members(_STRUCT_MEMBER.finditer(text), self.classes.get(output, ("", ""))[1])
        if match["block"] == "true":
            single = f"{output[: -len('OutputReference')]}List" not in self.classes and kind != "struct"
            return _code(_NESTING.get(kind, "1"), below, 1 if single else 0)
        return _code(_COLLECTIONS.get(kind, "") + "o", below)

    def _computed(self, body: str, name: str) -> Any:
        """An attribute that only the provider sets has no synthesis, so its getter tells its kind."""
        getter = re.search(rf"this\.get(\w+)Attribute\('{name}'\)", body)
        if getter:
            plain = {"String": "s", "Number": "n", "Boolean": "b", "List": "Ls", "NumberList": "Ln"}
            plain |= {f"{name}Map": "M" + code for name, code in _MAPS.items()}
            spelled = plain.get(getter[1], "d")
            if spelled[0] == "L" and f"Fn.tolist(this.get{getter[1]}Attribute('{name}'))" in body:
                spelled = "S" + spelled[1:]
            return spelled + ":c"
        listed = re.search(rf'new (\w+?)(List|Map|OutputReference)\(this, "{name}"(?:, (true|false))?\)', body)
        if listed:
            output = listed[1] + "OutputReference"
            if output in self.classes:
                inner = self.classes[output][1]
                wrapper = {"List": "S" if listed[3] == "true" else "L", "Map": "M", "OutputReference": ""}[listed[2]]
                return _code(wrapper + "o:c", self._members(iter(()), inner))
            return {"List": "Ld:c", "Map": "Md:c"}.get(listed[2], "d:c")
        mapped = re.search(rf'new cdktf\.(\w+)Map\(this, "{name}"\)', body)
        return "M" + _MAPS.get(mapped[1], "d") + ":c" if mapped else "d:c"


def _flag_table(body: str) -> dict[str, str]:
    return {
        name: "" if computed == "false" else "o" if optional == "true" else "c"
        for name, computed, optional in _FLAGS.findall(body)
    }


def _plain(kind: str, storage: str) -> str:
    scalar = {"string": "s", "number": "n", "boolean": "b", "any": "d"}
    if kind == "simple":
        return scalar[storage]
    if kind == "struct":  # of the three largest types, whose structs lie in files of their own
        return "d"
    inner = storage.removesuffix("List").removesuffix("Map")
    return _COLLECTIONS[kind] + scalar.get(inner[0].lower() + inner[1:] if inner else "", "d")


def _with_flags(code: Any, flags: str) -> Any:
    if isinstance(code, list):
        return [f"{code[0]}:{flags}", *code[1:]] if code[0][-1] == "o" else code
    return f"{code}:{flags}"


# --- both


def secrets(schema: Mapping[str, Codes]) -> frozenset[str]:
    """Attribute names that are sensitive wherever a type has them: the bindings do not tell, so names must."""
    flagged: dict[str, set[bool]] = {}

    def walk(codes: Codes) -> None:
        for name, code in codes.items():
            kind, below = (code[0], code[1]) if isinstance(code, list) else (code, {})
            flagged.setdefault(name, set()).add("x" in kind.partition(":")[2])
            walk(below)

    for codes in schema.values():
        walk(codes)
    return frozenset(name for name, seen in flagged.items() if seen == {True})


def mark(codes: Codes, names: frozenset[str]) -> Codes:
    """The codes with write-only attributes and those of ``names`` marked sensitive."""

    def marked(name: str, code: Any) -> Any:
        if isinstance(code, list):
            return [code[0], mark(code[1], names), *code[2:]]
        secret = name in names or name.endswith("_wo")
        return code + ("x" if ":" in code else ":x") if secret else code

    return {name: marked(name, code) for name, code in codes.items()}


Word = str | list[Any]
Words = tuple[Word | None, Word | None, Word | None]
Blocks = tuple[Codes | None, Codes | None, Codes | None]


def combined(three: Codes | None, five: Codes | None, six: Codes | None) -> Codes:
    """One block for three providers, each of which may lack it; what 3.39 says stands, then what 6 says.

    The flag ``+`` is for what 3.39 lacks, ``^`` for what 5.32 lacks as well.
    """
    providers = (three, five, six)
    names = dict.fromkeys(name for codes in providers if codes is not None for name in codes)
    return {name: _attribute(name, providers) for name in names}


def _attribute(name: str, providers: Blocks) -> Any:
    words: Words = tuple(None if codes is None else codes.get(name) for codes in providers)  # type: ignore[assignment]
    old, middle, new = words
    word = next(word for word in (old, new, middle) if word is not None)
    added = "+" if providers[0] is not None and old is None else ""
    added += "^" if providers[1] is not None and old is None and middle is None else ""
    kind, _, flags = _spelled(word).partition(":")
    code = f"{_kinds(kind, words)}{':' if flags or added else ''}{flags}{added}"
    if not any(isinstance(word, list) for word in words):
        return code
    below: Blocks = tuple(word[1] if isinstance(word, list) else None for word in words)  # type: ignore[assignment]
    return [code, combined(*below), *(word[2:] if isinstance(word, list) else ())]


def _spelled(word: Word) -> str:
    return str(word[0] if isinstance(word, list) else word)


def _kinds(kind: str, words: Words) -> str:
    """The kind, or three where providers have a list for a set; how they spell what is in it is not of interest."""
    spelled = [kind if word is None else _spelled(word).partition(":")[0] for word in words]
    turned = [kind if theirs.translate(_TURNED) != kind else theirs for theirs in spelled]
    return kind if turned == [kind] * 3 else "|".join(turned)


_TURNED = str.maketrans("LSle", "SLel")


def write(schema: Mapping[str, Codes], out: Path = OUT) -> int:
    """Writes the lines in order; gives the size in bytes.  The same schema gives the same bytes."""
    lines = (
        f"{name}\t{json.dumps(codes, separators=(',', ':'), sort_keys=True)}" for name, codes in sorted(schema.items())
    )
    out.write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))
    return out.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schema", type=Path, help="output of terraform providers schema -json (made when not given)")
    parser.add_argument("--five", type=Path, required=True, help="wheel of cdktf-cdktf-provider-aws for provider 5.32")
    parser.add_argument("--six", type=Path, required=True, help="the same for provider 6")
    arguments = parser.parse_args()
    base = from_provider(json.loads(arguments.schema.read_bytes()) if arguments.schema else terraform.schema())
    names = secrets(base)
    five, six = (
        {name: mark(codes, names) for name, codes in from_bindings(wheel).items()}
        for wheel in (arguments.five, arguments.six)
    )
    schema = {name: combined(base.get(name), five.get(name), six.get(name)) for name in {**base, **five, **six}}
    print(
        f"types: {len(base)} of 3.39, {len(five)} of 5.32, {len(six)} of 6, {len(schema)} in all, {write(schema)} bytes"
    )


if __name__ == "__main__":
    main()
