"""What many series cost: memory, snapshots, and the time until a killed worker is back."""
