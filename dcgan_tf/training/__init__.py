"""Training: the loop, the run folder, checkpoints, logs and pictures."""
