"""Room in a write-ahead log before it is needed.

A commit that makes the log longer waits for the disk twice, for the pages and for the file's new
length: with many small commits, a tablet's checkpoints among them, that is most of what they
cost. Overwriting zeros that are there already waits once. SQLite reads a log up to the first
frame that does not bear its salts, so zeros behind that mean nothing to it.
"""

from __future__ import annotations

import os
from contextlib import suppress

STEP = 1024 * 1024
"""Bytes. A log whose length is no multiple of this has been outgrown since."""


def make_room(log: str) -> None:
    """Lengthen the log to the next multiple of `STEP`, if it has outgrown the last one.

    To be called by who holds the write lock. A full disk is left for the commit to find, which
    may have room enough.
    """
    with suppress(OSError):
        size = os.stat(log).st_size
        if missing := -size % STEP or (STEP if size == 0 else 0):
            file = os.open(log, os.O_WRONLY)
            try:
                os.pwrite(file, bytes(missing), size)
            finally:
                os.close(file)
