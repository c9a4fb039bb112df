"""A check fails where a figure misses its target, or was not measured at all."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sync_server.bench import command, registry
from sync_server.bench.benchmark import Benchmark
from sync_server.bench.figures import Figure, Judgement, Target, judge, missed
from sync_server.bench.report import as_json, readable

AT_LEAST = Target("a.ratio", "at least", 3)
AT_MOST = Target("a.memory", "at most", 400)


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (AT_LEAST, 3.0, True),
        (AT_LEAST, 2.99, False),
        (AT_MOST, 400.0, True),
        (AT_MOST, 400.1, False),
        (AT_LEAST, math.nan, False),
        (AT_MOST, math.nan, False),
    ],
)
def test_a_target_is_met_up_to_its_bound(target: Target, value: float, met: bool) -> None:
    assert target.met_by(value) is met


def test_figures_are_judged_in_their_order_and_missing_ones_follow() -> None:
    free, measured = Figure("a.rate", 1, "docs/s"), Figure("a.ratio", 2, "×")
    judged = judge([free, measured], [AT_LEAST, AT_MOST])
    assert judged == [
        Judgement(free, None),
        Judgement(measured, AT_LEAST),
        Judgement(None, AT_MOST),
    ]
    assert [judgement.met for judgement in judged] == [None, False, False]
    assert [judgement.name for judgement in missed(judged)] == ["a.ratio", "a.memory"]


def test_figures_without_a_target_never_fail_a_check() -> None:
    assert missed(judge([Figure("a.rate", 0, "docs/s")], [])) == []


def test_json_says_what_was_measured_and_what_was_asked() -> None:
    judged = judge([Figure("a.ratio", 4, "×", "how", (3.5, 4, 5))], [AT_LEAST, AT_MOST])
    result = as_json(judged, started_at="2024-01-01T00:00:00+00:00", quick=True)
    assert result["met"] is False
    assert result["quick"] is True
    assert result["started_at"] == "2024-01-01T00:00:00+00:00"
    assert set(result["machine"]) == {"cores", "system", "python"}
    assert result["figures"] == [
        {
            "name": "a.ratio",
            "value": 4,
            "unit": "×",
            "note": "how",
            "samples": [3.5, 4, 5],
            "target": {"bound": "at least", "value": 3},
            "met": True,
        },
        {
            "name": "a.memory",
            "value": None,
            "unit": None,
            "note": "",
            "samples": [],
            "target": {"bound": "at most", "value": 400},
            "met": False,
        },
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (1.5, "1.5"), (99.96, "100"), (12345.6, "12,346")]
)
def test_values_are_shown_to_three_digits(value: float, text: str) -> None:
    assert readable(value) == text


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command over one benchmark, `a`, that measures the ratio it is given."""

    def invoke(ratio: float, *arguments: str) -> Result:
        def measure(_: object) -> list[Figure]:
            return [Figure("a.ratio", ratio, "×")]

        chosen = {"a": Benchmark("a", "", measure, [AT_LEAST])}
        monkeypatch.setattr(command, "BENCHMARKS", chosen)
        return CliRunner().invoke(command.main, list(arguments))

    return invoke


def test_check_exits_with_0_where_all_targets_are_met(bench: Callable[..., Result]) -> None:
    assert bench(3, "--check").exit_code == 0


def test_check_exits_with_1_and_names_what_was_missed(bench: Callable[..., Result]) -> None:
    result = bench(2, "--check")
    assert result.exit_code == 1
    assert "Missed: a.ratio" in result.output


def test_a_miss_without_check_exits_with_0(bench: Callable[..., Result]) -> None:
    assert bench(2).exit_code == 0


def test_json_is_written_though_the_check_fails(
    bench: Callable[..., Result], tmp_path: Path
) -> None:
    result = bench(2, "--check", "--json", str(tmp_path / "out.json"))
    assert result.exit_code == 1
    written = json.loads((tmp_path / "out.json").read_text())
    assert [entry["met"] for entry in written["figures"]] == [False]


def test_every_target_is_named_after_its_benchmark() -> None:
    for name, benchmark in registry.BENCHMARKS.items():
        assert benchmark.targets
        assert all(target.figure.startswith(f"{name}.") for target in benchmark.targets)
