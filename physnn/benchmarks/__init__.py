"""Benchmarks: what a simulator costs on this machine. They run on demand, never among the tests."""

from physnn.benchmarks.bench import BENCHES, Bench, Figure, Settings, find_bench, run_bench

__all__ = ["BENCHES", "Bench", "Figure", "Settings", "find_bench", "run_bench"]
