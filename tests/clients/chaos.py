"""Random work on several tablets, drawn from a seed: the same seed does the same things.

Attachments get a name of their own each time: PouchDB asks for an attachment of a document that
it knows without naming the revision, so two leaves with different content under one name
would differ between tablets whatever the server does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_server.demo.tablet import Remote, Tablet, TabletError
from tests.clients.photos import photo

ACTIONS = 30
DOCUMENTS = [f"household:{n}" for n in range(6)]


@dataclass
class Chaos:
    """One run. `disturb` is called once somewhere in the middle, while a sync is under way."""

    seed: int
    tablets: Sequence[Tablet]
    remote: Remote
    disturb: Callable[[], None] | None = None
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.actions: dict[Callable[[Tablet], str], int] = {
            self.edit: 9,
            self.edit_losing_leaf: 2,
            self.remove: 2,
            self.settle: 1,
            self.attach: 3,
            self.detach: 1,
            self.compact: 1,
            self.sync: 5,
            self.push: 2,
            self.pull: 2,
            self.sync_all_at_once: 1,
        }

    def run(self) -> None:
        """Do everything, and leave every tablet in sync with the server."""
        self.work()
        self.sync_until_quiet()

    def work(self) -> None:
        disturbed = self.rng.randrange(ACTIONS // 3, ACTIONS) if self.disturb else -1
        for number in range(ACTIONS):
            if number == disturbed:
                self.disturb_a_sync()
            one = self.rng.choice(self.tablets)
            (action,) = self.rng.choices(list(self.actions), list(self.actions.values()))
            self.log.append(f"{one.name} {action.__name__} {action(one)}")

    def states(self) -> dict[str, Any]:
        """What each tablet and the server hold in the end."""
        states = {one.name: one.state() for one in self.tablets}
        return {**states, "server": self.tablets[0].remote_state(self.remote)}

    # -- work without a network ------------------------------------------------

    def edit(self, one: Tablet) -> str:
        members = {self.rng.choice("abc"): self.rng.randrange(4)}
        return one.edit(self.rng.choice(DOCUMENTS), **members)

    def remove(self, one: Tablet) -> str:
        doc_id = self.rng.choice(DOCUMENTS)
        return one.remove(doc_id) if one.find(doc_id) else "nothing"

    def attach(self, one: Tablet) -> str:
        number = self.rng.randrange(10**9)
        file = ("image/jpeg", photo(self.rng.choice([10, 400, 20_000]), number))
        return one.attach(self.rng.choice(DOCUMENTS), {f"photo-{number}.jpg": file})

    def detach(self, one: Tablet) -> str:
        doc = one.find(self.rng.choice(DOCUMENTS)) or {}
        names = sorted(doc.get("_attachments", {}))
        return one.detach(doc["_id"], self.rng.choice(names)) if names else "nothing"

    def edit_losing_leaf(self, one: Tablet) -> str:
        doc = self._losing_leaf(one)
        return one.put({**doc, "late": self.rng.randrange(4)}) if doc else "nothing"

    def settle(self, one: Tablet) -> str:
        doc = self._losing_leaf(one)
        return one.remove(doc["_id"], doc["_rev"]) if doc else "nothing"

    def compact(self, one: Tablet) -> str:
        one.compact()
        return ""

    def _losing_leaf(self, one: Tablet) -> dict[str, Any] | None:
        doc_id = self.rng.choice(DOCUMENTS)
        doc = one.get(doc_id, conflicts=True) if one.find(doc_id) else {}
        revs = sorted(doc.get("_conflicts", []))
        return one.get(doc_id, rev=self.rng.choice(revs)) if revs else None

    # -- with a network --------------------------------------------------------

    def sync(self, one: Tablet) -> str:
        one.sync(self.remote, batch_size=self.rng.choice([1, 3, 100]))
        return ""

    def push(self, one: Tablet) -> str:
        one.push(self.remote)
        return ""

    def pull(self, one: Tablet) -> str:
        one.pull(self.remote)
        return ""

    def sync_all_at_once(self, _: Tablet) -> str:
        for syncing in [one.begin("sync", self.remote) for one in self.tablets]:
            syncing.result(60)
        return ""

    def disturb_a_sync(self) -> None:
        """The sync that the disturbance cuts may fail; nothing else may."""
        assert self.disturb is not None
        syncing = [one.begin("sync", self.remote, batch_size=1) for one in self.tablets]
        self.disturb()
        for one in syncing:
            error = one.exception(60)
            assert error is None or isinstance(error, TabletError)
        self.log.append("disturbed")

    def sync_until_quiet(self, rounds: int = 6) -> None:
        for _ in range(rounds):
            if not self.sync_all():
                return
        raise AssertionError(f"The tablets still exchange documents after {rounds} rounds.")

    def sync_all(self) -> bool:
        """Whether any document went over the wire."""
        results = [one.sync(self.remote) for one in self.tablets]
        return any(way["docs_read"] for result in results for way in result.values())
