"""The traffic is that of a tablet: its documents, its checkpoints, its arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import validate
from sync_server.bench.households import households
from sync_server.bench.processes import family, proportional_memory
from sync_server.bench.traffic import Checkpoint, Lap, batches, rate


def test_a_seed_always_gives_the_same_households() -> None:
    assert list(households(30, seed=7)) == list(households(30, seed=7))


def test_other_seeds_give_other_ids() -> None:
    first = {household.doc_id for household in households(50, seed=1)}
    assert first.isdisjoint(household.doc_id for household in households(50, seed=2))


def test_households_have_the_size_of_real_ones() -> None:
    sizes = [len(household.body_json()) for household in households(200, seed=1)]
    assert 600 <= min(sizes) <= max(sizes) <= 900


def test_households_are_such_as_the_schema_takes() -> None:
    assert [validate(household.body) for household in households(100, seed=1)] == [[]] * 100


def test_a_replicated_household_names_its_ancestry() -> None:
    for household in households(50, seed=3):
        document = household.replicated()
        revisions = document["_revisions"]
        assert document["_rev"] == f"{revisions['start']}-{revisions['ids'][0]}"
        assert len(revisions["ids"]) == revisions["start"]


def test_batches_keep_order_and_lose_nothing() -> None:
    documents = list(households(25, seed=1))
    parts = list(batches(documents, size=10))
    assert [len(part) for part in parts] == [10, 10, 5]
    assert sum(parts, []) == documents


def test_a_checkpoint_replaces_the_entry_of_its_own_session() -> None:
    checkpoint = Checkpoint("id", "one")
    checkpoint.body(1)
    checkpoint.body(2)
    checkpoint.session = "two"
    checkpoint.body("3-x")
    assert checkpoint.history == [
        {"last_seq": "3-x", "session_id": "two"},
        {"last_seq": 2, "session_id": "one"},
    ]


def test_a_checkpoint_keeps_five_sessions() -> None:
    checkpoint = Checkpoint("id", "")
    for session in "abcdefg":
        checkpoint.session = session
        checkpoint.body(1)
    assert [entry["session_id"] for entry in checkpoint.history] == list("gfedc")


def test_the_rate_of_several_clients_counts_the_time_they_took_together() -> None:
    assert rate([Lap(0, 2, 100), Lap(1, 4, 100)]) == pytest.approx(50)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for pid, name, parent in ((1, "init", 0), (20, "(web) (1)", 1), (21, "sh", 20), (9, "x", 1)):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} ({name}) S {parent} 0 0")
        (folder / "smaps_rollup").write_text(f"Rss: 900 kB\nPss: {pid} kB\nPss_Dirty: 5 kB\n")
    return tmp_path


def test_a_family_is_a_process_with_all_its_descendants(proc: Path) -> None:
    assert family(20, proc) == [20, 21]
    assert sorted(family(1, proc)) == [1, 9, 20, 21]


def test_memory_is_the_proportional_share_and_a_gone_process_has_none(proc: Path) -> None:
    assert proportional_memory([20, 21, 4711], proc) == 41 * 1024
