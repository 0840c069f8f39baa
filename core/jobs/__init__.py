"""Processes that train: the queue and its scheduler, the worker, devices, memory and time."""
