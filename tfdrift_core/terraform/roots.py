"""Which directories below one hold root modules: those that Terraform is run in."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tfdrift_core.terraform.configuration import Module, is_read, read_module

_MAX_FOLDERS: Final = 10_000
_MAX_LEVELS: Final = 20
_TERRAGRUNT: Final = "terragrunt.hcl"
_OWN: Final = (_TERRAGRUNT, "terraform.tfstate", ".terraform", "terraform.tfstate.d")
"""What only a directory has that Terraform or Terragrunt is run in."""


def is_configuration(directory: Path) -> bool:
    """Whether Terraform or Terragrunt would find anything of its own in the directory itself."""
    try:
        with os.scandir(directory) as entries:
            return any(is_read(entry.name) or entry.name in _OWN for entry in entries)
    except (OSError, ValueError):
        return False


def below(directory: Path, warn: Callable[[str], None]) -> Sequence[Path]:
    """The root modules in and below a directory; links to directories are not followed.

    A directory that another one calls as its module is none, nor is one that says neither where its state is nor which
    provider it uses, unless no other is found.
    """
    found = {folder: read_module(folder, _unheard) for folder in _folders(directory, warn)}
    called = {
        os.path.normpath(folder / source)
        for folder, module in found.items()
        for source in module.calls.values()
        if source.startswith(("./", "../"))
    }
    roots = {folder: module for folder, module in found.items() if str(folder) not in called or _own(folder)}
    return [folder for folder, module in roots.items() if _says(module) or _own(folder)] or list(roots)


def _unheard(_: str) -> None:
    """What cannot be read there is told when the root module itself is read."""


def _says(module: Module) -> bool:
    return module.backend is not None or bool(module.providers)


def _own(folder: Path) -> bool:
    return any((folder / name).exists() for name in _OWN)


def _folders(top: Path, warn: Callable[[str], None]) -> Iterator[Path]:
    top = Path(os.path.normpath(top))
    for count, (folder, folders, files) in enumerate(os.walk(top)):
        if count >= _MAX_FOLDERS:
            warn(f"{top}: more than {_MAX_FOLDERS} directories; name those that matter under config")
            return
        deep = len(Path(folder).parts) - len(top.parts) >= _MAX_LEVELS
        folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))
        if any(is_read(name) or name == _TERRAGRUNT for name in files):
            yield Path(folder)
