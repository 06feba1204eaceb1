"""Bringing a partition back to where its last commit left it, in small steps between polls."""
