"""Each rule of cleaning, on a row that was planted for it."""

from __future__ import annotations

import pytest

from sync_server.access.gazetteer import Place, sources
from sync_server.access.gazetteer.cleaning import Cleaned, SourceRow, clean

KHMER = "បាត់ដំបង"
ABOVE = (
    SourceRow("own.csv", 2, "02", KHMER, "Battambang"),
    SourceRow("own.csv", 3, "0203", KHMER, "Thma Koul"),
    SourceRow("own.csv", 4, "020301", KHMER, "Ta Ek"),
)


def with_row(
    code: str,
    name_km: str = KHMER,
    name_latin: str = "Phum",
    parent: str | None = None,
    fault: str = "",
) -> Cleaned:
    return clean([*ABOVE, SourceRow("own.csv", 5, code, name_km, name_latin, parent, fault)])


def reason(cleaned: Cleaned) -> str:
    (finding,) = cleaned.findings
    assert finding.row.line == 5
    assert finding.is_rejected
    assert len(cleaned.places) == len(ABOVE)
    return finding.reason


def mended(cleaned: Cleaned) -> tuple[Place, str]:
    (finding,) = cleaned.findings
    assert finding.row.line == 5
    assert not finding.is_rejected
    return cleaned.places[-1], finding.reason


def test_rows_without_a_flaw_become_places_in_order_of_codes() -> None:
    cleaned = clean([SourceRow("own.csv", 5, "02030101", KHMER, "Phum"), *reversed(ABOVE)])
    assert [place.code for place in cleaned.places] == ["02", "0203", "020301", "02030101"]
    assert cleaned.findings == []


def test_a_code_that_was_given_twice_stays_with_the_first() -> None:
    cleaned = with_row("020301", name_latin="Other")
    assert "own.csv:4" in reason(cleaned)
    assert cleaned.places[-1].name_latin == "Ta Ek"


def test_a_row_under_the_wrong_commune_does_not_take_the_code_of_another() -> None:
    wrong = SourceRow("own.csv", 1, "020301", KHMER, "Elsewhere", "0204")
    cleaned = clean([wrong, *ABOVE])
    assert [finding.row.line for finding in cleaned.rejected] == [1]
    assert cleaned.places[-1].name_latin == "Ta Ek"


def test_a_row_that_is_listed_under_another_place_is_left_out() -> None:
    assert "020302" in reason(with_row("02030101", parent="020302"))
    assert "nothing" in reason(with_row("02030101", parent=""))
    assert with_row("02030101", parent="020301").findings == []


def test_an_orphan_is_left_out_with_all_that_lies_in_it() -> None:
    cleaned = clean(
        [
            *ABOVE,
            SourceRow("own.csv", 5, "02049901", KHMER, "Village"),
            SourceRow("own.csv", 6, "020499", KHMER, "Commune"),
        ]
    )
    assert [(finding.row.line, finding.reason.split()[3]) for finding in cleaned.rejected] == [
        (5, "020499,"),
        (6, "0204,"),
    ]


@pytest.mark.parametrize("code", ["2", "203", "20301", "2030101"])
def test_a_code_that_lost_its_zero_is_left_out_and_the_spreadsheet_named(code: str) -> None:
    assert "spreadsheet" in reason(with_row(code))


@pytest.mark.parametrize("code", ["0203010101", "0506140-", "KH02", "02 03", "٠٢", "²³"])
def test_other_codes_that_are_none_are_left_out(code: str) -> None:
    assert "2, 4, 6 or 8 digits" in reason(with_row(code))


@pytest.mark.parametrize("code", ["", "  ", "\u200b"])
def test_a_row_without_a_code_is_left_out(code: str) -> None:
    assert "no code" in reason(with_row(code))


def test_khmer_digits_are_digits() -> None:
    place, why = mended(with_row("០២០៣០១០១"))
    assert place.code == "02030101"
    assert "Khmer digits" in why


def test_zero_width_and_doubled_spaces_leave_a_name() -> None:
    place, why = mended(with_row("02030101", "ភូមិ\u200bថ្មី\ufeff", "\u00a0Ta   Bun "))
    assert place == ("02030101", "ភូមិថ្មី", "Ta Bun")
    assert "name_km" in why and "name_latin" in why


def test_a_joiner_inside_of_a_name_stays() -> None:
    cleaned = with_row("02030101", "ស៊\u200cី")
    assert cleaned.places[-1].name_km == "ស៊\u200cី"
    assert cleaned.findings == []


def test_names_are_nfc() -> None:
    place, _ = mended(with_row("02030101", name_latin="Cafe\u0301"))
    assert place.name_latin == "Caf\u00e9"


def test_one_name_stands_for_the_other_where_that_is_empty() -> None:
    place, why = mended(with_row("02030101", "", "Phum"))
    assert (place.name_km, place.name_latin) == ("Phum", "Phum")
    assert "name_km is empty" in why
    place, _ = mended(with_row("02030101", KHMER, "\u200b"))
    assert (place.name_km, place.name_latin) == (KHMER, KHMER)


def test_a_row_without_any_name_is_left_out() -> None:
    assert "no name" in reason(with_row("02030101", " ", "\u200b"))


def test_a_name_that_is_too_long_is_left_out() -> None:
    assert "longer" in reason(with_row("02030101", "ក" * 201))
    assert with_row("02030101", "ក" * 200).findings == []


def test_a_row_that_is_broken_as_a_row_is_left_out() -> None:
    assert reason(with_row("02030101", fault="it has 4 cells")) == "it has 4 cells"


def test_the_bundled_lists_are_clean_afterwards_and_what_is_known_of_them_is_found() -> None:
    cleaned = clean(sources.bundled().rows)
    codes = {place.code for place in cleaned.places}
    lines = {(finding.row.code, finding.is_rejected) for finding in cleaned.findings}
    assert len([code for code in codes if len(code) == 2]) == 25
    assert {("0506140-", True), ("12091301", True), ("08120101", True)} <= lines
    assert ("04061500", True) in lines and ("10050609", False) in lines
    assert "120913" not in codes and "08120101" in codes
    assert len(cleaned.places) + len(cleaned.rejected) == len(sources.bundled().rows)
