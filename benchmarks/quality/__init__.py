"""How well `detector evaluate` finds faults on labelled series, beside the baselines, over several seeds."""
