"""Everything Duet does that is not a page: data, networks, training, runs, predictions.

Nothing in here imports Streamlit, and only the two modules in `core.engines` import a framework.
"""
