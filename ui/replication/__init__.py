"""The parts of the Replication page."""
