"""Who wrote a value: the account of a leaf is only who touched the document last.

1-a ── 2-b (sok: phone) ── 3-c (dara: members)        the leaf's phone is sok's
  └─── 2-x (dara) ── 4-m (merged by the server)       the leaf's values are of those it merged
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from conflict.branches import merged_into
from conflict.canonical import MISSING, same
from conflict.merge import ATTACHMENTS
from conflict.revision import generation
from sync_server.access.audit import SERVER
from sync_server.storage.base import Database, Revision


def value_in(revision: Revision, field: str) -> object:
    """A field's value or an attachment's digest; MISSING where there is none."""
    if field.startswith(ATTACHMENTS):
        info = revision.attachments.get(field.removeprefix(ATTACHMENTS))
        return MISSING if info is None else info.digest
    return orjson.loads(revision.body).get(field, MISSING)


def writers(
    database: Database,
    leaf: Revision,
    base: str | None,
    tombstones: Sequence[Revision],
    fields: Iterable[str],
) -> dict[str, str]:
    """Field → account, for fields whose value in the leaf another than its account wrote.

    `tombstones`: deleted leaves of the document, by which merges are known. Costs no read where a
    tablet made the leaf from the base itself.
    """
    above = leaf.revisions.revs()
    if leaf.origin.account != SERVER and (len(above) < 2 or above[1] == base):
        return {}
    kept = _kept(database, leaf, base, tombstones)
    found = {field: _writer(leaf, kept, field) for field in fields}
    return {field: name for field, name in found.items() if name != leaf.origin.account}


def _kept(
    database: Database, leaf: Revision, base: str | None, tombstones: Sequence[Revision]
) -> list[Revision]:
    """What is still there of what the leaf knows and the base does not, oldest first."""
    own = leaf.revisions.revs()
    paths = [own, *(one.revisions.revs()[1:] for one in tombstones if _merged(one, own))]
    before = {rev for path in paths if base in path for rev in path[path.index(base) :]}
    wanted = sorted({rev for path in paths for rev in path} - before, key=generation)
    answers = database.bulk_get([(leaf.doc_id, rev) for rev in wanted])
    return [one for answer in answers for one in answer if isinstance(one, Revision)]


def _merged(tombstone: Revision, into: Sequence[str]) -> bool:
    return merged_into(tombstone.body) in into


def _writer(leaf: Revision, kept: Sequence[Revision], field: str) -> str:
    """The first person who wrote the leaf's value; the leaf's account, where none is known."""
    value = value_in(leaf, field)
    people = (one for one in kept if not one.deleted and not one.origin.account.startswith("_"))
    return next(
        (one.origin.account for one in people if same(value_in(one, field), value)),
        leaf.origin.account,
    )
