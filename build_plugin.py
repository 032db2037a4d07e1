#!/usr/bin/env python3
"""Builds the Falco plugin: ``build/libtfdrift.so`` for this machine, or ``--bundle`` for machines without Python."""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugin")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "libtfdrift.so", help="default: %(default)s")
    parser.add_argument("--sanitize", metavar="LIST", help="sanitizers for the C code, such as address,undefined")
    parser.add_argument("--bundle", action="store_true", help="make dist/tfdrift-VERSION-linux-ARCH.tar.gz")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where the bundle goes; default: %(default)s")
    parser.add_argument(
        "--python", type=Path, help="bundle this Python (3.11 or newer, shared) instead of the running one"
    )
    arguments = parser.parse_args()
    if arguments.python:
        return _with_python(
            arguments.python, [a for a in sys.argv[1:] if a != "--python" and a != str(arguments.python)]
        )
    from tfdrift_plugin.build import BuildError, build
    from tfdrift_plugin.bundle import bundle

    flags = [f"-fsanitize={arguments.sanitize}", "-fno-omit-frame-pointer"] if arguments.sanitize else []
    try:
        if arguments.bundle:
            print(bundle(arguments.dist, ROOT / "build" / "bundle", lambda step: print(step, file=sys.stderr)))
        else:
            print(build(arguments.output, flags=flags))
    except BuildError as error:
        print(f"build_plugin.py: {error}", file=sys.stderr)
        return 1
    return 0


def _with_python(python: Path, arguments: list[str]) -> int:
    """Run this program again in an environment of another Python."""
    folder = ROOT / "build" / "python-env"
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)  # noqa: S603 - named by the user
    inside = folder / "bin" / "python"
    packages = ["-q", "-c", str(ROOT / "constraints.txt"), "-e", str(ROOT), "--group", "bundle"]
    upgrade = [inside, "-m", "pip", "install", "-q", "--upgrade", "pip>=25.1"]  # --group is new
    subprocess.run(upgrade, check=True)  # noqa: S603
    subprocess.run([inside, "-m", "pip", "install", *packages], check=True, cwd=ROOT)  # noqa: S603
    return subprocess.run([inside, __file__, *arguments], check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
