"""Searches for good settings: what to vary, what to try next, the process that works on it, and what came of it."""
