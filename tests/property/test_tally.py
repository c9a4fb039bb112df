"""The counts behind `pending` agree with counting."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_server.storage.sqlite import open_store, tally


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sets(st.integers(1, 200_000), max_size=60),
    st.lists(st.integers(0, 210_000), min_size=1, max_size=12),
)
def test_counting_by_ranges_agrees_with_counting_rows(
    tmp_path: Path, seqs: set[int], asked: list[int]
) -> None:
    store = open_store(tmp_path)
    name = f"t{len(store.names())}"
    store.create(name)
    with store.database(name).connections.write() as connection:
        counts = tally.Tally()
        for seq in seqs:
            counts.add(str(seq % 3), seq)
            connection.execute(
                "INSERT INTO document (id, area, seq, rev, deleted, live, tree)"
                " VALUES (?, ?, ?, '1-a', 0, 1, x'5b5d')",
                (str(seq), str(seq % 3), seq),
            )
        counts.save(connection)
        for seq in asked:
            assert tally.count_after(connection, seq) == sum(other > seq for other in seqs)
            within = [other for other in seqs if other % 3 == 1 and other > seq]
            assert tally.count_after(connection, seq, "1") == len(within)
