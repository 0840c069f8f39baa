"""Networks as data: layers, the built-in networks, those of users, and how one is edited."""
