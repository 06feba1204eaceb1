"""What happened around an incident, as arrays: samples, what was expected of them, and what they scored."""
