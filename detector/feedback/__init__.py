"""What people say about incidents, and what that makes of a threshold. No input or output."""
