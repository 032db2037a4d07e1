"""print what makes a shell complete tfdrift's commands and options

eval "$(tfdrift completion bash)"                            in ~/.bashrc
eval "$(tfdrift completion zsh)"                             in ~/.zshrc
tfdrift completion fish > ~/.config/fish/completions/tfdrift.fish
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh", "powershell"), help="for which shell")


def run(args: argparse.Namespace) -> int:
    # No other command needs it.
    from argcomplete import shell_integration

    print(shell_integration.shellcode(["tfdrift"], shell=args.shell))
    return 0
