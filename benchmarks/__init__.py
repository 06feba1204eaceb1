"""Measurements that anybody can repeat; see ``docs/benchmarks.md``."""
