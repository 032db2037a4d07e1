"""``make install`` and ``make uninstall``, with DESTDIR, from a built artifact."""

import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import tfdrift_core
from tests.real.forky import REPO

PLUGINS = "usr/share/falco/plugins"
FRAGMENT = "etc/falco/config.d/falco.tfdrift.yaml"


@pytest.fixture
def checkout(artifact: Path, tmp_path: Path) -> Path:
    """As much of a checkout as installing takes."""
    folder = tmp_path / "checkout"
    for name in ("Makefile", "rules/tfdrift_rules.yaml", "deploy/host/falco.tfdrift.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, folder / name)
    (folder / "dist").mkdir()
    name = f"tfdrift-{tfdrift_core.__version__}-linux-{platform.machine()}.tar.gz"
    (folder / "dist" / name).symlink_to(artifact)
    return folder


def make(checkout: Path, *arguments: str) -> str:
    # The artifact is there already.
    command = ["make", "-C", checkout, "-o", "bundle", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_install_upgrade_and_uninstall(checkout: Path, artifact: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    others = root / PLUGINS / "libcloudtrail.so"
    stale = root / PLUGINS / "tfdrift-0.0.9" / "site" / "gone.pyc"
    for path in (others, stale):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    assert "falco.tfdrift.yaml, then restart Falco" in make(checkout, "install", f"DESTDIR={root}")
    with tarfile.open(artifact) as tar:
        expected = {entry.name for entry in tar if entry.isreg()} | {others.name}
    installed = root / PLUGINS
    assert {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()} == expected
    assert (root / "etc/falco/tfdrift_rules.yaml").is_file()
    command = root / "usr/bin/tfdrift"
    assert command.resolve() == installed / "bin/tfdrift"
    done = subprocess.run([command, "--version"], env={}, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == f"tfdrift {tfdrift_core.__version__}\n"
    assert "replay" in (root / "usr/share/man/man1/tfdrift.1").read_text()
    assert "tfdrift" in (root / "usr/share/bash-completion/completions/tfdrift").read_text()
    # It may name credentials' places; nobody but Falco needs it.
    assert (root / FRAGMENT).stat().st_mode & 0o777 == 0o600

    inode = (installed / "libtfdrift.so").stat().st_ino
    with (installed / "libtfdrift.so").open("rb"):  # as Falco holds it
        (root / FRAGMENT).write_text("# mine\n")
        make(checkout, "install", f"DESTDIR={root}")
        assert (installed / "libtfdrift.so").stat().st_ino != inode
    assert (root / FRAGMENT).read_text() == "# mine\n"

    make(checkout, "uninstall", f"DESTDIR={root}")
    left = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert left == {f"{PLUGINS}/{others.name}", f"{FRAGMENT}.disabled"}
    assert not command.is_symlink()


def test_another_program_of_that_name_stays(checkout: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    command = root / "usr/bin/tfdrift"
    command.parent.mkdir(parents=True)
    command.write_text("not ours")
    make(checkout, "install", f"DESTDIR={root}")
    make(checkout, "uninstall", f"DESTDIR={root}")
    assert command.read_text() == "not ours"


def test_another_prefix(checkout: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(checkout, "install", f"DESTDIR={root}", "prefix=/opt/falco", "sysconfdir=/opt/falco/etc")
    assert (root / "opt/falco/share/falco/plugins/libtfdrift.so").is_file()
    assert (root / "opt/falco/etc/falco/config.d/falco.tfdrift.yaml").is_file()
