"""Turn Falco's alerts into one HTML page, JSON or CSV."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", nargs="*")


def run(args: argparse.Namespace) -> int:
    raise NotImplementedError
