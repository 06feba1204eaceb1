"""Records of one partition in, outcomes out; the worker, a replay, an evaluation and an audit all run it."""
