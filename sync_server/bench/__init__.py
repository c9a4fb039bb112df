"""Benchmarks: what the server does for tablets, measured over its real HTTP surface.

`scripts/bench` runs them. Each module beside `registry.py` holds one benchmark and the targets
that its figures must meet; docs/benchmarks.md says what is measured, how, and what came out.
"""
