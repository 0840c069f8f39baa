"""The forms in which a run can leave Duet: each is a module of this package with its entry as `FORMAT`.

Listing them imports no framework; what needs one to be made, or is long, has its `build` in a module of `core.export`.
"""
