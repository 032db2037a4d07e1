"""print the manual page, made from the commands' own help

tfdrift man | man -l -
"""

import argparse
import re
from collections.abc import Iterator

from tfdrift_core import __version__

_STATUS = (
    "0 for success, 1 for a failure that was reported, 2 for wrong usage. Where a command's 2 means drift, it says so."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    # Which commands there are, the commands do not know.
    from tfdrift_core.cli import parser_of

    print(page(parser_of()))
    return 0


def page(parser: argparse.ArgumentParser) -> str:
    """The page in roff (man(7)), for a program whose commands are subparsers."""
    version = f"{parser.prog} {__version__}"
    lines = [f'.TH "{_escaped(parser.prog.upper())}" "1" "" "{_escaped(version)}" "User Commands"']
    lines += [".SH NAME", rf"{_escaped(parser.prog)} \- {_escaped(_lower(parser.description or ''))}"]
    lines += [".SH SYNOPSIS", *_usage(parser)]
    lines += [".SH OPTIONS", *_options(parser)]
    lines += [".SH COMMANDS"]
    for name, command in _commands(parser):
        lines += [f".SS {_escaped(f'{parser.prog} {name}')}"]
        lines += [*_usage(command), *_text(command.description or ""), *_options(command)]
        for inner, action in _commands(command):
            lines += [".TP", rf"\fB{_escaped(f'{name} {inner}')}\fR"]
            lines += [*_usage(action)[1:], *_options(action)]
    return "\n".join([*lines, ".SH EXIT STATUS", _escaped(_STATUS)])


def _lower(sentence: str) -> str:
    text = " ".join(sentence.split())
    return text[:1].lower() + text[1:].rstrip(".")


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _usage(parser: argparse.ArgumentParser) -> list[str]:
    text = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return [".PP", rf"\fB{_escaped(parser.prog)}\fR{_escaped(text.removeprefix(parser.prog))}"]


def _text(text: str) -> Iterator[str]:
    """Paragraphs; one that shows commands or files keeps its lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        lines = paragraph.splitlines()
        shown = any(line.startswith(("tfdrift ", "  ", "terraform ")) for line in lines)
        yield ".PP"
        yield from (".RS", ".nf") if shown else ()
        yield from (_escaped(line) for line in lines if line.strip())
        yield from (".fi", ".RE") if shown else ()


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction) and action.help != argparse.SUPPRESS:
            yield ".TP"
            yield _invocation(action)
            yield _escaped((action.help or "") % {"prog": parser.prog, **vars(action)})


def _invocation(action: argparse.Action) -> str:
    choices = f"{{{','.join(map(str, action.choices))}}}" if action.choices is not None else ""
    plain = action.metavar if isinstance(action.metavar, str) else choices or action.dest.upper()
    value = {0: "", "?": f"[{plain}]", "*": f"[{plain} ...]", "+": f"{plain} ..."}.get(action.nargs or "", plain)
    if action.nargs == 0:
        value = ""
    names = ", ".join(rf"\fB{_escaped(name)}\fR" for name in action.option_strings)
    return f"{names} {_escaped(value)}".strip()


def _escaped(text: str) -> str:
    r"""``text`` so that roff prints it: a dot or quote that begins a line would be a request."""
    safe = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{safe}" if safe[:1] in (".", "'") else safe
