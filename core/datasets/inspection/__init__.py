"""What is found out about a data set: statistics, faults, likeness, a map."""
