"""The benchmarks by name; a later one is added here and is then run and checked like these."""

from __future__ import annotations

from sync_server.bench import conflicts, growth, longpolls, replication, scope, wire
from sync_server.bench.benchmark import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (replication, growth, longpolls, scope, wire, conflicts)
}
