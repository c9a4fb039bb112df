"""Laws of the revision tree, on histories that several peers could have made."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from conflict.revision import generation, winner_key
from conflict.revision_tree import Graft, RevisionTree
from tests.property.worlds import thorough

Path = tuple[int, list[str], bool]


@st.composite
def histories(draw: st.DrawFn, most: int = 8) -> list[Path]:
    """Paths of every revision of one random history: the revision's ancestry, newest first."""
    paths: list[Path] = []
    parents: list[list[str]] = [[]]
    for number in range(draw(st.integers(1, most))):
        above = draw(st.sampled_from(parents))
        ids = [f"{draw(st.sampled_from('abcdef'))}{number}", *above]
        parents.append(ids)
        paths.append((len(ids), ids, draw(st.booleans())))
    return paths


def tree_of(paths: list[Path]) -> RevisionTree:
    tree = RevisionTree()
    for start, ids, deleted in paths:
        tree.graft(start, ids, deleted=deleted)
    return tree


def revs_of(path: Path) -> list[str]:
    start, ids, _ = path
    return [f"{start - offset}-{rev_id}" for offset, rev_id in enumerate(ids)]


def in_order(paths: list[Path]) -> list[Path]:
    """Only leaves may be told to be deleted by a path, so ancestors come first."""
    return sorted(paths, key=lambda path: path[0])


@thorough
@given(histories())
def test_every_revision_is_in_the_tree_with_its_ancestry(paths: list[Path]) -> None:
    tree = tree_of(in_order(paths))
    for start, ids, _ in paths:
        revs = revs_of((start, ids, False))
        assert tree.ancestry(revs[0]) == revs


@thorough
@given(histories(most=5))
def test_the_order_of_arrival_does_not_matter(paths: list[Path]) -> None:
    tips = [path for path in paths if not any(path[1] == other[1][1:] for other in paths)]
    trees = [tree_of(list(order)) for order in permutations(tips)]
    assert all(tree == trees[0] for tree in trees)
    assert {tree.winner() for tree in trees} == {trees[0].winner()}


@thorough
@given(histories(), st.data())
def test_merging_trees_loses_no_revision(paths: list[Path], data: st.DataObject) -> None:
    ordered = in_order(paths)
    mine = [data.draw(st.booleans()) for _ in ordered]
    one = tree_of([path for path, kept in zip(ordered, mine, strict=True) if kept])
    other = tree_of([path for path, kept in zip(ordered, mine, strict=True) if not kept])
    expected = set(one.nodes) | set(other.nodes)
    for leaf in other.leaves():
        ids = [rev.partition("-")[2] for rev in other.ancestry(leaf)]
        one.graft(int(leaf.partition("-")[0]), ids, deleted=other.nodes[leaf].deleted)
    assert set(one.nodes) == expected
    assert set(tree_of(ordered).leaves()) == set(one.leaves())


@thorough
@given(histories())
def test_grafting_twice_changes_nothing(paths: list[Path]) -> None:
    tree = tree_of(in_order(paths))
    before = tree.encode()
    assert all(tree.graft(start, ids) is Graft.KNOWN for start, ids, _ in paths)
    assert tree.encode() == before


@thorough
@given(histories(), st.data())
def test_a_truncated_ancestry_adds_nothing_wrong_and_joins_when_the_rest_comes(
    paths: list[Path], data: st.DataObject
) -> None:
    tips = [path for path in paths if not any(path[1] == other[1][1:] for other in paths)]
    short = [
        (start, ids[: data.draw(st.integers(1, len(ids)))], deleted) for start, ids, deleted in tips
    ]
    tree = tree_of(data.draw(st.permutations(short)))
    for start, ids, deleted in short:
        expected = revs_of((start, ids, deleted))
        assert tree.ancestry(expected[0])[: len(ids)] == expected
    for start, ids, deleted in data.draw(st.permutations(tips)):
        tree.graft(start, ids, deleted=deleted)
        assert tree.ancestry(f"{start}-{ids[0]}") == revs_of((start, ids, deleted))
    assert tree == tree_of(tips)


@thorough
@given(histories())
def test_a_tree_comes_back_from_its_encoding(paths: list[Path]) -> None:
    tree = tree_of(in_order(paths))
    for number, node in enumerate(tree.nodes.values()):
        node.body = number if number % 2 else None
    assert RevisionTree.decode(tree.encode()) == tree


@thorough
@given(histories(), st.integers(1, 6))
def test_stemming_keeps_every_leaf_and_the_nearest_ancestors(paths: list[Path], limit: int) -> None:
    tree = tree_of(in_order(paths))
    expected = {leaf: tree.ancestry(leaf)[:limit] for leaf in tree.leaves()}
    winner = tree.winner()
    tree.stem(limit)
    assert {leaf: tree.ancestry(leaf)[:limit] for leaf in tree.leaves()} == expected
    assert tree.winner() == winner
    assert RevisionTree.decode(tree.encode()) == tree


@thorough
@given(histories())
def test_the_winner_is_live_if_any_leaf_is_and_then_the_highest(paths: list[Path]) -> None:
    tree = tree_of(in_order(paths))
    leaves = {rev: tree.nodes[rev].deleted for rev in tree.leaves()}
    winner = tree.winner()
    assert leaves[winner] == all(leaves.values())
    rivals = [rev for rev, deleted in leaves.items() if deleted == leaves[winner]]
    assert all(generation(rev) <= generation(winner) for rev in rivals)
    assert winner == max(leaves, key=lambda rev: winner_key(rev, leaves[rev]))


@thorough
@given(histories())
def test_purging_a_leaf_leaves_the_others_with_their_ancestry(paths: list[Path]) -> None:
    tree = tree_of(in_order(paths))
    leaves = tree.leaves()
    expected = {leaf: tree.ancestry(leaf) for leaf in leaves[1:]}
    tree.purge(leaves[0])
    assert {leaf: tree.ancestry(leaf) for leaf in tree.leaves()} == expected
