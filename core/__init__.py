"""Everything Duet does that is not a page: data, networks, training, runs, predictions.

Nothing in here imports Streamlit, and only the two modules in `core.engines` import a framework.
"""

import os

# From version 1.29 on, onnxruntime sends figures of its use unless this is there before its import. Nothing goes out of
# Duet: SECURITY.md.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
