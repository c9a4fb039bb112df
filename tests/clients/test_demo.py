"""The demonstration comes true: real tablets, the real service, an approval, equal ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_ends_with_every_expectation_held(modules: Path) -> None:
    played = subprocess.run(
        [sys.executable, "-m", "sync_server.demo", str(modules)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert "expectations held" in played.stdout
    assert "✗" not in played.stdout
