"""Drawings of trees, as people read them."""

from __future__ import annotations

from conflict.drawing import draw, tree_of
from conflict.revision_tree import RevisionTree

HASH = "917fa2381192822767f010b95b45325b"


def test_a_branch_is_a_line() -> None:
    assert draw(tree_of([(2, ["b", "a"], False)])) == "1-a ─── 2-b*"


def test_branches_hang_where_they_part_the_winner_first() -> None:
    tree = tree_of(
        [(3, ["c", "b", "a"], False), (3, ["y", "x", "a"], False), (3, ["t", "x", "a"], True)]
    )
    drawing = draw(tree, merged_into={"3-t": "3-c"}, without_body={"1-a"})
    assert drawing.split("\n") == [
        "(1-a) ─┬─ 2-x ─┬─ 3-y*",
        "       │       └─ 3-t† → 3-c",
        "       └─ 2-b ─── 3-c",
    ]


def test_three_branches_and_two_roots() -> None:
    tree = tree_of([(2, [name, "a"], False) for name in "xyz"] + [(9, ["r"], False)])
    assert draw(tree).split("\n") == [
        "9-r*",
        "1-a ─┬─ 2-z",
        "     ├─ 2-y",
        "     └─ 2-x",
    ]


def test_hashes_and_long_branches_are_shortened() -> None:
    tree = tree_of([(1000, [HASH, *(f"{n:06}" for n in range(999))], False)])
    assert draw(tree) == "1-000998 ─── 2-000997 ─── … 996 more … ─── 999-000000 ─── 1000-917fa2*"


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw(RevisionTree()) == ""
