"""Files as people have them: the smallest input of each kind, and what is right for it."""
