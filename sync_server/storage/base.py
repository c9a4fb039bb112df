"""The storage seam: what the service asks of whatever keeps the revisions.

The operations are those of the replication protocol, so that an engine may keep revision trees
itself (`storage/sqlite/`) or hand the same operations to a CouchDB cluster. Nothing above this
seam touches a revision tree, and an update sequence is an opaque string.

Every method may be called by several threads, greenlets and processes at once. A method that
writes returns once the change is on disk; it runs in one transaction, so a reader sees all of
it or none, and an exception means that nothing was written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, Protocol

from sync_server.errors import NotFound, SyncError


class Revisions(NamedTuple):
    """A revision with its ancestry, as the protocol's `_revisions`: newest id first.

    `Revisions(3, ["c", "b", "a"])` is revision 3-c, child of 2-b, child of 1-a. A stemmed or
    truncated ancestry has fewer ids than `start`.
    """

    start: int
    ids: Sequence[str]

    @property
    def rev(self) -> str:
        return f"{self.start}-{self.ids[0]}"

    def revs(self) -> list[str]:
        """Full revision ids, newest first."""
        return [f"{self.start - i}-{rev_id}" for i, rev_id in enumerate(self.ids)]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sent a revision and when the server received it; kept beside it, never in it."""

    account: str = ""
    device: str = ""
    received_at: int = 0
    """Milliseconds since 1970, by the server's clock."""


@dataclass(frozen=True, slots=True)
class AttachmentInfo:
    """An attachment of a stored revision, without its content."""

    content_type: str
    digest: str
    """`md5-<base64>` of the content as stored (encoded, where `encoding` is given)."""
    length: int
    """Bytes of the content once decoded."""
    revpos: int
    encoding: str | None = None
    encoded_length: int | None = None


@dataclass(frozen=True, slots=True)
class AttachmentWrite:
    """An attachment of a revision to store: content, or a stub of one that an ancestor has.

    A stub (`data` is None) resolves only against an ancestor of the same document; by digest
    across documents it would tell a client what others have stored.
    """

    content_type: str
    data: bytes | None = None
    digest: str | None = None
    """For a stub: the digest it claims, if any. With data: checked against the data if given."""
    revpos: int | None = None
    encoding: str | None = None
    """`gzip` where `data` is gzip-encoded."""
    of: str | None = None
    """For a stub: the revision of this document that has it, where that is no ancestor. The
    server's own merges take from losing leaves so; a client's stubs never name one."""


NO_ATTACHMENTS: Mapping[str, Any] = MappingProxyType({})
"""Of the many revisions that have none."""


class RevisionWrite(NamedTuple):
    """One revision of one document to store.

    `revisions` with `new_edits=False`: the revision itself with its ancestry. With
    `new_edits=True`: the parent that the client edited, or None for a new document; the engine
    makes the new revision id.
    """

    doc_id: str
    revisions: Revisions | None
    body: bytes
    """A JSON object without members that start with an underscore."""
    deleted: bool = False
    attachments: Mapping[str, AttachmentWrite] = NO_ATTACHMENTS
    area: str | None = None
    """The document's area after this write; None keeps what it has."""
    area_if_new: str = ""
    """Where a document stands that this write begins, if `area` is None."""

    @property
    def first_area(self) -> str:
        """Where a document stands that this write begins."""
        return self.area_if_new if self.area is None else self.area

    def beginning_in(self, area: str) -> RevisionWrite:
        """The same write, which puts the document there if it is new."""
        return RevisionWrite(*self[:-1], area)


class WriteResult(NamedTuple):
    """What became of one `RevisionWrite`, in the order they were given."""

    doc_id: str
    rev: str | None
    error: SyncError | None = None
    changed: bool = True
    """False where the revision was known already."""
    conflicting: bool = False
    """Whether this write began a live branch beside another one."""


class Revision(NamedTuple):
    """A stored revision with its body."""

    doc_id: str
    rev: str
    deleted: bool
    body: bytes
    """A JSON object without members that start with an underscore, ready to be spliced."""
    revisions: Revisions
    attachments: Mapping[str, AttachmentInfo]
    origin: Origin


class LeafLimits(NamedTuple):
    """How many leaves a document may come to have by what clients send."""

    live: int
    all: int
    """Deleted ones counted."""


