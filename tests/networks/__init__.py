"""Tests of networks/."""
