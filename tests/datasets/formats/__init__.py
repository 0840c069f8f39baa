"""Tests of datasets/formats/."""
