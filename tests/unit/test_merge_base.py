"""Merge bases, on histories small enough to draw."""

from __future__ import annotations

from conflict.merge_base import merge_bases


def test_two_branches_part_at_their_nearest_common_ancestor() -> None:
    assert merge_bases([["3-x", "2-b", "1-a"], ["4-y", "3-y", "2-b", "1-a"]], {}) == ["2-b"]


def test_a_leaf_that_others_descend_from_is_the_base() -> None:
    assert merge_bases([["2-b", "1-a"], ["3-c", "2-b", "1-a"]], {}) == ["2-b"]


def test_stemmed_histories_without_anything_in_common_have_none() -> None:
    assert merge_bases([["9-x", "8-x"], ["9-y", "8-y"]], {}) == []


def test_a_tablet_that_extends_a_losing_leaf_is_merged_against_that_leaf() -> None:
    merged = {"3-m": [["2-l", "1-a"]]}
    histories = [["3-m", "2-w", "1-a"], ["3-x", "2-l", "1-a"]]
    assert merge_bases(histories, merged) == ["2-l"]
    assert merge_bases(histories, {}) == ["1-a"]


def test_a_merge_is_incorporated_through_later_edits() -> None:
    merged = {"3-m": [["2-l", "1-a"]]}
    histories = [["5-z", "4-z", "3-m", "2-w", "1-a"], ["3-x", "2-l", "1-a"]]
    assert merge_bases(histories, merged) == ["2-l"]


def test_criss_cross_merges_have_several() -> None:
    merged = {"3-m": [["2-l", "1-a"]], "3-n": [["2-w", "1-a"]]}
    histories = [["3-m", "2-w", "1-a"], ["3-n", "2-l", "1-a"]]
    assert merge_bases(histories, merged) == ["2-l", "2-w"]


def test_three_leaves_share_what_all_incorporate() -> None:
    histories = [["3-x", "2-b", "1-a"], ["3-y", "2-b", "1-a"], ["2-z", "1-a"]]
    assert merge_bases(histories, {}) == ["1-a"]
