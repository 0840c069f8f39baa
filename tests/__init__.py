"""The tests: they mirror core/, pages/ and ui/; tests/browser/ drives a real Chromium."""
