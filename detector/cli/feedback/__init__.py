"""``detector feedback`` and ``recalibrate``: what people say of incidents, and what follows from it."""
