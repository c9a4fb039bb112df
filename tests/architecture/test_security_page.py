"""What the threat model points to is there: each file of the code, each test by its name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()

_CODE = re.compile(r"`([a-z_/0-9]+\.py)`")
_TEST = re.compile(r"`([a-z_/0-9]*\.py)?(?:::(test_[a-z_0-9]+))?`")


def test_every_file_of_the_threat_model_is_there() -> None:
    named = set(_CODE.findall(PAGE))
    there = {name for name in named if any((ROOT / top / name).exists() for top in _TOPS)}
    assert named - there == set()
    assert len(there) > 20


_TOPS = ("sync_server", "tests")


def test_every_test_of_the_threat_model_is_there() -> None:
    missing, count, file = [], 0, ""
    for path, test in _TEST.findall(PAGE):
        file = path or file
        if not test:
            continue
        count += 1
        source = ROOT / "tests" / file
        if not source.exists() or f"def {test}(" not in source.read_text():
            missing.append(f"{file}::{test}")
    assert missing == []
    assert count > 20
