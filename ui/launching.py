"""Launching from a page: a double click makes one run."""

import time
from collections.abc import Sequence

import streamlit as st

from core.backends import available_cores
from core.config import FRAMEWORK_TITLES, Framework, RunConfig
from core.runs import new_id, open_store
from core.scheduler import submit

_DOUBLE_CLICK_S = 2.0


def launch(configs: Sequence[RunConfig]) -> list[str]:
    """Queue runs and return their ids at once; a second click within two seconds gives the same ones."""
    token, used_at = st.session_state.get("submission", (None, 0.0))
    if token is None or time.monotonic() - used_at > _DOUBLE_CLICK_S:
        token = new_id()
    st.session_state["submission"] = token, time.monotonic()
    return submit(open_store(), configs, submission=token)


def configs_for(config: RunConfig, frameworks: Sequence[Framework]) -> list[RunConfig]:
    """Return the run for each framework; those that train side by side on the CPU share its cores."""
    threads = config.threads
    if len(frameworks) > 1 and config.device == "cpu" and not threads:
        threads = max(1, available_cores() // len(frameworks))
    return [config.model_copy(update={"framework": framework, "threads": threads}) for framework in frameworks]


def both() -> tuple[Framework, ...]:
    """Return every framework, in the order they are always shown in."""
    return tuple(FRAMEWORK_TITLES)
