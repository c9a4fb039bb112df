"""What whoever settles a case is shown."""

from __future__ import annotations

from conflict.branches import Branches, Leaf, merged_into
from conflict.canonical import MISSING
from conflict.merge import Base, Version, Why
from conflict.picture import picture
from conflict.resolution import DELETED, Case

POLICIES = {"phone": "latest", "tags": "union", "visits": "counter"}


def leaf(rev: str, at: int = 0, **fields: object) -> Leaf:
    return Leaf([rev, "1-a"], Version(rev, fields, {}, at, device=rev))


def test_each_field_says_who_changed_it_what_is_chosen_and_why() -> None:
    base = Base("1-a", {"name": "Sok", "phone": "1", "visits": 1, "note": "x"}, {})
    branches = Branches(
        [
            leaf("2-c", 1, name="Sokha", phone="2", visits=2, note="x"),
            leaf("2-b", 2, name="Sokhom", phone="3", visits=3, note="x", tags=["a"]),
        ]
    )
    shown = {item.field: item for item in picture(branches, base, POLICIES).fields}
    whys = {name: item.why for name, item in shown.items()}
    assert whys == {
        "name": Why.MANUAL,
        "phone": Why.POLICY,
        "visits": Why.POLICY,
        "note": Why.UNCHANGED,
        "tags": Why.ONE,
    }
    assert shown["name"].chosen is None
    assert shown["phone"].chosen is not None and shown["phone"].chosen.value == "3"
    assert shown["visits"].chosen is not None and shown["visits"].chosen.value == 4
    assert shown["tags"].values == {"2-c": MISSING, "2-b": ["a"]}
    assert shown["tags"].changed_by == ["2-b"]


def test_without_a_base_the_policy_only_suggests() -> None:
    branches = Branches([leaf("2-c", 1, phone="2", visits=2), leaf("2-b", 2, phone="3", visits=2)])
    seen = picture(branches, None, POLICIES)
    phone, visits = seen.fields
    assert (phone.why, visits.why) == (Why.NO_BASE, Why.NO_BASE)
    assert phone.suggested is not None and phone.suggested.value == "3"
    assert visits.suggested is None
    assert isinstance(seen.outcome, Case)
    assert (seen.outcome.reason, seen.outcome.bases) == ("no_base", ["1-a"])
    assert [item.field for item in seen.open_fields] == ["phone", "visits"]


def test_a_deletion_stands_among_the_fields_of_its_case() -> None:
    base = Base("1-a", {"name": "Sok"}, {})
    branches = Branches([leaf("2-b", name="Sokha")], [["2-d", "1-a"]])
    case = picture(branches, base, POLICIES).outcome
    assert isinstance(case, Case)
    assert (case.reason, case.leaves) == ("deleted", ["2-b", "2-d"])
    (deleted,) = case.conflicts
    assert deleted.field == DELETED
    assert deleted.values == {"2-b": MISSING, "2-d": True}


def test_only_a_tombstone_that_names_a_revision_is_a_merges() -> None:
    assert merged_into(b'{"merged_into":"3-m"}') == "3-m"
    assert merged_into(b"{}") is None
    assert merged_into(b'{"merged_into":3}') is None
    assert merged_into(b'{"note":"merged_into"}') is None
