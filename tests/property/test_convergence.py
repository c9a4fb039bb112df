"""Tablets and two servers that meet at random, are cut off, and meet again, end with the same.

Everything here is a model but for the rules: trees, branches and the resolver are the real ones.
Both servers resolve; each knows only what reached it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from conflict.drawing import draw
from conflict.resolution import Case, Plan, resolve
from conflict.revision_tree import RevisionTree
from sync_server.branches import base_of, branches_of
from tests.property.worlds import EDITS, POLICIES, Stored, edited, revision_of, thorough

TABLETS = 4
ROUNDS = 12
ACTIONS = ("edit", "edit", "delete", "push", "pull", "meet", "resolve", "compact")


class Replica:
    """A database with one document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tree = RevisionTree()
        self.bodies: dict[str, Stored] = {}

    def receive(self, stored: Stored) -> bool:
        """Whether it was news."""
        start = int(stored.rev.partition("-")[0])
        ids = [rev.partition("-")[2] for rev in stored.history]
        is_new = stored.rev not in self.tree
        self.tree.graft(start, ids, deleted=stored.deleted)
        if is_new:
            self.bodies[stored.rev] = stored
        return is_new

    def leaves(self) -> list[Stored]:
        return [
            self.bodies[rev]._replace(history=self.tree.ancestry(rev)) for rev in self.tree.leaves()
        ]

    def state(self) -> list[tuple[str, bool, bytes]]:
        return [(one.rev, one.deleted, orjson.dumps(one.body)) for one in self.leaves()]


class Server(Replica):
    def resolve(self) -> bool:
        """Whether anything was written."""
        outcome = self.outcome()
        if not isinstance(outcome, Plan):
            return False
        photos = {leaf.rev: leaf.photos for leaf in self.leaves()}
        for written in outcome.writes:
            taken = {name: photos[rev][name] for name, rev in written.attachments.items()}
            body = orjson.loads(written.body)
            assert self.receive(Stored(list(written.history), written.deleted, body, taken))
        return True

    def outcome(self) -> Plan | Case | None:
        branches = branches_of([revision_of(leaf) for leaf in self.leaves()])
        if not branches.disputed:
            return None
        return resolve(branches, self._base(branches.bases()), POLICIES)

    def _base(self, bases: Sequence[str]) -> Any:
        if len(bases) != 1 or bases[0] not in self.bodies:
            return None
        return base_of(revision_of(self.bodies[bases[0]]))

    def compact(self) -> None:
        leaves = set(self.tree.leaves())
        self.bodies = {rev: stored for rev, stored in self.bodies.items() if rev in leaves}

    @property
    def is_at_rest(self) -> bool:
        return len(self.tree.live_leaves()) <= 1 or isinstance(self.outcome(), Case)


def transfer(source: Replica, target: Replica, most: int = 100) -> bool:
    """Send leaves that the other lacks; the connection breaks after `most`."""
    missing = [leaf for leaf in source.leaves() if leaf.rev not in target.tree]
    news = [target.receive(leaf) for leaf in missing[:most]]
    return any(news)


class Field:
    """Everybody, and what they do."""

    def __init__(self) -> None:
        self.servers = [Server("north"), Server("south")]
        self.tablets = [Replica(f"tablet-{number}") for number in range(TABLETS)]
        self.made: set[str] = set()

    def act(self, data: st.DataObject, number: int) -> None:
        tablet = data.draw(st.sampled_from(self.tablets))
        server = self.servers[self.tablets.index(tablet) % 2]
        action = data.draw(st.sampled_from(ACTIONS))
        if action in ("edit", "delete"):
            self.edit(data, tablet, f"{number}{tablet.name[-1]}", action == "delete")
        elif action == "push":
            transfer(tablet, server, data.draw(st.integers(0, 3)))
        elif action == "pull":
            transfer(server, tablet, data.draw(st.integers(0, 3)))
        elif action == "meet":
            one, other = data.draw(st.permutations(self.servers))
            transfer(one, other, data.draw(st.integers(0, 3)))
        elif action == "resolve":
            server.resolve()
        else:
            server.compact()

    def edit(self, data: st.DataObject, tablet: Replica, name: str, gone: bool) -> None:
        live = tablet.tree.live_leaves()
        if gone and not live:
            return
        above = tablet.bodies[data.draw(st.sampled_from(live))] if live else None
        history = list(tablet.tree.ancestry(above.rev)) if above else []
        rev = f"{len(history) + 1}-{name}"
        history = [rev, *history]
        made = Stored(history, True, {}, {})
        tablet.receive(made if gone else edited(above, data.draw(EDITS), history))
        self.made.add(rev)

    def write_the_same(self) -> None:
        """Servers that see the same leaves; one may lack the base, and leave it to a person."""
        one, other = self.servers
        plans = [server.outcome() for server in self.servers]
        if one.state() == other.state() and all(isinstance(plan, Plan) for plan in plans):
            assert plans[0] == plans[1]

    def come_to_rest(self) -> None:
        for _ in range(ROUNDS):
            self.write_the_same()
            changed = [server.resolve() for server in self.servers]
            changed += [
                transfer(source, target)
                for server in self.servers
                for other in (*self.servers, *self.tablets)
                for source, target in ((other, server), (server, other))
            ]
            if not any(changed):
                return
        raise AssertionError("they never come to rest:\n" + draw(self.servers[0].tree))


@thorough
@given(st.data())
def test_everybody_ends_with_the_same_leaves_and_one_live_one_or_a_case(
    data: st.DataObject,
) -> None:
    field = Field()
    for number in range(data.draw(st.integers(1, 25))):
        field.act(data, number)
    field.come_to_rest()
    everybody = [*field.servers, *field.tablets]
    states = [one.state() for one in everybody]
    assert all(state == states[0] for state in states), draw(field.servers[0].tree)
    assert all(server.is_at_rest for server in field.servers)
    assert all(field.made <= set(one.tree.nodes) for one in everybody)
    winners = {one.tree.winner() for one in everybody if one.tree.nodes}
    assert len(winners) <= 1
