"""Tests of ui/predict/."""
