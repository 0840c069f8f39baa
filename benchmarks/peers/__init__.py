"""The peers: what people write in each framework without Duet, in the way they write it, to be measured beside it.

Each is meant to be as good as its idiom allows; none is slowed to look worse.
"""
