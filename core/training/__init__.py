"""Training a network: the loop, its records, schedules, metrics and checkpoints."""
