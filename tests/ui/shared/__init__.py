"""Tests of ui/shared/."""
