"""Proof of exactly-once delivery: faults by seed against the real worker, and a check against an uninterrupted run."""
