"""Results for people (a table) and for programs (JSON)."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table

from sync_server.bench.figures import Judgement

VERDICTS = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}


def table(judgements: Sequence[Judgement]) -> Table:
    """One line per figure, its target and whether it was met beside it."""
    rows = Table(title="Benchmarks", title_justify="left")
    rows.add_column("Figure", no_wrap=True)
    rows.add_column("Measured", justify="right")
    rows.add_column("Unit")
    rows.add_column("Target", justify="right")
    rows.add_column("")
    rows.add_column("How", style="dim")
    for judgement in judgements:
        figure = judgement.figure
        rows.add_row(
            judgement.name,
            "not measured" if figure is None else readable(figure.value),
            "" if figure is None else figure.unit,
            "" if judgement.target is None else str(judgement.target),
            VERDICTS[judgement.met],
            "" if figure is None else figure.note,
        )
    return rows


def readable(value: float) -> str:
    """Three significant digits, and whole numbers above that."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_json(judgements: Sequence[Judgement], *, started_at: str, quick: bool) -> dict[str, Any]:
    """`{"started_at", "quick", "machine", "met", "figures": [...]}`; see docs/benchmarks.md."""
    return {
        "started_at": started_at,
        "quick": quick,
        "machine": machine(),
        "met": all(judgement.met is not False for judgement in judgements),
        "figures": [_entry(judgement) for judgement in judgements],
    }


def machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def write_json(path: Path, result: dict[str, Any]) -> None:
    path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _entry(judgement: Judgement) -> dict[str, Any]:
    figure, target = judgement.figure, judgement.target
    return {
        "name": judgement.name,
        "value": None if figure is None else figure.value,
        "unit": None if figure is None else figure.unit,
        "note": "" if figure is None else figure.note,
        "samples": [] if figure is None else list(figure.samples),
        "target": None if target is None else {"bound": target.bound, "value": target.value},
        "met": judgement.met,
    }
