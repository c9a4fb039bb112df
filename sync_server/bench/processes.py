"""What a server's processes hold in memory, read from /proc."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
KIB = 1024


def family(pid: int, proc: Path = PROC) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in proc.glob("[0-9]*/stat"):
        # The name in parentheses may hold spaces and parentheses; what follows is regular.
        with suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def proportional_memory(pids: list[int], proc: Path = PROC) -> int:
    """Bytes of resident memory (PSS): a page that several processes share counts once."""
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            rollup = (proc / str(pid) / "smaps_rollup").read_text()
            total += next(
                int(line.split()[1]) * KIB for line in rollup.splitlines() if line[:4] == "Pss:"
            )
    return total


def processor_seconds(pids: list[int], proc: Path = PROC) -> float:
    """User and system time that the processes have taken so far."""
    ticks = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _ticks_per_second()


def allow_open_files(wanted: int) -> None:
    """Raise the soft limit of open files, for this process and those it starts.

    Raises OSError where the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise OSError(f"{wanted} open files are needed, the hard limit is {hard} (ulimit -Hn)")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _ticks_per_second() -> int:
    return os.sysconf("SC_CLK_TCK")
