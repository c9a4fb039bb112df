"""The command line of `scripts/bench`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sync_server.bench.benchmark import Benchmark, Run
from sync_server.bench.figures import Judgement, judge, missed
from sync_server.bench.peers import PeerError
from sync_server.bench.registry import BENCHMARKS
from sync_server.bench.report import as_json, table, write_json


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*BENCHMARKS, "all"]))
@click.option("--quick", is_flag=True, help="Small amounts, to try things out.")
@click.option("--check", is_flag=True, help="Exit with 1 where a figure misses its target.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write results."
)
def main(names: Sequence[str], quick: bool, check: bool, json_file: Path | None) -> None:
    """Measure this server; all benchmarks if no NAMES are given.

    COUCHDB_URL (http://name:password@host:5984) adds a running CouchDB to `replication`.
    """
    console = Console()
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    judgements: list[Judgement] = []
    for benchmark in _chosen(names):
        judgements += _measured(benchmark, console, quick)
    console.print(table(judgements))
    if json_file is not None:
        write_json(json_file, as_json(judgements, started_at=started_at, quick=quick))
    if check and (failures := missed(judgements)):
        names_missed = ", ".join(judgement.name for judgement in failures)
        console.print(f"[red]Missed:[/] {names_missed}")
        sys.exit(1)


def _chosen(names: Sequence[str]) -> list[Benchmark]:
    if not names or "all" in names:
        return list(BENCHMARKS.values())
    return [BENCHMARKS[name] for name in dict.fromkeys(names)]


def _measured(benchmark: Benchmark, console: Console, quick: bool) -> list[Judgement]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with (
        tempfile.TemporaryDirectory(prefix="sync-server-bench-") as folder,
        Progress(*columns, console=console) as progress,
    ):
        try:
            figures = benchmark.measure(Run(Path(folder), progress, quick))
        except PeerError as problem:
            raise click.ClickException(str(problem)) from problem
    return judge(figures, benchmark.targets)
