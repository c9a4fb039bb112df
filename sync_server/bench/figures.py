"""What a benchmark answers (figures) and what is asked of it (targets)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value."""

    name: str
    """Dotted, the benchmark first: `replication.push_ratio`."""
    value: float
    unit: str
    """`docs/s`, `×`, `ms`, `MB`, `%` …"""
    note: str = ""
    """How it came about, where the name does not say it all."""
    samples: Sequence[float] = ()
    """The repetitions that `value` is the median of, in `unit`."""


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that the figure of the same name must keep."""

    figure: str
    bound: Literal["at least", "at most"]
    value: float

    def met_by(self, value: float) -> bool:
        """Not a number keeps no bound."""
        return value >= self.value if self.bound == "at least" else value <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.bound == 'at least' else '≤'} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A figure beside its target; one of the two may be missing, not both."""

    figure: Figure | None
    target: Target | None

    @property
    def name(self) -> str:
        if self.figure is not None:
            return self.figure.name
        assert self.target is not None
        return self.target.figure

    @property
    def met(self) -> bool | None:
        """None where there is no target. A target without its figure is missed."""
        if self.target is None:
            return None
        return self.figure is not None and self.target.met_by(self.figure.value)


def judge(figures: Iterable[Figure], targets: Iterable[Target]) -> list[Judgement]:
    """Every figure with its target, then the targets whose figure was not measured."""
    by_name = {target.figure: target for target in targets}
    judged = [Judgement(figure, by_name.pop(figure.name, None)) for figure in figures]
    return judged + [Judgement(None, target) for target in by_name.values()]


def missed(judgements: Iterable[Judgement]) -> list[Judgement]:
    """The judgements that make a check fail."""
    return [judgement for judgement in judgements if judgement.met is False]
