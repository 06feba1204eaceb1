"""How the weights of a model are found: windows to learn from, what is minimised, and the one loop that does it.

What is learned is told apart from how. An objective (`models.fitting.objective`) knows batches and their loss; the loop
(`models.fitting.loop`) knows steps, gradients, clipping and early stopping, and is the same for all. Linear models are
fitted at once (`models.fitting.linear`).
"""
