"""What requests tell of the tablet that makes them, for the list of devices (`access.activity`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sync_server.access.accounts import Account
from sync_server.errors import Conflict
from sync_server.replication.surroundings import parts
from sync_server.storage.base import Database, WriteResult

_SEQUENCE_MEMBERS = ("last_seq", "source_last_seq", "lastSequence")
"""Where a checkpoint says how far it is: PouchDB; CouchDB; Cloudant Sync and Couchbase Lite."""


class Checkpoint(NamedTuple):
    """A local document that names a sequence: of this database for a pull, else for a push."""

    sequence: str
    replicator: str
    """As PouchDB writes it; empty for others."""


def read_checkpoint(document: dict[str, Any]) -> Checkpoint | None:
    """What a local document says, where it is a checkpoint whose sequence may be of this server:
    those are strings.
    """
    for member in _SEQUENCE_MEMBERS:
        sequence = document.get(member)
        if type(sequence) is str:
            replicator = document.get("replicator")
            return Checkpoint(sequence, replicator if type(replicator) is str else "")
    return None


def note_checkpoint(database: Database, sender: Account, checkpoint: Checkpoint) -> None:
    if sender.device and database.gave(checkpoint.sequence):
        parts().activity.acknowledged(sender, database.name, *checkpoint)


def note_push(
    sender: Account, results: Sequence[WriteResult], documents: Iterable[Any] = ()
) -> None:
    """`documents`: as they were sent, to learn what time the tablet has."""
    if not sender.device:
        return
    conflicting = [r for r in results if r.conflicting or isinstance(r.error, Conflict)]
    refused = [r for r in results if r.error is not None and not isinstance(r.error, Conflict)]
    parts().activity.pushed(
        sender,
        documents=len(results),
        refused=len(refused),
        conflicting=len(conflicting),
        captured_at=newest_capture(documents),
    )


def newest_capture(documents: Iterable[Any]) -> int | None:
    """The latest `captured_at`, in milliseconds since 1970; times without an offset and broken
    ones are passed over.
    """
    stated = [document.get("captured_at") for document in documents if type(document) is dict]
    moments = [at for text in stated if type(text) is str and (at := _moment(text)) is not None]
    return max(moments, default=None)


def _moment(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
