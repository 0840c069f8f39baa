"""Replication: what publications reported beside what was measured, as `core.studies.replication` last wrote it."""

import streamlit as st

from core.studies.replication import read_report
from ui.replication.replication_table import show_replication

st.title("Replication")
st.markdown(
    "Published experiments, trained again as written. Measured is the mean over the seeds ± their standard deviation."
)
report = read_report()
if report is None:
    st.info("Nothing was measured yet: run `python -m core replicate`.", icon=":material/info:")
else:
    show_replication(report)
