"""The policies in the page on conflicts are those of the schemas."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import policies_for
from schemas.description import SERVERS_OWN, described
from schemas.registry import SCHEMAS

PAGE = Path(__file__).parents[2] / "docs" / "conflicts.md"


def test_the_page_has_the_present_policies() -> None:
    page = PAGE.read_text()
    assert page == described(page), "run ./scripts/document"


@pytest.mark.parametrize("kind", sorted(set(SCHEMAS) - SERVERS_OWN))
def test_every_field_of_every_type_is_in_the_page(kind: str) -> None:
    page = PAGE.read_text()
    missing = [
        name
        for name, policy in policies_for(kind).items()
        if f"| `{policy}` |" not in _row(page, name)
    ]
    assert missing == []


def _row(page: str, name: str) -> str:
    return "".join(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))


def test_a_page_without_markers_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="no <!-- policies"):
        described("# Another page\n")
