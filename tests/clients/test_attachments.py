"""Photos replicate byte for byte, alone, several at once, large, and a hundred in one batch."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest

from sync_server.demo.tablet import Remote, Tablet
from tests.clients.photos import photo

MakeTablet = Callable[..., Tablet]

RELEASES = pytest.mark.parametrize("release", [9, 7])
DOC = "household:1"


def digest(data: bytes) -> str:
    return "md5-" + base64.b64encode(hashlib.md5(data).digest()).decode()


@RELEASES
def test_several_attachments_arrive_byte_for_byte(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    writer, reader = tablet(release), tablet(release)
    files = {
        "front.jpg": ("image/jpeg", photo(40_000, 1)),
        "all bytes.bin": ("application/octet-stream", bytes(range(256)) * 3),
        "notes.txt": ("text/plain; charset=utf-8", "ស្ទួន duplicate\r\n\n".encode() * 500),
        "ប័ណ្ណ?#%2F.json": ("application/json", b'{"level": 1}'),
        "empty": ("application/octet-stream", b""),
        "folder/inner.png": ("image/png", photo(1_000, 2)),
    }
    writer.attach(DOC, files)
    writer.push(remote)
    reader.pull(remote)
    stubs = reader.get(DOC)["_attachments"]
    for name, (content_type, data) in files.items():
        assert reader.attachment(DOC, name) == data, name
        assert stubs[name]["content_type"] == content_type
        assert (stubs[name]["length"], stubs[name]["digest"]) == (len(data), digest(data))
    assert reader.state() == writer.state() == reader.remote_state(remote)


@RELEASES
def test_a_large_attachment_arrives_byte_for_byte(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    writer, reader = tablet(release), tablet(release)
    data = photo(2 * 1024 * 1024)
    writer.attach(DOC, {"large.jpg": ("image/jpeg", data)})
    writer.push(remote)
    reader.pull(remote)
    assert reader.attachment(DOC, "large.jpg") == data


@RELEASES
def test_a_batch_of_a_hundred_photo_documents_passes(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    writer, reader = tablet(release), tablet(release)
    photos = {f"visit:{n:03d}": photo(50_000, n) for n in range(100)}
    writer.bulk(
        [
            {
                "_id": doc_id,
                "_attachments": {
                    "photo.jpg": {
                        "content_type": "image/jpeg",
                        "data": base64.b64encode(data).decode(),
                    }
                },
            }
            for doc_id, data in photos.items()
        ]
    )
    pushed = writer.push(remote, batch_size=100)
    assert (pushed["docs_written"], pushed["doc_write_failures"]) == (100, 0)
    reader.pull(remote, batch_size=100)
    assert reader.state() == writer.state()
    for doc_id, data in photos.items():
        assert reader.attachment(doc_id, "photo.jpg") == data


@RELEASES
def test_an_edit_keeps_the_attachments(tablet: MakeTablet, remote: Remote, release: int) -> None:
    ours, theirs = tablet(release), tablet(release)
    first, second = photo(9_000, 1), photo(9_000, 2)
    ours.attach(DOC, {"first.jpg": ("image/jpeg", first)})
    ours.sync(remote)
    theirs.sync(remote)
    theirs.edit(DOC, phone="+85512345678")
    theirs.attach(DOC, {"second.jpg": ("image/jpeg", second)})
    theirs.sync(remote)
    ours.sync(remote)
    assert ours.attachment(DOC, "first.jpg") == first
    assert ours.attachment(DOC, "second.jpg") == second
    assert ours.state() == theirs.state() == ours.remote_state(remote)


@RELEASES
def test_a_removed_attachment_is_gone_on_the_other_tablet(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    files = {name: ("image/jpeg", photo(5_000, len(name))) for name in ("a.jpg", "bb.jpg")}
    ours.attach(DOC, files)
    ours.sync(remote)
    theirs.sync(remote)
    theirs.detach(DOC, "a.jpg")
    theirs.sync(remote)
    ours.sync(remote)
    assert list(ours.get(DOC)["_attachments"]) == ["bb.jpg"]
    assert ours.state() == theirs.state() == ours.remote_state(remote)


@RELEASES
def test_conflicting_photos_are_kept_on_their_own_leaves(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    ours.put({"_id": DOC})
    ours.sync(remote)
    theirs.sync(remote)
    ours.attach(DOC, {"ours.jpg": ("image/jpeg", photo(5_000, 1))})
    theirs.attach(DOC, {"theirs.jpg": ("image/jpeg", photo(5_000, 2))})
    for one in (ours, theirs, ours):
        one.sync(remote)
    state = ours.state()
    assert state == theirs.state() == ours.remote_state(remote)
    names = sorted(name for leaf in state[DOC]["leaves"].values() for name in leaf["attachments"])
    assert names == ["ours.jpg", "theirs.jpg"]


@RELEASES
def test_conflicting_photos_of_one_name_keep_their_own_content_on_the_server(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    """Only the server and the winner are compared: PouchDB asks for an attachment of a document
    that it has already without naming the revision, so a losing leaf that it pulls gets the
    winner's content under an equal name.
    """
    ours, theirs = tablet(release), tablet(release)
    ours.put({"_id": DOC})
    ours.sync(remote)
    theirs.sync(remote)
    photos = {}
    for number, one in enumerate((ours, theirs)):
        data = photo(5_000, number)
        photos[one.attach(DOC, {"house.jpg": ("image/jpeg", data)})] = data
    for one in (ours, theirs, ours):
        one.sync(remote)
    state = ours.remote_state(remote)[DOC]
    for rev, data in photos.items():
        assert state["leaves"][rev]["attachments"]["house.jpg"]["digest"] == digest(data)
    for one in (ours, theirs):
        assert one.attachment(DOC, "house.jpg") == photos[state["winner"]]
