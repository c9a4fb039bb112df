"""A revision id: its generation, a hyphen, and a hash — `3-917fa2381192822767f010b95b45325b`."""

from __future__ import annotations

import re
from typing import NamedTuple

_REVISION = re.compile(r"([1-9][0-9]{0,14})-([0-9A-Za-z._+=-]{1,128})\Z")


class RevisionId(NamedTuple):
    """Orders as the protocol orders revisions: by generation, then by the hash as a string."""

    generation: int
    hash: str

    def __str__(self) -> str:
        return f"{self.generation}-{self.hash}"


def parse_revision(text: str) -> RevisionId:
    """Raises ValueError for what is no revision id."""
    match = _REVISION.match(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a revision id such as 1-967a00dff5e02add41819138abb3284d"
        )
    return RevisionId(int(match[1]), match[2])


def generation(rev: str) -> int:
    """The generation of a revision id that is known to be well formed."""
    return int(rev[: rev.index("-")])


def winner_key(rev: str, deleted: bool) -> tuple[bool, int, str]:
    """Sorts leaves: the greatest is the winning revision.

    Live before deleted, then the higher generation, then the higher hash compared as a string;
    every CouchDB peer picks by the same rule, so all agree without talking.
    """
    number, _, rev_hash = rev.partition("-")
    return (not deleted, int(number), rev_hash)
