#!/usr/bin/env python3
"""Builds the Falco plugin: ``build/libtfdrift.so`` for this machine."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugin")]

from tfdrift_plugin.build import BuildError, build  # noqa: E402 - found through the path set above


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "libtfdrift.so", help="default: %(default)s")
    parser.add_argument("--sanitize", metavar="LIST", help="sanitizers for the C code, such as address,undefined")
    arguments = parser.parse_args()
    flags = [f"-fsanitize={arguments.sanitize}", "-fno-omit-frame-pointer"] if arguments.sanitize else []
    try:
        print(build(arguments.output, flags=flags))
    except BuildError as error:
        print(f"build_plugin.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
