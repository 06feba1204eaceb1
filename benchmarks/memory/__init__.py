"""How far recurrent cells remember: the textbook facts, with this project's own training loop."""
