"""How the demonstration tells what happens, and counts what was not as it should be."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


class Telling:
    """Chapters, sentences and tables on a console, and the expectations that failed."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._chapters = 0
        self.kept = 0
        self.broken: list[str] = []

    def chapter(self, title: str) -> None:
        self._chapters += 1
        self._console.print()
        self._console.rule(f"[bold]{self._chapters}. {title}", align="left", style="dim")

    def say(self, sentence: str) -> None:
        self._console.print(f"  {sentence}")

    def expect(self, holds: bool, what: str) -> bool:
        """Note whether `what` holds; a false one makes the demonstration fail."""
        if holds:
            self.kept += 1
            self._console.print(f"  [green]✓[/] {what}")
        else:
            self.broken.append(what)
            self._console.print(f"  [bold red]✗ {what}[/]")
        return holds

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        table = Table(*columns, title=title, title_justify="left", title_style="italic")
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self._console.print(table)

    def end(self) -> int:
        """The last line; answers the exit status."""
        self._console.print()
        if not self.broken:
            self._console.print(f"[bold green]All {self.kept} expectations held.[/]")
            return 0
        self._console.print(f"[bold red]{len(self.broken)} expectations did not hold:[/]")
        for what in self.broken:
            self._console.print(f"  [red]✗ {what}[/]")
        return 1
