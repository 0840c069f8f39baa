"""What every other room stands on: paths, files, processes, logs and text."""
