"""CONTRIBUTING's recipes, done: each test adds one entry to a copy of Duet, and the tests that are there cover it."""
