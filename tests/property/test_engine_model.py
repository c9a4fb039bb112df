"""The engine against a model: whatever is done to it, its rows tell what the trees say."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from conflict.revision_tree import RevisionTree
from sync_server.errors import Conflict
from sync_server.storage.base import Origin, Revision, Revisions, RevisionWrite
from sync_server.storage.sqlite import open_store

DOC_IDS = st.sampled_from(["a", "b", "c"])
HASHES = st.sampled_from("uvwxyz")
ORIGIN = Origin("sok", "tablet", 1)


class EngineAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.folder.name))
        self.store.create("notes")
        self.db = self.store.database("notes")
        self.trees: dict[str, RevisionTree] = {}
        self.bodies: dict[tuple[str, str], bytes] = {}
        self.purged: set[tuple[str, str]] = set()
        self.order: list[str] = []
        self.count = 0

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def changed(self, doc_id: str) -> None:
        if doc_id in self.order:
            self.order.remove(doc_id)
        if doc_id in self.trees:
            self.order.append(doc_id)

    def body(self) -> bytes:
        self.count += 1
        return orjson.dumps({"n": self.count})

    def graft(self, doc_id: str, revisions: Revisions, deleted: bool, body: bytes) -> bool:
        """What storing a revision means, by the tree's own rules."""
        if (doc_id, revisions.rev) in self.purged and (
            doc_id not in self.trees or revisions.rev not in self.trees[doc_id]
        ):
            return False
        tree = self.trees.setdefault(doc_id, RevisionTree())
        known, size = revisions.rev in tree, len(tree)
        tree.graft(revisions.start, revisions.ids, deleted=deleted)
        if not known:
            self.bodies[doc_id, revisions.rev] = body
        if not known or len(tree) != size:
            self.changed(doc_id)
        return not known

    @rule(
        batch=st.lists(
            st.tuples(DOC_IDS, st.lists(HASHES, min_size=1, max_size=3), st.booleans(), st.data()),
            min_size=1,
            max_size=4,
        )
    )
    def replicate(self, batch: list[tuple[str, list[str], bool, st.DataObject]]) -> None:
        """Branches that start anywhere in a known history, or on their own."""
        writes, expected = [], []
        for doc_id, hashes, deleted, data in batch:
            tree = self.trees.get(doc_id)
            anywhere = [None, *sorted(tree.nodes)] if tree else [None]
            root = data.draw(st.sampled_from(anywhere))
            above = tree.ancestry(root) if tree and root else []
            start = (int(above[0].partition("-")[0]) if above else 0) + len(hashes)
            ids = [*hashes, *(rev.partition("-")[2] for rev in above)]
            revisions = Revisions(start, ids)
            body = self.body()
            writes.append(RevisionWrite(doc_id, revisions, body, deleted))
            expected.append(self.graft(doc_id, revisions, deleted, body))
        results = self.db.bulk_docs(writes, new_edits=False, origin=ORIGIN)
        assert [result.changed for result in results] == expected
        assert all(result.error is None for result in results)

    @rule(doc_id=DOC_IDS, deleted=st.booleans(), data=st.data())
    def edit(self, doc_id: str, deleted: bool, data: st.DataObject) -> None:
        tree = self.trees.get(doc_id)
        parents = [None, *sorted(tree.nodes)] if tree else [None]
        parent = data.draw(st.sampled_from(parents))
        body = self.body()
        named = (
            Revisions(int(parent.partition("-")[0]), [parent.partition("-")[2]]) if parent else None
        )
        write = RevisionWrite(doc_id, named, body, deleted)
        (result,) = self.db.bulk_docs([write], new_edits=True, origin=ORIGIN)
        winner = tree.winner() if tree else None
        if parent is None and tree and winner and tree.nodes[winner].deleted:
            parent = winner
        refused = tree and (not tree.is_leaf(parent) if parent else True)
        if refused:
            assert isinstance(result.error, Conflict)
            return
        assert result.rev is not None
        start, _, rev_hash = result.rev.partition("-")
        above = tree.ancestry(parent) if tree and parent else []
        ids = [rev_hash, *(rev.partition("-")[2] for rev in above)]
        self.graft(doc_id, Revisions(int(start), ids), deleted, body)

    @rule(doc_id=DOC_IDS, data=st.data())
    def purge(self, doc_id: str, data: st.DataObject) -> None:
        tree = self.trees.get(doc_id)
        if not tree:
            return
        rev = data.draw(st.sampled_from(sorted(tree.nodes)))
        done = [rev] if tree.is_leaf(rev) else []
        assert self.db.purge({doc_id: [rev]}) == {doc_id: done}
        if done:
            path = tree.ancestry(rev)
            tree.purge(rev)
            self.purged.update((doc_id, each) for each in path if each not in tree)
            if not tree.nodes:
                del self.trees[doc_id]
            self.changed(doc_id)

    @rule()
    def compact(self) -> None:
        self.db.compact()

    @rule()
    def reopen(self) -> None:
        self.store.close()

    @invariant()
    def rows_agree_with_the_trees(self) -> None:
        info = self.db.info()
        deleted = {doc_id: tree.nodes[tree.winner()].deleted for doc_id, tree in self.trees.items()}
        assert info.doc_del_count == sum(deleted.values())
        assert info.doc_count == len(deleted) - info.doc_del_count
        rows = self.db.changes().rows
        assert [row.doc_id for row in rows] == self.order
        for row in rows:
            assert list(row.leaves) == self.trees[row.doc_id].leaves()
            assert row.deleted == deleted[row.doc_id]
        assert [row and row.doc_id for row in self.db.all_docs().rows] == sorted(
            doc_id for doc_id, gone in deleted.items() if not gone
        )
        assert self.db.conflicted() == sorted(
            doc_id for doc_id, tree in self.trees.items() if len(tree.live_leaves()) > 1
        )
        if rows:
            assert self.db.changes(rows[0].seq).pending == 0
            assert self.db.changes(limit=1).pending == len(rows) - 1

    @invariant()
    def every_leaf_is_there_with_its_body_and_ancestry(self) -> None:
        for doc_id, tree in self.trees.items():
            found = self.db.open_revs(doc_id, None)
            assert [revision.rev for revision in found] == tree.leaves()
            for revision in found:
                assert isinstance(revision, Revision)
                assert revision.body == self.bodies[doc_id, revision.rev]
                assert revision.revisions.revs() == tree.ancestry(revision.rev)
        known = {doc_id: sorted(tree.nodes) for doc_id, tree in self.trees.items()}
        assert self.db.revs_diff(known) == {}

    @invariant()
    def no_body_is_left_that_no_tree_names(self) -> None:
        with self.db.connections.read() as connection:
            kept = {number for (number,) in connection.execute("SELECT number FROM body")}
            trees = [tree for (tree,) in connection.execute("SELECT tree FROM document")]
        named = {
            node.body
            for tree in trees
            for node in RevisionTree.decode(tree).nodes.values()
            if node.body is not None
        }
        assert kept == named


TestEngineAgainstModel = EngineAgainstModel.TestCase
TestEngineAgainstModel.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
