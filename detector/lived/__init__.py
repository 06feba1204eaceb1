"""A partition's past as it was lived: what was in force from which offset on, and where its state is known.

Shared by audit and replay. Nothing here writes.
"""
