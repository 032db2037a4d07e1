"""The plugin's C extraction under sanitizers, on payloads as only a hostile capture file would hold them."""

import json
import random
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tfdrift_plugin import build

from tests.events import WEB, drift_event
from tests.plugin.conftest import HERE, SANITIZERS, compile_program
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.output import payload
from tfdrift_core.output.fields import BY_NAME, FIELDS

_HEAD = struct.Struct("<HHI")
_EVENTS = (
    drift_event(old_value="t3.micro", new_value="t3.small"),
    drift_event(added=("10.0.0.0/8", "0.0.0.0/0"), removed=("x",), old_value="é\ud800", hint='say "hi"\n\\'),
    drift_event({"requestParameters": {"deep": [[[["x"]]]]}, "userIdentity": {}}),
    drift_event(resource=replace(WEB, tags=(("Team", "web"), ("a=b", "c=d"), ("a", "b=c=d"), ("x\\", "\\"), ("", "")))),
)
_ALIASES = {"evt.name", "resource", "user"}
_NASTY = (0, 1, 3, 7, 8, 9, 0x7F, 0x80, 0xC0, 0xED, 0xF4, 0xFF)


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("fuzz")
    (work / "generated.h").write_text(build.header(build.Python.running()), encoding="ascii")
    return compile_program(HERE / "fuzz.c", work / "fuzz", [work], str(build.SOURCES / "payload.c"), *SANITIZERS)


def run(program: Path, payloads: list[bytes], *keys: str) -> list[str]:
    corpus = b"".join(struct.pack("<I", len(p)) + p for p in payloads)
    done = subprocess.run([program, *keys], input=corpus, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8").splitlines()


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Payloads with bytes changed, cut, doubled and spliced, and with lengths and numbers at their limits."""
    chance = random.Random(seed)
    samples = [payload.encode(event) for event in _EVENTS]
    for _ in range(count):
        data = bytearray(chance.choice(samples))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data)) if data else 0
            match chance.randrange(6):
                case 0 if data:
                    data[at] = chance.choice(_NASTY)
                case 1:
                    del data[at:]
                case 2:
                    data[at:at] = chance.randbytes(chance.randint(1, 9))
                case 3:
                    data += _HEAD.pack(chance.choice([1, 6, 20, 22, 47, 0xFFFF]), 0, chance.choice([0, 8, 0xFFFFFFFF]))
                case 4 if len(data) > 12:
                    struct.pack_into("<I", data, 8, chance.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFF8, len(data)]))
                case 5:
                    other = chance.choice(samples)
                    data[at:] = other[chance.randrange(len(other)) :]
        yield bytes(data)


def test_c_reads_what_python_wrote(fuzz: Path) -> None:
    for event, line in zip(_EVENTS, run(fuzz, [payload.encode(event) for event in _EVENTS]), strict=True):
        shown = json.loads(line)
        values, _ = payload.decode(payload.encode(event))
        assert shown == {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if name not in _ALIASES
        }


def test_no_payload_makes_c_read_outside_of_it(fuzz: Path) -> None:
    payloads = [*mutations(1, 20_000), b"", b"TFD", payload.MAGIC, payload.MAGIC + b"\0" * 7]
    lines = run(fuzz, payloads)
    assert len(lines) == len(payloads)
    for line in lines:
        shown = json.loads(line)
        assert shown is None or set(shown) <= set(BY_NAME)


def test_a_key_selects_its_own_value(fuzz: Path) -> None:
    keys = ("Team", "team", "a=b", "a", "x\\", "x", "", "Tea", "Teams")
    (line,) = run(fuzz, [payload.encode(_EVENTS[-1])], *keys)
    assert line.partition(" {")[0] == "web - c=d b=c=d \\ -  - -"


def test_no_keys_make_c_read_outside_of_a_payload(fuzz: Path) -> None:
    head = [payload.MAGIC + _HEAD.pack(BY_NAME["tf.tags"].number, 0, len(text)) + text for text in
            (b"=\0", b"\\\0", b"\\=\0", b"Team\0", b"\0", b"Team\\", b"=", b"Team=\xff\0")]  # fmt: skip
    assert len(run(fuzz, [*head, *mutations(2, 5_000)], "Team", "", "\\", "x" * 300)) == 5_000 + len(head)


@pytest.mark.parametrize(
    "text",
    [b"\xff\0", b"a\xed\xa0\x80\0", b"\xc0\x80\0", b"\xf4\x90\x80\x80\0", b"\xe2\x82\0", b"no end", b"in\0side\0", b""],
)
def test_a_text_that_falco_could_not_bear_is_absent(fuzz: Path, text: bytes) -> None:
    number = BY_NAME["drift.old_value"].number
    head = payload.MAGIC + _HEAD.pack(number, 0, len(text)) + text
    good = _HEAD.pack(number + 1, 0, 2) + b"x\0"
    assert run(fuzz, [head + good]) == ['{"drift.new_value":"x"}']


@pytest.mark.parametrize("text", ["", "plain", "é €", "\U0010ffff", "\U00010000", "\ud7ff", "\ue000", "\x01\x7f"])
def test_all_of_utf8_passes(fuzz: Path, text: str) -> None:
    event: DriftEvent = drift_event(old_value=text or None)
    assert json.loads(run(fuzz, [payload.encode(event)])[0]).get("drift.old_value", "") == text


def test_a_long_list_is_read_whole(fuzz: Path) -> None:
    event = drift_event(added=tuple(str(i) for i in range(10_000)))
    assert json.loads(run(fuzz, [payload.encode(event)])[0])["drift.added"] == list(event.added)


def test_the_table_is_in_c(fuzz: Path) -> None:
    every = payload.MAGIC + b"".join(_HEAD.pack(n, 0, 8) + b"1234567\0" for n in sorted({f.number for f in FIELDS}))
    assert set(json.loads(run(fuzz, [every])[0])) == {f.name for f in FIELDS} - _ALIASES
