"""Journeys through the real dashboard in a real Chromium."""
