"""A child process that must not outlive its parent, however the parent ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(sent: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel to send this process a signal once its parent is gone, SIGKILL included.

    Linux only; elsewhere processes notice by their parent's id (see `is_orphan`).
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(sent), 0, 0, 0)


def is_orphan(parent: int) -> bool:
    """Whether the process with that id is no longer this one's parent."""
    return os.getppid() != parent
