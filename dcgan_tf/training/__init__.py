"""A run: its folder, its checkpoints, what it shows, and the loop."""
