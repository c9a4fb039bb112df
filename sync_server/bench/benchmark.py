"""What a benchmark is: a name, a function, and the targets that its figures must meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from sync_server.bench.figures import Figure, Target


@dataclass(frozen=True, slots=True)
class Run:
    """What a benchmark is given."""

    folder: Path
    """An empty folder of its own, removed afterwards."""
    progress: Progress
    quick: bool
    """Smaller amounts and fewer repetitions, for trying things out."""

    def amount(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Benchmark:
    name: str
    summary: str
    measure: Callable[[Run], list[Figure]]
    targets: Sequence[Target]
