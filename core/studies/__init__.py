"""What several runs say together: comparison, parity of the frameworks, replication."""
