"""Laws of the merge: no order matters, nothing is dropped without a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, permutations
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from conflict.branches import Branches
from conflict.canonical import MISSING, canonical, same
from conflict.merge import ATTACHMENTS, Base
from conflict.picture import picture
from conflict.resolution import DELETED, Case, Plan, resolve
from sync_server.branches import base_of, branches_of
from tests.property.worlds import POLICIES, Stored, World, revision_of, thorough, worlds

COMBINED = ("union", "counter", "keyed:on")
ORDERS = 30


def leaves_of(world: World) -> list[Stored]:
    return list(world.sent())


def seen(leaves: Sequence[Stored]) -> Branches:
    return branches_of([revision_of(leaf) for leaf in leaves])


def base_for(world: World, branches: Branches) -> Base | None:
    """What a server that kept some bodies merges against."""
    bases = branches.bases()
    if len(bases) != 1 or bases[0] not in world.kept:
        return None
    return base_of(revision_of(world.revisions[bases[0]]))


def outcome_of(world: World, leaves: Sequence[Stored]) -> Plan | Case | None:
    branches = seen(leaves)
    if not branches.disputed:
        return None
    return resolve(branches, base_for(world, branches), POLICIES)


def standing_body(plan: Plan, branches: Branches) -> Mapping[str, Any] | None:
    """What the document says afterwards; None where it is deleted."""
    for written in plan.writes:
        if not written.deleted:
            body: dict[str, Any] = orjson.loads(written.body)
            return body
    return next((leaf.version.fields for leaf in branches.live if leaf.rev == plan.rev), None)


@thorough
@given(worlds())
def test_no_order_of_the_leaves_changes_a_revision_or_a_byte(world: World) -> None:
    orders = islice(permutations(leaves_of(world)), ORDERS)
    first, *others = [outcome_of(world, order) for order in orders]
    assert all(outcome == first for outcome in others)


@thorough
@given(worlds())
def test_a_value_that_did_not_come_through_is_in_a_case_or_named_as_overridden(
    world: World,
) -> None:
    branches = seen(leaves_of(world))
    if not branches.disputed:
        return
    base = base_for(world, branches)
    outcome = resolve(branches, base, POLICIES)
    for leaf in branches.live:
        for field, value in leaf.version.fields.items():
            before = base.fields.get(field, MISSING) if base else MISSING
            if not same(value, before):
                assert is_accounted_for(outcome, branches, leaf.rev, field, value)


def is_accounted_for(
    outcome: Plan | Case, branches: Branches, rev: str, field: str, value: Any
) -> bool:
    if isinstance(outcome, Case):
        named = {item.field: item.values for item in outcome.conflicts}
        return rev in outcome.leaves and (
            field not in named or same(named[field].get(rev, MISSING), value)
        )
    if any((item.field, item.rev) == (field, rev) for item in outcome.overrides):
        return True
    body = standing_body(outcome, branches)
    assert body is not None, "an edited document was deleted"
    stands = body.get(field, MISSING)
    if POLICIES[field] in ("union", "keyed:on") and type(value) is list and type(stands) is list:
        return True  # item by item, below
    return POLICIES[field] == "counter" or same(stands, value)


@thorough
@given(worlds())
def test_what_was_added_to_a_list_is_in_it_and_what_was_removed_is_not(world: World) -> None:
    branches = seen(leaves_of(world))
    base = base_for(world, branches)
    if base is None or not branches.disputed:
        return
    outcome = resolve(branches, base, POLICIES)
    if not isinstance(outcome, Plan):
        return
    body = standing_body(outcome, branches)
    if body is None:
        return  # deleted
    before = items(base.fields.get("tags", []))
    lists = [leaf.version.fields.get("tags") for leaf in branches.live]
    if any(tags is None for tags in lists) or "tags" not in base.fields:
        return
    stands = items(body["tags"])
    for tags in map(items, lists):
        assert tags - before <= stands
        assert not (before - tags) & stands


def items(values: Any) -> set[bytes]:
    return {canonical(value) for value in values}


@thorough
@given(worlds())
def test_a_counter_adds_every_difference(world: World) -> None:
    branches = seen(leaves_of(world))
    base = base_for(world, branches)
    if base is None or not branches.disputed or "visits" not in base.fields:
        return
    outcome = resolve(branches, base, POLICIES)
    values = [leaf.version.fields.get("visits") for leaf in branches.live]
    if isinstance(outcome, Plan) and None not in values:
        start = base.fields["visits"]
        body = standing_body(outcome, branches) or {}
        added = sum(value - start for value in values if value is not None)
        assert body.get("visits", start) == start + added


@thorough
@given(worlds())
def test_without_a_base_only_equal_values_merge(world: World) -> None:
    branches = seen(leaves_of(world))
    if not branches.disputed:
        return
    outcome = resolve(branches, None, POLICIES)
    bodies = [leaf.version.fields for leaf in branches.live]
    agree = (
        not branches.deletions
        and all(same(body, bodies[0]) for body in bodies)
        and all(
            leaf.version.attachments == branches.live[0].version.attachments
            for leaf in branches.live
        )
        and "visits" not in bodies[0]  # equal counts may have counted different visits
    )
    assert isinstance(outcome, Plan) == agree
    if isinstance(outcome, Case) and not branches.deletions:
        assert outcome.reason in ("no_base", "several_bases")


@thorough
@given(worlds())
def test_a_deletion_beside_an_edit_is_a_case_and_beside_none_it_stands(world: World) -> None:
    leaves = leaves_of(world)
    live = [leaf for leaf in leaves if not leaf.deleted]
    if not live or len(live) == len(leaves):
        return
    branches = seen(leaves)
    base = base_for(world, branches)
    outcome = resolve(branches, base, POLICIES)
    known = base and world.revisions[base.rev]
    untouched = known is not None and all(
        same(leaf.body, {} if known.deleted else known.body)
        and leaf.photos == ({} if known.deleted else known.photos)
        for leaf in live
    )
    if untouched:
        assert isinstance(outcome, Plan)
        assert all(written.deleted for written in outcome.writes)
    else:
        assert isinstance(outcome, Case)
        assert outcome.conflicts[0].field == DELETED
        assert outcome.leaves == sorted(leaf.rev for leaf in leaves)


@thorough
@given(worlds(), st.booleans())
def test_one_live_leaf_is_left_and_every_other_branch_ends_in_a_tombstone(
    world: World, again: bool
) -> None:
    branches = seen(leaves_of(world))
    if not branches.disputed:
        return
    outcome = resolve(branches, base_for(world, branches), POLICIES)
    if not isinstance(outcome, Plan):
        return
    extended = {written.history[1] for written in outcome.writes}
    left = [leaf.rev for leaf in branches.live if leaf.rev not in extended]
    made = [written.history[0] for written in outcome.writes if not written.deleted]
    assert [*left, *made] == ([] if branches.deletions else [outcome.rev])
    for written in outcome.writes:
        history = next(leaf.history for leaf in branches.live if leaf.rev == written.history[1])
        assert list(written.history[1:]) == list(history)


@thorough
@given(worlds())
def test_the_picture_shows_what_every_leaf_says_and_what_is_chosen(world: World) -> None:
    branches = seen(leaves_of(world))
    if not branches.disputed:
        return
    base = base_for(world, branches)
    shown = picture(branches, base, POLICIES)
    assert shown.outcome == resolve(branches, base, POLICIES)
    fields = {item.field: item for item in shown.fields}
    for leaf in branches.live:
        for name, value in leaf.version.fields.items():
            assert same(fields[name].values[leaf.rev], value)
        for name, digest in leaf.version.attachments.items():
            assert fields[ATTACHMENTS + name].values[leaf.rev] == digest
    if isinstance(shown.outcome, Case):
        named = {item.field for item in shown.outcome.conflicts} - {DELETED}
        assert named == {item.field for item in shown.open_fields}
