"""Who wrote a line: as Git itself says it, and without anything that Git would execute."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.real.parts import MissingPartError
from tfdrift_core.terraform.blame import Author, Deadline, TooLongError, authors, matching
from tfdrift_core.terraform.checkout import Checkouts

FILE = "infra/main.tf"


class Checkout:
    """A real repository; every commit is by another person."""

    def __init__(self, root: Path) -> None:
        if shutil.which("git") is None:
            raise MissingPartError("git is not on PATH", "apt-get install git")
        self.root, self.count = root, 0
        root.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")

    @property
    def file(self) -> Path:
        return self.root / FILE

    def git(self, *arguments: str) -> str:
        person = {f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER") for what, text in self.person.items()}
        environment = {**os.environ, **person, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-C", self.root, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def person(self) -> dict[str, str]:
        # Seconds apart: the order of commits is that of their times.
        return {
            "NAME": f"P{self.count}",
            "EMAIL": f"p{self.count}@x.example",
            "DATE": f"{1_700_000_000 + self.count} +0000",
        }

    def commit(self, *lines: str, path: str = FILE) -> str:
        self.count += 1
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines))
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"change {self.count}")
        return self.git("rev-parse", "HEAD").strip()

    def by_git(self, path: str = FILE) -> list[str]:
        lines = (line.split() for line in self.git("blame", "--porcelain", path).splitlines())
        return [line[0] for line in lines if len(line) >= 3 and len(line[0]) == 40 and line[1].isdigit()]

    def by_us(self, path: str = FILE) -> list[str]:
        return [author.commit if author else "" for author in told(self.root, self.root / path)]


def told(root: Path, file: Path) -> Sequence[Author | None]:
    return authors(root, file, Deadline.within(60))[:-1]  # what comes behind the last line end is no line


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "repository")


BLOCK = ('resource "aws_instance" "app" {', '  ami = "a"', '  instance_type = "t3.micro"', "}")


def test_each_line_has_its_author(checkout: Checkout) -> None:
    first = checkout.commit(*BLOCK)
    second = checkout.commit(*BLOCK[:2], '  instance_type = "t3.small"', "  monitoring = true", "}")
    checkout.commit("x", path="other.tf")
    assert checkout.by_us() == [first, first, second, second, first] == checkout.by_git()
    assert told(checkout.root, checkout.file)[2] == Author(second, "P2 <p2@x.example>")


def test_branches_and_merges(checkout: Checkout) -> None:
    lines = [f"line {n}" for n in range(40)]
    checkout.commit(*lines)
    checkout.git("checkout", "-q", "-b", "side")
    lines[5] = "by the side"
    checkout.commit(*lines)
    checkout.git("checkout", "-q", "main")
    ours = [*[f"line {n}" for n in range(35)], "by main", *lines[36:]]
    checkout.commit(*ours)
    checkout.count += 1
    checkout.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    checkout.git("checkout", "-q", "-b", "other", "HEAD~1")
    checkout.commit("y", path="other.tf")
    checkout.count += 1
    checkout.git("merge", "-q", "--no-ff", "-m", "merge", "main")
    assert len(set(checkout.by_us())) == 3
    assert checkout.by_us() == checkout.by_git()


def test_a_renamed_file_keeps_its_authors(checkout: Checkout) -> None:
    lines = [f"line {n}" for n in range(20)]
    first = checkout.commit(*lines)
    checkout.file.unlink()
    moved = checkout.commit(*lines[:-1], "changed as it moved", path="modules/web/main.tf")
    assert checkout.by_us("modules/web/main.tf") == [first] * 19 + [moved] == checkout.by_git("modules/web/main.tf")


def test_what_is_not_committed_has_no_author(checkout: Checkout) -> None:
    first = checkout.commit(*BLOCK)
    checkout.file.write_text("\n".join(("# new", *BLOCK)) + "\n")
    assert checkout.by_us() == ["", *[first] * 4]
    (checkout.root / "new.tf").write_text("x\n")
    assert checkout.by_us("new.tf") == [""]


def test_line_ends_of_a_checkout_do_not_matter(checkout: Checkout) -> None:
    first = checkout.commit(*BLOCK)
    checkout.file.write_bytes(checkout.file.read_bytes().replace(b"\n", b"\r\n"))
    assert checkout.by_us() == [first] * 4


def test_a_shallow_clone_knows_only_what_it_has(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit(*BLOCK)
    last = checkout.commit(*BLOCK[:-1], "  monitoring = true", "}")
    checkout.commit("x", path="other.tf")
    clone = Checkout(tmp_path / "clone")
    shutil.rmtree(clone.root)
    checkout.git("clone", "-q", "--depth", "2", f"file://{checkout.root}", str(clone.root))
    assert clone.by_us() == [""] * 5
    clone.git("fetch", "-q", "--unshallow")
    assert clone.by_us() == checkout.by_git()
    assert last in clone.by_us()


def test_worktrees_and_packs(checkout: Checkout, tmp_path: Path) -> None:
    first = checkout.commit(*BLOCK)
    checkout.git("gc", "-q")
    checkout.git("pack-refs", "--all")
    checkout.git("worktree", "add", "-q", str(tmp_path / "tree"))
    file = tmp_path / "tree" / FILE
    assert [author and author.commit for author in told(tmp_path / "tree", file)] == [first] * 4


def test_nothing_that_a_repository_names_is_run(checkout: Checkout, tmp_path: Path) -> None:
    first = checkout.commit(*BLOCK)
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\necho run >> {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    (checkout.root / ".gitattributes").write_text("*.tf diff=evil filter=evil merge=evil\n")
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "diff.external", "diff.evil.textconv",
                 "diff.evil.command", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process",
                 "core.askPass", "gpg.program", "core.editor", "uploadpack.packObjectsHook"):  # fmt: skip
        checkout.git("config", name, str(trap))
    for hook in ("post-checkout", "pre-commit", "fsmonitor-watchman", "reference-transaction", "post-index-change"):
        shutil.copy(trap, checkout.root / ".git" / "hooks" / hook)
    assert checkout.by_us() == [first] * 4
    assert not (tmp_path / "sprung").exists()
    checkout.by_git()
    assert (tmp_path / "sprung").exists()  # the trap works: Git itself runs into it


def test_configuration_of_the_repository_is_not_read(checkout: Checkout) -> None:
    first = checkout.commit(*BLOCK)
    os.mkfifo(checkout.root / "endless")
    (checkout.root / ".git" / "config").write_text(
        f"[include]\npath = {checkout.root}/endless\n[core]\nworktree = /etc\n"
    )
    assert checkout.by_us() == [first] * 4


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no objects": lambda git: shutil.rmtree(git / "objects"),
    "no head": lambda git: (git / "HEAD").unlink(),
    "head is nonsense": lambda git: (git / "HEAD").write_bytes(b"\xff\0nonsense"),
    "head leads to itself": lambda git: (git / "HEAD").write_text("ref: HEAD\n"),
    "head leads out": lambda git: (git / "HEAD").write_text("ref: ../../../../etc/passwd\n"),
    "head is a tree": lambda git: (git / "HEAD").write_text("4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"),
    "objects are cut": lambda git: [
        (path.chmod(0o644), path.write_bytes(path.read_bytes()[:9]))
        for path in (git / "objects").rglob("*")
        if path.is_file()
    ],
    "objects are others": lambda git: [
        (path.chmod(0o644), path.write_bytes(b"x" * 99)) for path in (git / "objects").rglob("*") if path.is_file()
    ],
    "the common folder is none": lambda git: (git / "commondir").write_text("/dev/null\n"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_repository_says_nothing(checkout: Checkout, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    checkout.commit(*BLOCK)
    DAMAGE[damage](checkout.root / ".git")
    caplog.set_level("INFO")
    checkouts = Checkouts(patience=60)
    assert checkouts.author(str(checkout.file), 1) is None
    assert checkouts.author(str(checkout.file), 2) is None
    assert len([record for record in caplog.records if "who wrote a line is not known" in record.message]) == 1


def test_it_is_asked_for_in_lines_of_the_file_as_it_is(checkout: Checkout) -> None:
    first = checkout.commit(*BLOCK)
    checkouts = Checkouts(patience=60)
    (checkout.root / "CODEOWNERS").write_text("* @all\n/infra/ @net @x/y\n")
    found = checkouts.author(str(checkout.file), 3)
    assert found is not None
    assert found.commit == first
    assert [checkouts.author(str(checkout.file), line) for line in (0, -1, 6, 99)] == [None] * 4
    assert checkouts.author(str(checkout.root / "none.tf"), 1) is None
    assert checkouts.author("nul\0", 1) is None
    assert checkouts.owners(str(checkout.file)) == ("@net", "@x/y")
    assert checkouts.owners("/proc/self/status") == ()


def test_nobody_waits_for_what_hangs(checkout: Checkout) -> None:
    checkout.commit(*BLOCK)
    head = checkout.root / ".git" / "HEAD"
    head.unlink()
    os.mkfifo(head)
    checkouts = Checkouts(patience=0.05)
    others = [checkout.root / f"{n}.tf" for n in range(200)]
    for file in others:
        file.write_text("x\n")
    # Only the first one waits; two hundred waits would be as long as a test may take.
    checkouts._authors._patience = 0.05
    assert checkouts.author(str(checkout.file), 1) is None
    checkouts._authors._patience = 600.0
    assert [checkouts.author(str(file), 1) for file in others] == [None] * 200
    with head.open("wb") as pipe:
        pipe.write(b"ref: refs/heads/main\n")


def test_where_nobody_may_look_nothing_is_known(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    checkout.commit(*BLOCK)
    checkouts, stat = Checkouts(patience=600.0), os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: denied() if ".git" in str(path) else stat(path, **more))
    assert checkouts.author(str(checkout.file), 1) is None
    assert checkouts.owners(str(checkout.file)) == ()


def test_too_much_is_not_looked_through(checkout: Checkout) -> None:
    checkout.commit(*BLOCK)
    with pytest.raises(TooLongError):
        authors(checkout.root, checkout.file, Deadline.within(-1))
    over = threading.Event()
    over.set()
    with pytest.raises(TooLongError):
        authors(checkout.root, checkout.file, Deadline.within(60, over))
    checkout.file.write_bytes(b"\n" * 30_000)
    with pytest.raises(TooLongError):
        authors(checkout.root, checkout.file, Deadline.within(60))


@pytest.mark.parametrize(
    ("mine", "theirs", "pairs"),
    [
        ("", "", []),
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "xyz", []),
        ("aXbYc", "abc", [(0, 0), (2, 1), (4, 2)]),
        ("xaby", "zbaw", [(1, 2)]),
        ("}a}b}", "}b}a}", [(0, 0), (1, 3), (4, 4)]),
        ("aaaa", "aa", [(0, 0), (1, 1)]),
    ],
)
def test_matching(mine: str, theirs: str, pairs: list[tuple[int, int]]) -> None:
    def lines(text: str) -> list[bytes]:
        return [character.encode() for character in text]

    found = sorted(matching(lines(mine), lines(theirs), Deadline.within(60)))
    assert all(mine[i] == theirs[j] for i, j in found)
    assert len(found) == len(pairs)
    assert [j for _, j in found] == sorted(j for _, j in found)
