"""Tests of core/backends/."""
