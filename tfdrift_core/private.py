"""Files that only the user of this process may read, also in a directory that others may look into."""

import os
import stat
from pathlib import Path


def open_private(path: Path, flags: int = 0) -> int:
    """A descriptor of ``path`` to read and write, made with mode 0600 or narrowed to it.

    A symbolic link is not followed: behind it may lie anything that this process, which is often root's, would then
    overwrite.  ``flags`` are further ones of ``os.open`` (``O_EXCL``, ``O_APPEND``).

    :raises OSError: when it cannot be opened, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is not a regular file")
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
