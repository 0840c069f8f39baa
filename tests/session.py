"""A visitor's page without a browser: a real websocket session with the dashboard, which reruns what a page would.

with PageSession(server.url, "results", run=run_id) as session:
    session.watch(2.0)
    session.open("results", run=other)
    session.failures, session.texts
"""

import time
from contextlib import ExitStack
from types import TracebackType
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from ui.script_errors import SORRY

_PATIENCE_S = 60.0


class PageSession:
    """One open page of a dashboard at `url`. Messages are only read while it is opened or watched."""

    def __init__(self, url: str, page: str = "", **query: str):
        address = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
        self._visit = ExitStack()
        self._socket = self._visit.enter_context(
            connect(address, origin=url, subprotocols=["streamlit"], max_size=None)
        )
        self._page, self._query = page, query
        self._due: dict[str, tuple[float, float]] = {}
        """For each fragment that runs by itself, when it is next to run and the seconds in between."""
        self._finished = False
        self.texts: list[str] = []
        """The paragraphs and headings of the page since it was opened, in Markdown."""
        self.alerts: list[str] = []
        """What the page has said in boxes since it was opened, in Markdown."""
        self.failures: list[str] = []
        """The exceptions that the page has shown."""
        self.open(page, **query)

    def open(self, page: str = "", **query: str) -> None:
        """Go to a page, as by a link, and come back when it has been drawn.

        Raises:
            TimeoutError: if that takes more than a minute.
        """
        self._page, self._query = page, query
        self._due, self._finished, self.texts = {}, False, []
        self.alerts = []
        self._rerun()
        deadline = time.monotonic() + _PATIENCE_S
        while not self._finished:
            self._receive(deadline - time.monotonic())

    def watch(self, seconds: float) -> None:
        """Stay on the page for so long, and let its live parts run when they are due."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            for fragment, (due, pause) in list(self._due.items()):
                if due <= now:
                    self._due[fragment] = (now + pause, pause)
                    self._rerun(fragment)
            next_due = min((due for due, _ in self._due.values()), default=until)
            try:
                self._receive(max(min(until, next_due) - time.monotonic(), 0.001))
            except TimeoutError:
                continue

    def _rerun(self, fragment: str = "") -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string = urlencode(self._query)
        state.page_name = self._page
        state.fragment_id = fragment
        state.is_auto_rerun = bool(fragment)
        self._socket.send(message.SerializeToString())

    def _receive(self, timeout: float) -> None:
        message = ForwardMsg.FromString(self._socket.recv(timeout=timeout))
        kind = message.WhichOneof("type")
        if kind == "script_finished":
            self._finished = message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        elif kind == "auto_rerun":
            pause = message.auto_rerun.interval
            self._due[message.auto_rerun.fragment_id] = (time.monotonic() + pause, pause)
        elif kind == "stop_auto_rerun":
            self._due.pop(message.stop_auto_rerun.fragment_id, None)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            if element.WhichOneof("type") == "exception":
                self.failures.append(f"{element.exception.type}: {element.exception.message}")
            elif element.WhichOneof("type") == "alert":
                self.alerts.append(element.alert.body)
                if SORRY in element.alert.body:
                    self.failures.append(element.alert.body)
            elif element.WhichOneof("type") == "markdown":
                self.texts.append(element.markdown.body)
            elif element.WhichOneof("type") == "heading":
                self.texts.append(element.heading.body)

    def close(self) -> None:
        """Leave the page."""
        self._visit.close()

    def __enter__(self) -> "PageSession":
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
