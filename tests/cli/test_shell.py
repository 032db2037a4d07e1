"""Completion in a real shell, and the manual page in real roff."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.parts import MissingPartError
from tfdrift_core.cli import main, man, parser_of

BIN = Path(sys.executable).parent
COMPLETE = """
eval "$(tfdrift completion bash)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
read -ra COMP_WORDS <<< "$1"
[[ $1 == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_python_argcomplete tfdrift
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(line: str) -> set[str]:
    if not shutil.which("bash"):
        raise MissingPartError("bash")
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "--norc", "-c", COMPLETE, "bash", line]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    return {word.strip() for word in done.stdout.splitlines()}


def test_bash_completes_commands_options_and_choices() -> None:
    assert completed("tfdrift rep") == {"replay", "report"}
    assert completed("tfdrift replay --detailed-ex") == {"--detailed-exitcode"}
    assert completed("tfdrift plugin ") >= {"build", "path"}
    assert completed("tfdrift run --format ") == {"readable", "falco"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_own_code(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "tfdrift" in capsys.readouterr().out


def roff(page: str, *options: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which("groff"):
        raise MissingPartError("groff")
    command = ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", *options]
    return subprocess.run(command, input=page, capture_output=True, text=True, check=True, timeout=120)


def test_the_manual_has_every_command_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["man"]) == 0
    done = roff(capsys.readouterr().out, "-rLL=200n")
    assert done.stderr == ""
    for action in parser_of()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                assert f"tfdrift {name}\n" in done.stdout
                shown = (one for one in command._actions if one.help != argparse.SUPPRESS)
                for option in (text for one in shown for text in one.option_strings):
                    assert option in done.stdout


def test_what_roff_would_obey_is_printed() -> None:
    parser = argparse.ArgumentParser(prog="x", description=".SH a\n\n'so /etc/passwd\n\n  a\\nb -c")
    parser.add_argument("--y", help=".br 100%% of %(prog)s", choices=("a", "b"))
    commands = parser.add_subparsers()
    commands.add_parser("z", description=".SH a\n\n'so /etc/passwd\n\n  a\\nb -c")
    done = roff(man.page(parser))
    assert done.stderr == ""
    for text in (".br 100% of x", "'so /etc/passwd", "a\\nb -c", "--y {a,b}"):
        assert text in done.stdout
