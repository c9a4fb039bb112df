"""What every stage of the pipeline is given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from sqlalchemy import Engine

from sync_server.access.placing import NO_PLACES, Places
from sync_server.metrics import Metrics
from sync_server.storage.base import (
    Database,
    DocumentState,
    Origin,
    Revision,
    RevisionWrite,
    WriteResult,
)

SERVER = "_server"
"""The account under which the service itself writes; no account can be called so."""


@dataclass(frozen=True)
class Arrival:
    """A document that changed, as it stands now: all leaves, and the winning revision."""

    state: DocumentState
    winner: Revision

    @property
    def doc_id(self) -> str:
        return self.state.doc_id

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """The winner's body."""
        fields: dict[str, Any] = orjson.loads(self.winner.body)
        return fields

    @property
    def is_conflicted(self) -> bool:
        return sum(not leaf.deleted for leaf in self.state.leaves) > 1


@dataclass(frozen=True, slots=True)
class Intake:
    """Where a stage reads and writes. `now`: milliseconds since 1970."""

    database: Database
    sql: Engine
    now: Callable[[], int]
    places: Places = NO_PLACES
    metrics: Metrics = field(default_factory=Metrics)

    def store(
        self, writes: Sequence[RevisionWrite], *, new_edits: bool, whole: bool = False
    ) -> list[WriteResult]:
        """Write in the server's name, in one transaction."""
        origin = Origin(SERVER, "", self.now())
        return self.database.bulk_docs(writes, new_edits=new_edits, origin=origin, whole=whole)


Stage = Callable[[Intake, Sequence[Arrival]], Collection[str] | None]
"""A stage looks at a batch and writes what follows from it. It is idempotent: after a crash it
is given the same documents again. It answers which of these documents it has changed, if any:
they come by again, and the stages after it see them then."""
