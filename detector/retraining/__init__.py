"""A model trained anew on its stream: on what data, and whether it is better. No input or output."""
