"""What holds of cleaned places, whatever the source was like."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sync_server.access.gazetteer.cleaning import SourceRow, clean

PARTS = st.sampled_from(["01", "02", "០១", "2", "0a", "", "\u200b", " 01"])
CODES = st.sampled_from(["01", "02", "0101"]) | st.lists(PARTS, max_size=5).map("".join)
LETTERS = ["ក", "ខ", "្", "a", "é", "e\u0301", " ", "\t", "\u00a0"]
UNSEEN = ["\u200b", "\u200c", "\u200d", "\ufeff", "\u2060", "\u00ad", "\x00"]
NAMES = st.lists(st.sampled_from(LETTERS + UNSEEN), max_size=6).map("".join)


@st.composite
def sources(draw: st.DrawFn) -> list[SourceRow]:
    cells = st.tuples(CODES, NAMES, NAMES, st.none() | CODES)
    rows = draw(st.lists(cells, max_size=25))
    return [SourceRow("own.csv", line, *row) for line, row in enumerate(rows, start=2)]


@given(sources())
def test_every_row_is_a_place_or_rejected_and_no_row_is_both(rows: list[SourceRow]) -> None:
    cleaned = clean(rows)
    assert len(cleaned.places) + len(cleaned.rejected) == len(rows)
    lines = [finding.row.line for finding in cleaned.findings]
    assert lines == sorted(set(lines))


@given(sources())
def test_codes_are_unique_and_all_that_is_above_a_place_is_there(rows: list[SourceRow]) -> None:
    codes = [place.code for place in clean(rows).places]
    assert codes == sorted(set(codes))
    assert all(len(code) == 2 or code[:-2] in codes for code in codes)


@given(sources())
def test_names_are_nfc_visible_and_never_empty(rows: list[SourceRow]) -> None:
    for place in clean(rows).places:
        for name in place[1:]:
            assert name and name == name.strip() == unicodedata.normalize("NFC", name)
            assert not set(name) & set("\u200b\ufeff\u2060\u00ad\x00\t\u00a0")


@given(sources())
def test_what_is_clean_stays_as_it_is(rows: list[SourceRow]) -> None:
    places = clean(rows).places
    again = clean(SourceRow("own.csv", 2 + n, *place) for n, place in enumerate(places))
    assert (again.places, again.findings) == (places, [])


@given(st.randoms(use_true_random=False), sources())
def test_where_no_code_comes_twice_the_order_of_rows_does_not_matter(
    chance: object, rows: list[SourceRow]
) -> None:
    unique = list({row.code.strip("\u200b ").replace("០១", "01"): row for row in rows}.values())
    shuffled = list(unique)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert clean(shuffled).places == clean(unique).places
