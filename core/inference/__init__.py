"""A trained network on an image from outside."""
