"""The few numbers that change from step to step; native steps read them through a pointer."""

LOSS, HITS, COUNT = range(3)
"""Places in `totals`: sum of (weighted) losses, right answers, pictures seen."""

RATE, STEP, GRADIENT_SCALE = range(3)
"""Places in `control`: learning rate, step number from 1, factor on gradients."""
