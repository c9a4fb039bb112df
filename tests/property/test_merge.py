"""Laws of the merge: no order matters, nothing is dropped without a trace."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from conflict.branches import Branches, Leaf
from conflict.canonical import MISSING, same
from conflict.merge import Base, Version
from conflict.resolution import Case, Plan, resolve
from conflict.revision import winner_key

POLICIES = {
    "name": "manual",
    "phone": "latest",
    "tags": "union",
    "visits": "counter",
    "card": "keyed:on",
    "author": "immutable",
}
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["Sok", "Sokha", None]),
    "phone": st.sampled_from(["+85512", "+85513", "+85514"]),
    "tags": st.lists(st.sampled_from("abcd"), unique=True, max_size=3),
    "visits": st.integers(0, 3),
    "card": st.lists(
        st.fixed_dictionaries({"on": st.sampled_from("12"), "level": st.integers(1, 2)}),
        unique_by=lambda item: item["on"],
        max_size=2,
    ),
    "author": st.sampled_from(["sok", "dara"]),
}
BODIES = st.fixed_dictionaries({}, optional=dict(VALUES))
PHOTOS = st.dictionaries(st.sampled_from(["face", "house"]), st.sampled_from(["md5-1", "md5-2"]))


@st.composite
def conflicts(draw: st.DrawFn, with_base: bool | None = None) -> tuple[list[Leaf], Base | None]:
    """Two to six leaves on one base, the winner first."""
    base_kept = draw(st.booleans()) if with_base is None else with_base
    base = Base("1-a", draw(BODIES), draw(PHOTOS)) if base_kept else None
    leaves = [
        Leaf(
            [f"2-{name}", "1-a"],
            Version(
                f"2-{name}",
                {**(base.fields if base and draw(st.booleans()) else {}), **draw(BODIES)},
                draw(PHOTOS),
                draw(st.integers(0, 3)),
                draw(st.sampled_from("xy")),
            ),
        )
        for name in draw(st.lists(st.sampled_from("bcdefg"), min_size=2, max_size=6, unique=True))
    ]
    return winner_first(leaves), base


def winner_first(leaves: list[Leaf]) -> list[Leaf]:
    return sorted(leaves, key=lambda leaf: winner_key(leaf.version.rev, False), reverse=True)


def merged_body(plan: Plan, leaves: list[Leaf]) -> dict[str, Any]:
    """What stands afterwards."""
    for written in plan.writes:
        if not written.deleted:
            body: dict[str, Any] = orjson.loads(written.body)
            return body
    return dict(leaves[0].version.fields)


@given(conflicts())
def test_the_order_of_arrival_gives_the_same_revisions_and_bytes(
    conflict: tuple[list[Leaf], Base | None],
) -> None:
    leaves, base = conflict
    outcomes = [
        resolve(Branches(winner_first(list(order))), base, POLICIES)
        for order in permutations(leaves[:4])
    ]
    assert all(outcome == outcomes[0] for outcome in outcomes)


@given(conflicts())
def test_every_value_that_did_not_come_through_is_in_the_case_or_named_as_overridden(
    conflict: tuple[list[Leaf], Base | None],
) -> None:
    leaves, base = conflict
    outcome = resolve(Branches(leaves), base, POLICIES)
    if isinstance(outcome, Case):
        named = {field.field: field.values for field in outcome.conflicts}
        for field, values in named.items():
            for leaf in leaves:
                if not field.startswith("_attachments/"):
                    assert same(values[leaf.version.rev], leaf.version.fields.get(field, MISSING))
        return
    merged = merged_body(outcome, leaves)
    overridden = {(item.field, item.rev) for item in outcome.overrides}
    for leaf in leaves:
        for field, value in leaf.version.fields.items():
            if POLICIES[field] in ("union", "counter", "keyed:on"):
                continue  # combined from all
            unchanged = base is not None and same(value, base.fields.get(field, MISSING))
            told = (field, leaf.version.rev) in overridden
            assert unchanged or told or same(value, merged.get(field, MISSING))


@given(conflicts(with_base=True))
def test_a_field_that_one_leaf_changed_takes_its_value(
    conflict: tuple[list[Leaf], Base | None],
) -> None:
    leaves, base = conflict
    assert base is not None
    outcome = resolve(Branches(leaves), base, POLICIES)
    if not isinstance(outcome, Plan):
        return
    merged = merged_body(outcome, leaves)
    for field in VALUES:
        before = base.fields.get(field, MISSING)
        values = [leaf.version.fields.get(field, MISSING) for leaf in leaves]
        changed = [value for value in values if not same(value, before)]
        if len(changed) == 1 and not (field == "author" and before is not MISSING):
            assert same(merged.get(field, MISSING), changed[0])


@given(conflicts(with_base=True))
def test_a_counter_adds_every_difference(conflict: tuple[list[Leaf], Base | None]) -> None:
    leaves, base = conflict
    assert base is not None
    outcome = resolve(Branches(leaves), base, POLICIES)
    if not isinstance(outcome, Plan) or "visits" not in base.fields:
        return
    values = [leaf.version.fields.get("visits") for leaf in leaves]
    if all(value is not None for value in values):
        start = base.fields["visits"]
        merged = merged_body(outcome, leaves)
        assert merged["visits"] == start + sum(
            value - start for value in values if value is not None
        )


@given(conflicts(with_base=False))
def test_without_a_base_only_equal_values_merge(
    conflict: tuple[list[Leaf], Base | None],
) -> None:
    leaves, _ = conflict
    outcome = resolve(Branches(leaves), None, POLICIES)
    bodies = [leaf.version.fields for leaf in leaves]
    photos = [leaf.version.attachments for leaf in leaves]
    agree = (
        all(same(body, bodies[0]) for body in bodies)
        and all(photo == photos[0] for photo in photos)
        and "visits" not in bodies[0]  # equal counts may have counted different visits
    )
    assert isinstance(outcome, Plan) == agree
    if isinstance(outcome, Case):
        assert outcome.reason == "no_base"


@given(conflicts())
def test_the_winner_is_extended_and_every_other_leaf_gets_a_tombstone(
    conflict: tuple[list[Leaf], Base | None],
) -> None:
    leaves, base = conflict
    outcome = resolve(Branches(leaves), base, POLICIES)
    if isinstance(outcome, Plan):
        tombstones = [written for written in outcome.writes if written.deleted]
        assert [list(one.history[1:]) for one in tombstones] == [
            list(leaf.history) for leaf in leaves[1:]
        ]
        made = [written.history for written in outcome.writes if not written.deleted]
        assert outcome.rev == (made[0][0] if made else leaves[0].rev)
        assert all(list(history[1:]) == list(leaves[0].history) for history in made)