@dataclass(frozen=True, slots=True)
class MissingRevision:
    """A revision that was asked for and is not here (or whose body was compacted away)."""

    doc_id: str
    rev: str

    def as_error(self) -> NotFound:
        return NotFound("missing")


class Leaf(NamedTuple):
    rev: str
    deleted: bool


class RevisionStatus(NamedTuple):
    """A line of `revs_info`."""

    rev: str
    status: str
    """`available`, `missing` or `deleted`."""


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document without its body: the leaves, winner first."""

    doc_id: str
    seq: str
    area: str
    leaves: Sequence[Leaf]

    @property
    def winner(self) -> Leaf:
        return self.leaves[0]


class Change(NamedTuple):
    """A row of the changes feed: a document at its latest update sequence."""

    seq: str
    doc_id: str
    deleted: bool
    """Whether the winning revision is deleted."""
    leaves: Sequence[str]
    """Revisions of every leaf, the winner first."""
    departed: bool = False
    """The reader sees the document no longer (see `storage/departures.py`): whatever filters
    they asked for, they must be told.
    """


@dataclass(frozen=True, slots=True)
class ChangesPage:
    rows: Sequence[Change]
    last_seq: str
    pending: int
    """Rows that come after this page."""


@dataclass(frozen=True, slots=True)
class AllDocsRow:
    doc_id: str
    rev: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class AllDocsPage:
    total_rows: int
    """Documents whose winner is not deleted."""
    rows: Sequence[AllDocsRow | None]
    """With `keys`: one entry per key, None where the id is unknown."""


@dataclass(frozen=True, slots=True)
class LocalDocument:
    doc_id: str
    """Without the `_local/` prefix."""
    rev: str
    """`0-N`."""
    body: bytes
    updated_at: int = 0
    """Milliseconds since 1970; 0 where the engine does not know."""


class RevsDiff(NamedTuple):
    missing: Sequence[str]
    possible_ancestors: Sequence[str]


class AreaCount(NamedTuple):
    """Documents of one area, by whether the winner is deleted."""

    present: int
    deleted: int


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    name: str
    doc_count: int
    doc_del_count: int
    update_seq: str
    purge_seq: str
    instance_start_time: str
    """A string that stays the same for the life of the database."""
    file_size: int
    active_size: int
    external_size: int
    compact_running: bool


class Formerly(Protocol):
    """What a reader may have been shown before. Times are in milliseconds since 1970, `until` None
    is now.
    """

    def saw(self, area: str, since: int, until: int | None) -> bool:
        """Whether the area was in sight at any time between the two."""
        ...

    def saw_lately(self, area: str, since: int, until: int | None) -> bool:
        """The same, after the reader was given the sequence that they hand in."""
        ...

    def lately(self) -> Sequence[str] | None:
        """Areas that they may have seen after that, and need not see now; None for all."""
        ...


class Database(ABC):
    """One database of documents. Obtain it from `DocumentStore.database`."""

    name: str

    @abstractmethod
    def within(self, areas: Sequence[str], formerly: Formerly | None = None) -> Database:
        """This database as one sees it who may see exactly these areas.

        Reading, a document elsewhere looks as one that does not exist. `changes` tells besides
        what has gone out of sight since `since` was given, as *departures* (see
        `storage/departures.py`), and brings what has come into sight, wherever its sequence is:
        a sequence names the areas it was given for, so whoever hands one in must be who it was
        given to. Writing is as in the whole database; so are local documents.

        `formerly` says what the reader may have been shown before (None: anything). Of what has
        stood there and is out of sight now, departures are served, and revisions that are here
        count as known, so that no client sends back what it has got from here. And a client may
        hold more than its sequence tells: what it wrote itself, or what it got when the answer
        to its own note of the sequence was cut off. `changes` tells departures of that too.
        """

    # -- documents -------------------------------------------------------------

    @abstractmethod
    def bulk_docs(
        self,
        writes: Sequence[RevisionWrite],
        *,
        new_edits: bool,
        origin: Origin,
        whole: bool = False,
        leaf_limits: LeafLimits | None = None,
    ) -> list[WriteResult]:
        """Store revisions, all in one transaction; results stand in the order given.

        `new_edits=False` grafts each revision with its ancestry; one that is known already, or
        that is an inner revision by now, is success with `changed=False`. Never a conflict.
        `new_edits=True` extends a leaf: `Conflict` in the row where the parent is no leaf (or
        none was named and the document lives). A row's `error` may be `MissingStub` or
        `BadRequest` (digest mismatch), or `DocumentTooLarge` with the code `leaves` where the
        revision would open one branch more than `leaf_limits` allow; one that goes on from a leaf
        opens none. The other rows are stored all the same. With `whole` nothing is stored then,
        and the first row's error is raised.
        """

    @abstractmethod
    def get(self, doc_id: str, rev: str | None = None) -> Revision:
        """The winning revision, or the named one (inner ones until they are compacted).

        Raises NotFound("missing"), or NotFound("deleted") where no `rev` was named and the
        winner is deleted.
        """

    @abstractmethod
    def state(self, doc_id: str) -> DocumentState:
        """Leaves, area and sequence. Raises NotFound("missing")."""

    @abstractmethod
    def states(self, doc_ids: Sequence[str]) -> list[DocumentState | None]:
        """`state` for several documents in their order, None where unknown."""

    @abstractmethod
    def open_revs(
        self, doc_id: str, revs: Sequence[str] | None, *, latest: bool = False
    ) -> list[Revision | MissingRevision]:
        """The named revisions in their order, or every leaf (winner first) for None.

        `latest` answers the leaves that descend from a named revision instead of it, each leaf
        once. An unknown document: one MissingRevision per named revision, [] for None.
        """

    @abstractmethod
    def bulk_get(
        self, requests: Sequence[tuple[str, str | None]], *, latest: bool = False
    ) -> list[list[Revision | MissingRevision]]:
        """`open_revs` for many (id, rev) at once, in their order; rev None: every leaf."""

    @abstractmethod
    def winners(self, doc_ids: Sequence[str]) -> list[Revision | None]:
        """Winning revisions (deleted ones too) in their order, None where unknown."""

    @abstractmethod
    def revs_info(self, doc_id: str, rev: str) -> list[RevisionStatus]:
        """The revision and its ancestors, newest first, with what is kept of each."""

    @abstractmethod
    def revs_diff(self, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
        """Which of these revisions are not here; documents with nothing missing are left out.

        `possible_ancestors` are existing leaves below the highest missing generation. A purged
        revision counts as known.
        """

    @abstractmethod
    def conflicted(self, after: str = "", limit: int = 100) -> list[str]:
        """Ids above `after`, in order, of documents with more than one live leaf."""

    # -- feeds -----------------------------------------------------------------

    @abstractmethod
    def update_seq(self) -> str:
        """The sequence of the latest change."""

    @abstractmethod
    def changes(
        self,
        since: str = "0",
        *,
        limit: int | None = None,
        descending: bool = False,
        doc_ids: Iterable[str] | None = None,
    ) -> ChangesPage:
        """Documents changed after `since`, each once, at its latest sequence.

        `since` "0" is the beginning; one of a foreign epoch counts as "0". `doc_ids` keeps those
        named. Costs what it returns: index ranges, never a scan. `last_seq` is the database's
        own latest where the page holds all that was left. Raises BadRequest for a malformed
        `since`.
        """

    @abstractmethod
    def gave(self, sequence: str) -> bool:
        """Whether this is a sequence that this database gave, and still understands.

        Checkpoints of pushes have the same form as those of pulls, and name a sequence of the
        client's own database. False for anything else, malformed or of another epoch.
        """

    @abstractmethod
    def wait(self, since: str, timeout: float) -> bool:
        """Block until something after `since` may be there (True), or `timeout` seconds.

        A commit by any process wakes it within 250 ms.
        """

    @abstractmethod
    def all_docs(
        self,
        *,
        keys: Sequence[str] | None = None,
        startkey: str | None = None,
        endkey: str | None = None,
        inclusive_end: bool = True,
        descending: bool = False,
        limit: int | None = None,
        skip: int = 0,
    ) -> AllDocsPage:
        """Ids in order (bytewise), of documents whose winner is not deleted; or the `keys`."""

    # -- local documents: never replicated, one namespace per owner ------------

    @abstractmethod
    def get_local(self, owner: str, doc_id: str) -> LocalDocument:
        """Raises NotFound."""

    @abstractmethod
    def put_local(
        self, owner: str, doc_id: str, rev: str | None, body: bytes, *, keep: int | None = None
    ) -> str:
        """Last write wins; answers `0-(N+1)` of the `0-N` that was sent, `0-1` for none.

        `keep`: only so many of the owner's local documents stay, those written last.
        """

    @abstractmethod
    def delete_local(self, owner: str, doc_id: str) -> None:
        """Raises NotFound."""

    @abstractmethod
    def local_docs(self, owner: str) -> list[LocalDocument]:
        """All of the owner's local documents, by id."""

    # -- attachments -----------------------------------------------------------

    @abstractmethod
    def attachment(
        self, doc_id: str, rev: str | None, name: str
    ) -> tuple[AttachmentInfo, AbstractContextManager[BinaryIO]]:
        """An attachment of the winner or the named revision, and a seekable stream of its
        content as stored (encoded where `encoding` is given). Raises NotFound.
        """

    # -- upkeep ----------------------------------------------------------------

    @abstractmethod
    def info(self) -> DatabaseInfo: ...

    @abstractmethod
    def revs_limit(self) -> int: ...

    @abstractmethod
    def set_revs_limit(self, limit: int) -> None:
        """Raises BadRequest below 1. Takes effect as documents are next written."""

    @abstractmethod
    def security(self) -> dict[str, Any]: ...

    @abstractmethod
    def set_security(self, security: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def purge(self, revs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Forget leaves for good, with the ancestors that no other leaf has; answers what was
        purged. All that was forgotten counts as known afterwards, so a tablet cannot bring it
        back, neither one that has the leaf nor one that has stayed at an ancestor.
        """

    @abstractmethod
    def counts(self, areas: Sequence[str]) -> dict[str, AreaCount]:
        """How many documents stand in each of these areas, exactly there; areas that hold none may
        be left out. Costs what it is asked for, whatever the areas hold.
        """

    @abstractmethod
    def relocate(self, areas: Mapping[str, str], *, origin: Origin) -> int:
        """Give documents (by id) another area, in one transaction; answers how many changed.

        Each gets new revisions, as by `renew`: readers whom it had left, and who see it again
        from now on, would keep the tombstone else.
        """

    @abstractmethod
    def renew(self, doc_ids: Sequence[str], *, origin: Origin) -> int:
        """Give documents a new revision of the same content on each live leaf; deleted ones stay
        as they are. Answers how many documents.
        """

    @abstractmethod
    def acknowledged(self, active_since: int) -> str:
        """The lowest sequence that readers have acknowledged in the checkpoints they keep here,
        of those who wrote theirs since `active_since` (milliseconds since 1970); the latest
        sequence where nobody did.

        A checkpoint of a push, whose sequence is the client's own, or one of another epoch,
        acknowledges nothing.
        """

    @abstractmethod
    def compact(self, horizon: str | None = None) -> None:
        """Drop bodies of revisions that were superseded up to `horizon` (None: now).

        Leaves keep theirs, and so does every revision where branches part of which none was
        settled yet: a merge needs it. Attachments that no kept revision names go too.
        """

    @abstractmethod
    def flush(self) -> None:
        """Whatever is acknowledged is on disk already; for `_ensure_full_commit`."""


class DocumentStore(ABC):
    """All databases of one server."""

    uuid: str
    """Stable for the life of the store: PouchDB derives its replication ids from it."""

    @abstractmethod
    def create(self, name: str) -> None:
        """Raises FileExists, IllegalDatabaseName."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Raises NotFound."""

    @abstractmethod
    def database(self, name: str) -> Database:
        """Cheap; raises NotFound("Database does not exist."), IllegalDatabaseName."""

    @abstractmethod
    def restored(self, name: str) -> None:
        """A backup of the database was put in its place: sequences given before may mean other
        changes from now on, so they count as the beginning. Raises NotFound.
        """

    @abstractmethod
    def names(self) -> list[str]: ...

    def __iter__(self) -> Iterator[Database]:
        return (self.database(name) for name in self.names())

    @abstractmethod
    def close(self) -> None: ...
