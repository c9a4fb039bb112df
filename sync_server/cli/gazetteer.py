"""`sync-server gazetteer …`: which provinces, districts, communes and villages there are."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync_server.cli.moments import shown
from sync_server.cli.opening import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync_server.access.gazetteer.cleaning import Finding
    from sync_server.access.gazetteer.importing import ImportResult
    from sync_server.access.gazetteer.sources import Source

LEVELS = {2: "provinces", 4: "districts", 6: "communes", 8: "villages"}
_SHOWN = 20
"""Rejected rows that the summary names."""


@click.group()
def gazetteer() -> None:
    """Provinces, districts, communes and villages."""


@gazetteer.command("import")
@click.argument(
    "file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--bundled", is_flag=True, help="The lists that are installed along, instead.")
@click.option("--edition", help="What documents carry as `gazetteer`; else the file's name.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all rows that were left out or mended to this CSV file.",
)
@click.option("--dry-run", is_flag=True, help="Say what it would do, and change nothing.")
@click.option("--force", is_flag=True, help="Even if grants or documents stand in dropped areas.")
@click.pass_context
def gazetteer_import(
    context: click.Context,
    file: Path | None,
    bundled: bool,
    edition: str | None,
    report: Path | None,
    dry_run: bool,
    force: bool,
) -> None:
    """Replace all places with those of FILE: CSV with the columns code, name_km, name_latin."""
    from sync_server.access.audit import CLI
    from sync_server.access.gazetteer import importing
    from sync_server.access.gazetteer.cleaning import clean

    if (file is None) != bundled:
        raise click.UsageError("Name a file, or --bundled.")
    with opened(context) as parts:
        source = _source(file, edition)
        if report is not None:
            # First of all: it is needed most where the import is refused.
            _write_report(report, clean(source.rows).findings)
        if dry_run:
            result = importing.preview(parts, source)
        else:
            result = importing.import_source(parts, source, actor=CLI, force=force)
    _summarise(result, dry_run=dry_run)


@gazetteer.command("show")
@click.argument("code")
@click.pass_context
def gazetteer_show(context: click.Context, code: str) -> None:
    """A place with those above it, and what lies directly in it; '' shows the provinces."""
    with opened(context) as parts:
        path = parts.gazetteer.path(code)
        within = parts.gazetteer.directly_within(code)
    for place in path:
        click.echo("\t".join(place))
    for place in within:
        click.echo("  " + "\t".join(place))


@gazetteer.command("status")
@click.pass_context
def gazetteer_status(context: click.Context) -> None:
    """Where the places come from, and how many there are."""
    with opened(context) as parts:
        edition, counts = parts.gazetteer.edition(), parts.gazetteer.counts()
    if edition is None:
        click.echo("No gazetteer was imported yet.")
        return
    click.echo(f"source\t{edition.source}")
    click.echo(f"edition\t{edition.edition}")
    click.echo(f"imported\t{shown(edition.at)} by {edition.actor}")
    for digits, level in LEVELS.items():
        click.echo(f"{level}\t{counts.get(digits, 0)}")
    click.echo(f"rows left out\t{edition.rejected}")


def _source(file: Path | None, edition: str | None) -> Source:
    from sync_server.access.gazetteer import sources

    return sources.bundled() if file is None else sources.from_csv(file, edition)


def _summarise(result: ImportResult, *, dry_run: bool) -> None:
    source, cleaned = result.source, result.cleaned
    done = "Would import" if dry_run else "Imported"
    counts = ", ".join(
        f"{sum(len(place.code) == digits for place in cleaned.places)} {level}"
        for digits, level in LEVELS.items()
    )
    click.echo(f"{done} {source.name} (edition {source.edition}): {counts}.")
    if source.attribution:
        click.echo(source.attribution)
    click.echo(f"New codes: {len(result.added)}. Dropped codes: {len(result.dropped)}.")
    for line in result.standing:
        click.echo(f"  in a dropped area: {line}")
    _summarise_findings(cleaned.rejected, len(cleaned.mended))


def _summarise_findings(rejected: Sequence[Finding], mended: int) -> None:
    click.echo(f"Rows left out: {len(rejected)}. Rows mended: {mended}.")
    for row, reason, _ in rejected[:_SHOWN]:
        click.echo(f"  {row.file}:{row.line}\t{row.code}\t{row.name_latin}\t{reason}")
    if len(rejected) > _SHOWN:
        click.echo(f"  … and {len(rejected) - _SHOWN} more: --report FILE writes all.")


def _write_report(path: Path, findings: Sequence[Finding]) -> None:
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "line", "code", "name_km", "name_latin", "result", "reason"))
        for row, reason, is_rejected in findings:
            result = "left out" if is_rejected else "mended"
            names = (row.code, row.name_km, row.name_latin)
            writer.writerow((row.file, row.line, *names, result, reason))
