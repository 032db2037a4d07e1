"""The ``tfdrift`` command.  Its subcommands are the entry points of the group ``tfdrift.commands``."""

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import TextIO

from tfdrift_core import __version__
from tfdrift_core.text import message


class _Formatter(logging.Formatter):
    """A message may quote a record or a server: what it holds must neither move the cursor nor look like another."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802, its name
        return message(super().formatMessage(record))


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to what standard error is by then: a progress bar stands in for it, to print above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def parser_of(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of the command that the arguments name; of all commands where they name none."""
    parser = argparse.ArgumentParser(prog="tfdrift", description="Reports AWS changes made behind Terraform's back.")
    parser.add_argument("--version", action="version", version=f"tfdrift {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what is left out and why")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    found = sorted(entry_points(group="tfdrift.commands"), key=lambda e: e.name)
    named = next((argument for argument in arguments if not argument.startswith("-")), "")
    # Falco may start a command for every alert: the other commands' imports would cost more than the work.
    for entry in [entry for entry in found if entry.name == named] or found:
        module = entry.load()
        summary, _, rest = (module.__doc__ or "").strip().partition("\n")
        command = commands.add_parser(
            entry.name,
            help=summary,
            description=f"{summary}\n{rest}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; the exit status is 0 for success, 1 for a failure that was reported, 2 for bad usage.

    What ends in 2 as well says so in its help: with ``--detailed-exitcode``, drift.
    """
    arguments = sys.argv[1:] if argv is None else argv
    completes = "_ARGCOMPLETE" in os.environ
    parser = parser_of(os.environ.get("COMP_LINE", "").split()[1:] if completes else arguments)
    if completes:
        # Only the shell asks for it, at each press of the key.
        import argcomplete

        argcomplete.autocomplete(parser)
    args = parser.parse_args(arguments)
    handler = _Handler()
    handler.setFormatter(_Formatter("tfdrift: %(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if args.verbose else logging.INFO, handlers=[handler])
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names come from anywhere, and a terminal may know less than Unicode.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141
