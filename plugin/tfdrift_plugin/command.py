"""build the shared library for this machine, and say where it is

  tfdrift plugin build                      for the Python that runs tfdrift
  tfdrift plugin path                       for library_path in falco.yaml

The library uses this Python and the modules that are installed for it.  The artifact for machines without Python is
made in a checkout: make bundle.
"""

import argparse
import sys
from pathlib import Path

from tfdrift_plugin.places import BUNDLED, LIBRARY


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="build libtfdrift.so")
    build.add_argument("-o", "--output", type=Path, default=LIBRARY, metavar="FILE", help="default: %(default)s")
    actions.add_parser("path", help="print the path of libtfdrift.so")


def run(args: argparse.Namespace) -> int:
    return _path() if args.action == "path" else _build(args.output.absolute())


def _path() -> int:
    if not LIBRARY.is_file():
        print(f"tfdrift: error: {LIBRARY} does not exist: tfdrift plugin build", file=sys.stderr)
        return 1
    print(LIBRARY)
    return 0


def _build(output: Path) -> int:
    if BUNDLED:
        print(f"tfdrift: error: nothing to build: this installation brings {LIBRARY}", file=sys.stderr)
        return 1
    # Needs a compiler's worth of modules that no other command does.
    from tfdrift_plugin.build import BuildError, build

    try:
        print(build(output))
    except BuildError as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"tfdrift: error: {error.filename}: {error.strerror}; name another place with --output", file=sys.stderr)
        return 1
    return 0
