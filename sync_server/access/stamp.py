"""A file that changes whenever an account does, so that caches in other processes notice.

Comparing a file's inode and time of change costs about a microsecond, which a request can pay
each time; asking the database costs a hundred times as much.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

Mark = tuple[int, int]


class ChangeStamp:
    """`mark()` differs before and after any `touch()`, in whichever process."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._folder = path.parent

    def mark(self) -> Mark:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return (0, 0)
        return (status.st_ino, status.st_mtime_ns)

    def touch(self) -> None:
        # A new file in its place has a new inode, even within one tick of the file's clock.
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".stamp-")
        os.close(handle)
        os.replace(temporary, self._path)
