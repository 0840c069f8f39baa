"""What `streamlit run dashboard.py` serves: the start-up work, then the pages that `ui/main.py` lists.

The main script is not this file but `ui/main.py`, so that the folder `pages/` does not lie beside it:
there Streamlit's older page discovery would run a page without the frame around it.
"""

import gc
import importlib
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import streamlit as st
from starlette.middleware import Middleware

from core.jobs.devices import refresh_in_background
from core.jobs.scheduler import resume_pending
from core.runs import StoreError, open_store
from core.studies.search.control import resume_searches
from core.system.origins import Exposure
from ui.door import Door
from ui.script_errors import show_script_error

_SLOW_IMPORTS = (
    "altair",
    "pandas",
    "PIL.Image",
    "plotly.graph_objects",
    "pyarrow",
    "pydantic",
)
"""What the pages need; the first visitor would wait for these."""


@asynccontextmanager
async def start_up(_: st.App) -> AsyncIterator[None]:
    """Prepare the server before it accepts its first visitor."""
    for name in _SLOW_IMPORTS:
        importlib.import_module(name)
    send_small_packets_at_once()
    with suppress(OSError):  # on a disk that cannot be written, the devices stay as they were known
        refresh_in_background()
    with suppress(StoreError, OSError):  # the pages say what is wrong with it
        resume_pending(open_store())
        resume_searches(open_store())
    # What is loaded now stays loaded: later collections need not look at it again.
    gc.collect()
    gc.freeze()
    yield


def send_small_packets_at_once() -> int:
    """Set `TCP_NODELAY` on this process's listening sockets and return how many there are.

    Streamlit makes its socket in a way that asyncio does not recognise as TCP, and each rerun then
    waits about 40 ms for a delayed acknowledgement. Accepted connections inherit the option.
    """
    # Streamlit hands its socket to the server without a way to reach it, so the system is asked.
    listening = [
        connection
        for connection in psutil.Process().net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.fd >= 0  # Windows tells no descriptors
    ]
    for connection in listening:
        with socket.fromfd(connection.fd, connection.family, connection.type) as same:
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return len(listening)


def read_exposure() -> Exposure:
    """Return what the environment says of whom Duet is exposed to; end with a sentence where that cannot be read."""
    try:
        return Exposure.from_environment()
    except ValueError as error:
        sys.exit(str(error))


app = st.App(
    Path(__file__).resolve().parent / "ui" / "main.py",
    lifespan=start_up,
    middleware=[Middleware(Door, read_exposure())],
    on_script_error=show_script_error,
)
