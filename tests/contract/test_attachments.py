"""Attachments and local documents, as every engine must keep them."""

from __future__ import annotations

import gzip
import hashlib
import os
import tracemalloc
from base64 import b64encode

import pytest

from sync_server.errors import BadRequest, MissingStub, NotFound
from sync_server.storage.base import AttachmentWrite, Database, Revision
from tests.contract.drafts import ORIGIN, edit, put, replicate, write

PHOTO = bytes(range(256)) * 40


def photo(data: bytes = PHOTO) -> AttachmentWrite:
    return AttachmentWrite("image/jpeg", data)


def digest(data: bytes) -> str:
    return "md5-" + b64encode(hashlib.md5(data).digest()).decode()


def content(db: Database, doc_id: str, name: str, rev: str | None = None) -> bytes:
    _, stream = db.attachment(doc_id, rev, name)
    with stream as file:
        return file.read()


def test_an_attachment_comes_back_byte_for_byte(db: Database) -> None:
    edit(db, write("a", attachments={"face.jpg": photo()}))
    info = db.get("a").attachments["face.jpg"]
    assert (info.content_type, info.length, info.revpos) == ("image/jpeg", len(PHOTO), 1)
    assert info.digest == digest(PHOTO)
    assert content(db, "a", "face.jpg") == PHOTO


def test_an_attachment_can_be_read_in_part(db: Database) -> None:
    edit(db, write("a", attachments={"face.jpg": photo()}))
    _, stream = db.attachment("a", None, "face.jpg")
    with stream as file:
        file.seek(300)
        assert file.read(10) == PHOTO[300:310]


def test_a_stub_stands_for_the_ancestors_attachment(db: Database) -> None:
    (first,) = edit(db, write("a", attachments={"face.jpg": photo()}))
    stub = AttachmentWrite("image/jpeg", digest=digest(PHOTO), revpos=1)
    (second,) = edit(db, write("a", str(first.rev), attachments={"face.jpg": stub}, n=2))
    assert second.error is None
    assert db.get("a").attachments["face.jpg"].revpos == 1
    db.compact()
    assert content(db, "a", "face.jpg") == PHOTO


def test_a_stub_may_name_the_branch_that_has_it_and_is_new_to_its_own(db: Database) -> None:
    replicate(
        db,
        write("a", "1-a"),
        write("a", "2-b", "1-a", attachments={"face.jpg": photo()}),
        write("a", "2-c", "1-a"),
    )
    stub = AttachmentWrite("image/jpeg", digest=digest(PHOTO), of="2-b")
    (merged,) = replicate(db, write("a", "3-m", "2-c", "1-a", attachments={"face.jpg": stub}))
    assert merged.error is None
    assert db.get("a").attachments["face.jpg"].revpos == 3
    assert content(db, "a", "face.jpg") == PHOTO


def test_a_whole_batch_is_stored_or_nothing_of_it(db: Database) -> None:
    stub = AttachmentWrite("image/jpeg", digest=digest(PHOTO), of="2-nowhere")
    writes = [write("a", "1-a"), write("b", "1-b", attachments={"face.jpg": stub})]
    with pytest.raises(MissingStub):
        db.bulk_docs(writes, new_edits=False, origin=ORIGIN, whole=True)
    assert db.states(["a", "b"]) == [None, None]
    replicate(db, *writes)
    assert [state is not None for state in db.states(["a", "b"])] == [True, False]


def test_a_replicated_stub_resolves_through_its_ancestry(db: Database) -> None:
    replicate(db, write("a", "1-a", attachments={"face.jpg": photo()}))
    stub = AttachmentWrite("image/jpeg", digest=digest(PHOTO), revpos=1)
    (result,) = replicate(db, write("a", "3-c", "2-b", "1-a", attachments={"face.jpg": stub}))
    assert result.error is None
    assert content(db, "a", "face.jpg", "3-c") == PHOTO


def test_a_stub_never_resolves_across_documents_or_branches(db: Database) -> None:
    replicate(
        db,
        write("a", "1-a", attachments={"face.jpg": photo()}),
        write("b", "2-b", "1-x", attachments={"face.jpg": photo()}),
        write("b", "1-x"),
    )
    stub = AttachmentWrite("image/jpeg", digest=digest(PHOTO), revpos=1)
    other, branch, fine = replicate(
        db,
        write("c", "2-c", "1-c", attachments={"face.jpg": stub}),
        write("b", "2-z", "1-x", attachments={"face.jpg": stub}),
        write("d", "1-d"),
    )
    assert isinstance(other.error, MissingStub)
    assert isinstance(branch.error, MissingStub)
    assert fine.error is None
    with pytest.raises(NotFound):
        db.get("c")
    assert [leaf.rev for leaf in db.state("b").leaves] == ["2-b"]


