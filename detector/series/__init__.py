"""Samples of many series to windows: event-time grid, rings, assembly, forgetting and snapshots."""
