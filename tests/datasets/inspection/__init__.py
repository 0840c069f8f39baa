"""Tests of datasets/inspection/."""