def test_a_stub_of_another_content_does_not_resolve(db: Database) -> None:
    (first,) = edit(db, write("a", attachments={"face.jpg": photo()}))
    stub = AttachmentWrite("image/jpeg", digest=digest(b"other"))
    (second,) = edit(db, write("a", str(first.rev), attachments={"face.jpg": stub}))
    assert isinstance(second.error, MissingStub)


def test_content_that_does_not_match_its_digest_is_refused(db: Database) -> None:
    wrong = AttachmentWrite("image/jpeg", PHOTO, digest=digest(b"other"))
    (result,) = edit(db, write("a", attachments={"face.jpg": wrong}))
    assert isinstance(result.error, BadRequest)


def test_encoded_content_keeps_its_digest_and_tells_both_lengths(db: Database) -> None:
    packed = gzip.compress(PHOTO)
    sent = AttachmentWrite("text/plain", packed, digest=digest(packed), encoding="gzip")
    edit(db, write("a", attachments={"log.txt": sent}))
    info = db.get("a").attachments["log.txt"]
    assert (info.encoding, info.length, info.encoded_length) == ("gzip", len(PHOTO), len(packed))
    assert content(db, "a", "log.txt") == packed


@pytest.mark.parametrize(
    "data", [b"not gzip", gzip.compress(PHOTO)[:-4], gzip.compress(bytes(10**7))]
)
def test_encoded_content_that_is_broken_or_a_bomb_is_refused(db: Database, data: bytes) -> None:
    sent = AttachmentWrite("text/plain", data, encoding="gzip")
    (result,) = edit(db, write("a", attachments={"log.txt": sent}))
    assert isinstance(result.error, BadRequest)


def test_a_bomb_that_grows_within_the_ratio_is_refused_without_being_held(db: Database) -> None:
    data = gzip.compress(b"".join(os.urandom(1000) + bytes(150_000) for _ in range(450)))
    assert len(data) * 150 > 64 * 1024 * 1024
    sent = AttachmentWrite("text/plain", data, encoding="gzip")
    tracemalloc.start()
    (result,) = edit(db, write("a", attachments={"log.txt": sent}))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(result.error, BadRequest)
    assert most < 4 * 1024 * 1024


def test_compaction_drops_contents_that_nothing_names(db: Database) -> None:
    (first,) = edit(db, write("a", attachments={"a": photo(b"one"), "b": photo(b"two")}))
    stub = AttachmentWrite("image/jpeg", digest=digest(b"two"))
    edit(db, write("a", str(first.rev), attachments={"b": stub, "c": photo(b"three")}))
    assert content(db, "a", "a", first.rev) == b"one"
    db.compact()
    assert content(db, "a", "b") == b"two"
    assert content(db, "a", "c") == b"three"
    with pytest.raises(NotFound):
        db.attachment("a", first.rev, "a")


def test_a_missing_attachment_is_not_found(db: Database) -> None:
    put(db, "a")
    for doc_id in ("a", "no"):
        with pytest.raises(NotFound):
            db.attachment(doc_id, None, "face.jpg")


def test_every_leaf_keeps_its_own_attachments(db: Database) -> None:
    replicate(
        db,
        write("a", "2-b", "1-a", attachments={"face.jpg": photo(b"b")}),
        write("a", "2-c", "1-a", attachments={"face.jpg": photo(b"c")}),
    )
    db.compact()
    assert content(db, "a", "face.jpg", "2-b") == b"b"
    assert content(db, "a", "face.jpg") == b"c"
    assert all(isinstance(found, Revision) for found in db.open_revs("a", None))


def test_local_documents_count_from_the_revision_that_was_sent(db: Database) -> None:
    assert db.put_local("sok", "checkpoint", None, b'{"n":1}') == "0-1"
    assert db.put_local("sok", "checkpoint", "0-1", b'{"n":2}') == "0-2"
    assert db.put_local("sok", "checkpoint", "0-41", b'{"n":3}') == "0-42"
    assert db.put_local("sok", "checkpoint", None, b'{"n":4}') == "0-1"
    found = db.get_local("sok", "checkpoint")
    assert (found.rev, found.body) == ("0-1", b'{"n":4}')
    with pytest.raises(BadRequest):
        db.put_local("sok", "checkpoint", "1-a", b"{}")


def test_local_documents_are_their_owners_alone(db: Database) -> None:
    db.put_local("sok", "checkpoint", None, b"{}")
    with pytest.raises(NotFound):
        db.get_local("dara", "checkpoint")
    assert [document.doc_id for document in db.local_docs("sok")] == ["checkpoint"]
    assert db.local_docs("dara") == []
    db.delete_local("sok", "checkpoint")
    with pytest.raises(NotFound):
        db.delete_local("sok", "checkpoint")


def test_local_documents_are_not_in_the_feed(db: Database) -> None:
    before = db.update_seq()
    db.put_local("sok", "checkpoint", None, b"{}")
    assert db.update_seq() == before
    assert db.changes().rows == []
