"""What the tablets do while a transcript is recorded: short, and all that a sync consists of."""

from __future__ import annotations

from collections.abc import Callable

from sync_server.demo.tablet import Remote, Tablet, eventually

Scene = Callable[[Tablet, Tablet, Remote], None]

PHOTO = ("image/jpeg", b"\xff\xd8\xff\xe0 a small photo")


def push_and_pull(one: Tablet, other: Tablet, remote: Remote) -> None:
    """Documents, a history, a photo and a deletion go up in batches and come down again."""
    one.put({"_id": "household:1", "head": {"surname": "សុខ"}, "members_total": 4})
    one.put({"_id": "household:2", "members_total": 2})
    one.put({"_id": "odd id/with ?&%2F+", "members_total": 1})
    one.edit("household:1", members_total=5)
    one.attach("household:2", {"front.jpg": PHOTO, "in folder/back.jpg": PHOTO})
    one.put({"_id": "household:3"})
    one.remove("household:3")
    one.push(remote, batch_size=2)
    one.push(remote, batch_size=2)
    other.pull(remote, batch_size=2)
    other.pull(remote, batch_size=2)


def conflict(one: Tablet, other: Tablet, remote: Remote) -> None:
    """Two tablets edit one household, then one of them settles it."""
    one.put({"_id": "household:1", "members_total": 4})
    one.push(remote)
    other.pull(remote)
    one.edit("household:1", members_total=5)
    other.edit("household:1", members_total=6)
    other.attach("household:1", {"theirs.jpg": PHOTO})
    one.push(remote)
    other.push(remote)
    one.pull(remote)
    for rev in one.get("household:1", conflicts=True)["_conflicts"]:
        one.remove("household:1", rev)
    one.push(remote)
    other.pull(remote)


def live(one: Tablet, other: Tablet, remote: Remote) -> None:
    """A live pull waits; what the other tablet pushes wakes it."""
    one.put({"_id": "household:1"})
    one.push(remote)
    other.live_start(remote, "pull", retry=True)
    eventually(lambda: other.live_status()["state"] == "paused", what="an idle feed")
    one.put({"_id": "household:2"})
    one.push(remote)
    eventually(lambda: other.find("household:2") is not None, what="the second household")
    eventually(lambda: other.live_status()["state"] == "paused", what="an idle feed")
    one.remove("household:1")
    one.push(remote)
    eventually(lambda: other.find("household:1") is None, what="the deletion")
    eventually(lambda: other.live_status()["state"] == "paused", what="an idle feed")
    other.live_stop()


def between_servers(one: Tablet, other: Tablet, source: Remote, target: Remote) -> None:
    """A tablet drives a replication from one server to another, which it repeats: a conflict, a
    photo and a deletion are among the documents.
    """
    one.put({"_id": "household:1", "members_total": 4})
    one.put({"_id": "household:2"})
    one.push(source)
    other.pull(source)
    one.edit("household:1", members_total=5)
    other.edit("household:1", members_total=6)
    one.attach("household:2", {"front.jpg": PHOTO})
    other.put({"_id": "household:3"})
    other.remove("household:3")
    one.push(source)
    other.push(source)
    one.replicate_between(source, target)
    one.replicate_between(source, target)


ALL: tuple[Scene, ...] = (push_and_pull, conflict, live)
