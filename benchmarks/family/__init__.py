"""What each architecture costs: weights, size of the graph, time to export and to load, windows per second."""
