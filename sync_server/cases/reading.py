"""A case together with what is in the database of documents at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from sync_server.branches import branches_of
from sync_server.cases.contents import Contents, contents
from sync_server.cases.records import Case, CaseVersion, find, versions
from sync_server.cases.tables import contests
from sync_server.storage.base import Database, Revision


@dataclass(frozen=True, slots=True)
class Known:
    case: Case
    versions: Sequence[CaseVersion]
    """Former ones too."""
    leaves: Sequence[Revision]
    """Those that are there and have a say (see `conflict.branches`), the winner first."""
    notices: Sequence[str]
    """Notices by whose contest the case was opened."""

    @property
    def contents(self) -> Contents:
        return contents(self.case, self.versions, [leaf.rev for leaf in self.leaves])


def read(sql: Engine, database: Database, numbers: Sequence[int]) -> dict[int, Known]:
    """Those of the cases that there are, by number."""
    with sql.connect().execution_options(read_only=True) as connection:
        found = find(connection, database.name, numbers)
        said = versions(connection, list(found))
        notices = _notices(connection, list(found))
    present = present_leaves(database, [case.document for case in found.values()])
    return {
        number: Known(case, said[number], present[case.document], notices.get(number, ()))
        for number, case in found.items()
    }


def present_leaves(database: Database, documents: Sequence[str]) -> dict[str, list[Revision]]:
    """The leaves that have a say, by document, the winner first; never none, where the document
    is known.
    """
    found = every_leaf(database, documents)
    return {document: with_a_say(leaves) for document, leaves in found.items()}


def every_leaf(database: Database, documents: Sequence[str]) -> dict[str, list[Revision]]:
    """Tombstones of merges too, which tell who wrote what was merged."""
    answers = database.bulk_get([(document, None) for document in documents])
    return {
        document: [one for one in answer if isinstance(one, Revision)]
        for document, answer in zip(documents, answers, strict=True)
    }


def with_a_say(leaves: Sequence[Revision]) -> list[Revision]:
    """Of all leaves of a document, those that a case is about, the winner first."""
    having = set(branches_of(leaves).leaves)
    return [leaf for leaf in leaves if leaf.rev in having] or list(leaves[:1])


def _notices(connection: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    query = select(contests.c.case_number, contests.c.notice).where(
        contests.c.case_number.in_(numbers), contests.c.withdrawn.is_(False)
    )
    found: dict[int, list[str]] = {}
    for number, notice in connection.execute(query):
        found.setdefault(number, []).append(notice)
    return found
