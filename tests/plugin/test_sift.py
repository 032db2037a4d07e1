"""C's search for the records that matter, under sanitizers, beside the scan of the whole document."""

import gzip
import json
import os
import random
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tfdrift_plugin import build

from tests.plugin.conftest import HERE, SANITIZERS, compile_program, drive, report, settings
from tests.real.parts import MissingPartError
from tfdrift_core.records.scan import MAX_RECORD_BYTES, Scan, scan
from tfdrift_core.records.sift import AHEAD, Sifted

Sift = Callable[[list[bytes]], list[Sifted | None]]


LIBDEFLATE, ZLIB = build.INFLATERS


def program(work: Path, inflater: build.Inflater, *flags: str) -> Path:
    if inflater not in build.inflaters(build.compiler()):
        raise MissingPartError(inflater.header)
    (work / "generated.h").write_text(build.header(build.Python.running()), encoding="ascii")
    sources = [str(build.SOURCES / name) for name in ("sift.c", "ahead.c")]
    more = (*sources, *flags, *inflater.flags, *inflater.libraries)
    return compile_program(HERE / "sift.c", work / "sift", [work], *more)


def drive_sifter(program: Path, files: list[bytes], *arguments: str) -> list[Sifted | None]:
    given = b"".join(struct.pack("<I", len(file)) + file for file in files)
    environment = {**os.environ, "TSAN_OPTIONS": "exitcode=66"}
    done = subprocess.run([program, *arguments], input=given, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    found, at, left = [], 0, iter(files)
    while at < len(done.stdout):
        (size,) = struct.unpack_from("<I", done.stdout, at)
        file = next(left)
        found.append(Sifted(file, done.stdout[at + 4 : at + 4 + size]) if size else None)
        at += 4 + size
    return found


@pytest.fixture(
    scope="module",
    params=[(LIBDEFLATE,), (LIBDEFLATE, "-DTFD_PORTABLE"), (ZLIB,)],
    ids=["libdeflate", "libdeflate, portable", "zlib"],
)
def sift(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sift:
    return partial(drive_sifter, program(tmp_path_factory.mktemp("sift"), *request.param, *SANITIZERS))


def record(number: int, **members: Any) -> dict[str, Any]:
    return {"eventID": f"id-{number}", "eventName": "CreateTags", "eventSource": "ec2.amazonaws.com"} | members


def document(records: list[Any], **form: Any) -> bytes:
    return json.dumps({"Records": records}, **form).encode()


def pack(document: bytes) -> bytes:
    return gzip.compress(document, 1, mtime=0)


def told(result: Scan) -> tuple[int, int, list[dict[str, Any]], list[str]]:
    return result.read, result.bad, [dict(item.raw) for item in result.records], [str(e) for e in result.errors]


def same(sifted: Sifted, document: bytes) -> bool:
    return told(scan(sifted, "x")) == told(scan(document, "x"))


NASTY = (
    'plain "quoted" text',
    "\\",
    '\\"',
    'ends with a backslash \\\\" ',
    '{"readOnly":true}',
    '}],"Records":[{',
    "é\u2028\U0001f600\x00\x1f",
    '"readOnly"',
    "eventName",
    "",
)


def a_record(number: int, chance: random.Random) -> dict[str, Any]:
    """A record that has hostile texts where callers can put them, and members in any order."""
    members: list[tuple[str, Any]] = [
        ("eventID", f"id-{number}"),
        ("eventName", chance.choice(("CreateTags", "DeleteTags", "DescribeInstances"))),
        ("eventSource", chance.choice(("ec2.amazonaws.com", "iam.amazonaws.com"))),
        ("readOnly", chance.choice((True, True, True, False, "true", None))),
        ("userAgent", chance.choice(NASTY) * chance.randrange(9)),
        ("requestParameters", {chance.choice(NASTY): [{"eventName": "x", "readOnly": True}, chance.choice(NASTY)]}),
        ("responseElements", chance.choice((None, {}, [[]], {"a": {"b": [1, 2.5, "x" * chance.randrange(200)]}}))),
    ]
    chance.shuffle(members)
    return {"eventName": "CreateTags"} | dict(members[: chance.choice((7, 7, 7, 6))])


def documents(seed: int, number: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(number):
        records = [a_record(n, chance) for n in range(chance.randrange(1, 60))]
        form = chance.choice(({}, {"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}))
        yield document(records, **form)


def test_finds_what_the_scan_of_the_whole_finds(sift: Sift) -> None:
    made = list(documents(1, 400))
    for found, whole in zip(sift([pack(each) for each in made]), made, strict=True):
        assert found is not None
        assert same(found, whole)


def test_a_record_may_lie_anywhere_in_a_block(sift: Sift) -> None:
    made = [document([record(1, userAgent="x" * n, readOnly=n % 2 == 0), record(2)]) for n in range(300)]
    made += [b" " * n + made[0] for n in range(1, 130)]
    for found, whole in zip(sift([pack(each) for each in made]), made, strict=True):
        assert found is not None
        assert same(found, whole)


def test_a_file_may_be_large(sift: Sift) -> None:
    noise = random.Random(3)
    records = [
        record(n, readOnly=n % 9 > 0, requestParameters={"x": noise.randbytes(noise.randrange(9000)).hex()})
        for n in range(400)
    ]
    large = record(400, requestParameters={"x": "y" * (MAX_RECORD_BYTES - 2000)})
    whole = document([*records, large, *records])
    assert len(whole) > 4 << 20
    (found,) = sift([pack(whole)])
    assert found is not None
    assert found.read == 801
    assert same(found, whole)


@pytest.mark.parametrize(
    "whole",
    [
        b"",
        b"[]",
        b"{}",
        document([]).replace(b"Records", b"records"),
        document([])[:-1],
        document([]) + b"{}",
        document([]) + b"x",
        b'{"Records":[],"Records":[]}',
        b'{"more":1,"Records":[]}',
        document([record(1)])[:-1] + b',"more":1}',
        document([record(1), 2]),
        document([[record(1)]]),
        document([record(1), record(2)]).replace(b"}, {", b"} {"),
        document([record(1), record(2)]).replace(b"}, {", b"},, {"),
        document([record(1), record(2)]).replace(b"}, {", b"}, 1, {"),
        document([record(1)])[:-2] + b",]}",
        document([record(1, readOnly=True)])[:-3] + b',"readOnly":false}]}',
        document([record(1)])[:-3] + b"]]}",
        document([{"detail": record(1)}]),
        document([record(1, eventName=None)]),
        document([record(1, eventName="Create\\Tags")]),
        document([record(1, eventSource=7)]),
        document([record(1, requestParameters={"x": "y" * MAX_RECORD_BYTES})]),
        document([record(1, requestParameters=json.loads("[" * 70 + "]" * 70))]),
        document([record(1, requestParameters="x")]).replace(b'"x"}', b'"x}'),
        json.dumps(record(1)).encode(),
        b"\n".join(json.dumps(record(n)).encode() for n in range(3)),
        b"\xef\xbb\xbf" + document([record(1)]),
    ],
)
def test_leaves_what_cloudtrail_does_not_write_to_python(sift: Sift, whole: bytes) -> None:
    assert sift([pack(whole)]) == [None]


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x1f\x8b",
        document([record(1)]),
        pack(document([record(1)]))[:-1],
        pack(document([record(1)]))[:-9] + b"\0" * 9,
        pack(document([record(1)]))[:-4] + struct.pack("<I", 20),
        pack(document([record(1)]))[:-4] + struct.pack("<I", 100 << 20),
        pack(document([record(1)]))[:-4] + b"\xff" * 4,
        pack(document([record(1)])) + b"\0",
        pack(document([])[:5]) + pack(document([])[5:]),
        pack(pack(document([record(1)]))),
        pack(b"[" * (140 << 20)),
        pack(b'{"Records":[' + b" " * (140 << 20) + b"]}"),
    ],
    ids=[
        "empty",
        "head",
        "plain",
        "short",
        "damaged",
        "smaller",
        "larger",
        "largest",
        "tail",
        "two members",
        "twice",
        "brackets",
        "spaces",
    ],
)
def test_leaves_what_is_no_sound_file_to_python(sift: Sift, packed: bytes) -> None:
    assert sift([packed]) == [None]


def test_takes_nothing_from_one_file_to_the_next(sift: Sift) -> None:
    good = pack(document([record(1), record(2, readOnly=True)]))
    odd = [pack(document([record(1)])[:-3]), pack(b'{"Records":[{"a":"'), pack(b'{"Records":[{"a":"\\')]
    found = sift([each for bad in odd for each in (bad, good)])
    assert [each and each.read for each in found] == [None, 2] * 3


def damaged(document: bytes, chance: random.Random) -> bytes:
    """The document with bytes changed, and pieces of it left out or put in elsewhere."""
    made = bytearray(document)
    for _ in range(chance.randrange(1, 5)):
        at, other, size = chance.randrange(len(made)), chance.randrange(len(made)), chance.randrange(300)
        piece = chance.choice((b"", b'"', b"\\", b"{", b"}", b"]", b"[", b",", b"\xff", made[other : other + size]))
        made[at : at + chance.choice((0, 1, 2, size))] = piece
    return bytes(made)


def test_no_damage_hides_a_record(sift: Sift) -> None:
    """Whatever was changed in it, a document that is sifted gives every record that the scan of the whole gives."""
    chance = random.Random(5)
    made = [damaged(whole, chance) for whole in documents(7, 3000)]
    taken = 0
    for found, whole in zip(sift([pack(each) for each in made]), made, strict=True):
        if found is None:
            continue
        taken += 1
        mine = scan(found, "x").records
        assert [item.raw for item in scan(whole, "x").records if item not in mine] == []
    assert taken > 100


def test_a_text_is_not_taken_for_a_key(sift: Sift) -> None:
    made = [
        document([record(1, userAgent=text, other=text, readOnly=read)], indent=indent)
        for text in ("readOnly", "eventName", "eventSource")
        for read in (True, False)
        for indent in (None, 4)
    ]
    for found, whole in zip(sift([pack(each) for each in made]), made, strict=True):
        assert found is not None
        assert same(found, whole)


def test_a_record_that_is_not_unicode_is_repaired(sift: Sift) -> None:
    whole = document([record(1, readOnly=True), record(2, userAgent="?!"), record(3)]).replace(b"?!", b"\xff!")
    (found,) = sift([pack(whole)])
    assert found is not None
    assert same(found, whole)
    assert scan(found, "x").bad == 1


def test_the_plugin_sifts_compressed_files(
    driver: Path, library: Path, trail: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    lines = (trail / "trail.json").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    reads = [record(n, eventName="DescribeInstances", readOnly=True) for n in range(500)]
    (tmp_path / "a.json.gz").write_bytes(pack(document([*reads, *records[:20], *reads])))
    (tmp_path / "b.json").write_bytes(document(records[20:25]))
    (tmp_path / "c.json.gz").write_bytes(pack("\n".join(lines[25:30]).encode()))
    (tmp_path / "d.json.gz").write_bytes(pack(document([*reads, *records[30:]])))
    summary = report(drive(driver, library, settings(trail), str(tmp_path), 1, environment))
    assert summary["events"] == len(records)


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_a_thread_ahead_gives_the_same(tmp_path: Path, sanitizer: str) -> None:
    sifter = program(tmp_path, LIBDEFLATE, f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")
    files = [pack(whole) for whole in documents(11, 300)]
    files[7::10] = [b"", pack(b"{}")] * 15
    assert drive_sifter(sifter, files, "ahead") == drive_sifter(sifter, files)[:-AHEAD]


@pytest.mark.parametrize("form", [bytes, pack])
def test_the_plugin_reads_a_pipe_once(
    form: Callable[[bytes], bytes],
    driver: Path,
    library: Path,
    trail: Path,
    tmp_path: Path,
    environment: dict[str, str],
) -> None:
    lines = (trail / "trail.json").read_bytes()
    pipe = tmp_path / "trail.json.gz"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(form(lines),), daemon=True)
    writer.start()
    summary = report(drive(driver, library, settings(trail), str(pipe), 1, environment))
    assert summary["events"] == lines.count(b"\n")
