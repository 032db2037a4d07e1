"""Asks Terraform, or OpenTofu, for a refresh-only plan of some resources: reads, locks nothing, applies nothing."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tfdrift_core.blame.plan import PlanError
from tfdrift_core.text import one_line
from tfdrift_core.verify.plan import Seen, load

_PROGRAMS: Final = ("terraform", "tofu")
_LONG: Final = 600
_MAX_ADDRESSES: Final = 500
"""A command line has an end: beyond that a plan is made of everything."""

_NOT_INITIALISED: Final = re.compile(
    r"\b(terraform|tofu) init\b|Backend initialization required|Module not installed|Inconsistent dependency lock file"
)
_CREDENTIALS: Final = re.compile(
    r"No valid credential sources|Invalid provider configuration|ExpiredToken|InvalidClientTokenId|AccessDenied"
    r"|UnrecognizedClientException|SignatureDoesNotMatch|AuthFailure|UnauthorizedOperation|not authorized to perform"
    r"|error configuring Terraform AWS Provider|validating provider credentials|no EC2 IMDS role found",
    re.IGNORECASE,
)
_ERROR: Final = re.compile(r"^\W*Error: (.+)$", re.MULTILINE)
_ADVICE: Final = (
    (
        "No value for required variable",
        "give it as Terraform takes it: TF_VAR_NAME, or TF_CLI_ARGS_plan=-var-file=FILE",
    ),
    ("Unsupported state file format", "the state was written by a newer Terraform; use that one"),
    ("but the current workspace", "choose it with --workspace"),
)


class TerraformError(Exception):
    """There is no plan; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Terraform:
    """How Terraform is called: ``program`` is a path.  ``timeout`` is in seconds."""

    program: str
    timeout: float = 1800.0

    @property
    def name(self) -> str:
        return Path(self.program).name

    def plan(self, directory: Path, workspace: str, addresses: Sequence[str]) -> Seen:
        """What is there of these resources by now; without a workspace, in the one that is selected.

        The plan is kept in a private directory, and removed with it: it has every secret of the state.

        :raises TerraformError: when there is none.
        """
        begin = time.time_ns()
        with tempfile.TemporaryDirectory(prefix="tfdrift-verify-") as private:
            file, shown = Path(private) / "drift.plan", Path(private) / "plan.json"
            few = len(addresses) <= _MAX_ADDRESSES
            targets = [f"-target={address}" for address in addresses] if few else []
            fixed = ("-refresh-only", "-lock=false", "-input=false", "-no-color", f"-out={file}")
            self._run(directory, workspace, "plan", *fixed, *targets)
            with shown.open("wb") as output:
                self._run(directory, workspace, "show", "-json", str(file), output=output)
            try:
                seen = load(shown)
            except PlanError as error:
                raise TerraformError(f"{directory}: {self.name} show: {error}") from error
        # What was read is not older than the begin; what is newer may have come after it was read.
        return replace(seen, moment=begin)

    def workspace(self, directory: Path) -> str:
        """The workspace that is selected."""
        return self._run(directory, "", "workspace", "show").strip() or "default"

    def _run(self, directory: Path, workspace: str, *arguments: str, output: object = subprocess.PIPE) -> str:
        environment = {**os.environ, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_INPUT": "0"}
        if workspace:
            environment["TF_WORKSPACE"] = workspace
        try:
            done = subprocess.run(  # noqa: S603 - what PATH has, or the user named, without a shell
                [self.program, *arguments],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,  # type: ignore[call-overload]  # a file, or the pipe
                stderr=subprocess.PIPE,
                timeout=self.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            long = f"took more than {self.timeout:g} s; give it more with --timeout"
            raise TerraformError(f"{directory}: {self.name} {arguments[0]} {long}") from None
        except OSError as error:
            raise TerraformError(f"{directory}: {self.program}: {error.strerror}") from error
        if done.returncode:
            raise TerraformError(self._explain(directory, workspace, arguments[0], done.stderr))
        return bytes(done.stdout or b"").decode("utf-8", "replace")

    def _explain(self, directory: Path, workspace: str, command: str, stderr: bytes) -> str:
        text = stderr.decode("utf-8", "replace")
        what = one_line("; ".join(dict.fromkeys(_ERROR.findall(text))) or text.strip())[:_LONG]
        if _NOT_INITIALISED.search(text):
            return f"{directory}: is not initialised for {self.name} ({what}); run there: {self.name} init"
        place = f"{directory}, workspace {workspace}" if workspace else str(directory)
        problem = f"{place}: {self.name} {command} failed: {what}"
        if _CREDENTIALS.search(text):
            return f"{problem}; it uses the credentials of your environment, as {self.name} plan does there"
        return next((f"{problem}; {advice}" for sign, advice in _ADVICE if sign in text), problem)


def find(program: str = "", timeout: float = 1800.0) -> Terraform:
    """The program of that name or path, else the first of ``terraform`` and ``tofu`` on PATH.

    :raises TerraformError: when there is none.
    """
    for name in (program,) if program else _PROGRAMS:
        if found := shutil.which(name):
            return Terraform(str(Path(found).absolute()), timeout)
    if program:
        raise TerraformError(f"{program}: there is no such program")
    raise TerraformError(
        "neither terraform nor tofu is on PATH; install the one that you use, or name it with --program"
    )
