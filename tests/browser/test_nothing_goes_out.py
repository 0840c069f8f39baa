"""Duet sends nothing anywhere: neither its processes nor the browser that shows it, whatever a visitor does."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.config import FRAMEWORK_TITLES, configure
from core.jobs.scheduler import submit
from core.runs import open_store
from core.system.paths import PROJECT
from tests.browser.app import Server, draw, open_page, settled
from tests.browser.neighbours import noting
from tests.browser.pictures import SEVEN
from tests.browser.waiting import PATIENCE_MS, wait_until
from ui.data import VIEWS

PAGES = sorted(path.stem for path in (PROJECT / "pages").glob("*.py"))
FOREIGN = "http://evil.example"


@dataclass(frozen=True)
class WayOut:
    """The only way out for the processes of an environment: a proxy that notes requests, and a file of connections."""

    environment: dict[str, str]
    requests: list[str]
    file: Path

    @property
    def connections(self) -> str:
        """What has been connected to, or looked up, outside this machine."""
        return self.file.read_text() if self.file.exists() else ""


@pytest.fixture(scope="module")
def way_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WayOut]:
    file = tmp_path_factory.mktemp("connections") / "connections.txt"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        names = [f"{kind}_proxy" for kind in ("http", "https", "all")]
        environment = {
            **dict.fromkeys([*names, *map(str.upper, names)], proxy),
            "no_proxy": "",
            "NO_PROXY": "",
            "PYTHONPATH": str(Path(__file__).parent / "audit"),
            "DUET_CONNECTIONS": str(file),
        }
        with noting(listener) as requests:
            yield WayOut(environment, requests, file)


@pytest.fixture(scope="module")
def server(new_server, way_out: WayOut) -> Iterator[Server]:
    """A server that all may reach, for which Streamlit would look up more than for one of this machine alone."""
    with new_server(STREAMLIT_SERVER_ADDRESS="0.0.0.0", **way_out.environment) as served:
        yield served


def strangers(server: Server) -> None:
    """Connect and ask as pages of elsewhere would; all of it is refused."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "streamlit",
    }
    for method, path, headers in (
        ("GET", "/_stcore/stream", upgrade),
        ("GET", "/_stcore/health", {}),
        ("GET", "/_stcore/host-config", {}),
        ("OPTIONS", "/_stcore/upload_file/x/1", {"Access-Control-Request-Method": "PUT"}),
        ("PUT", "/_stcore/upload_file/x/1", {}),
    ):
        for host, origin in (
            (f"127.0.0.1:{server.port}", FOREIGN),
            (f"127.0.0.1:{server.port}", "null"),
            ("evil.example", FOREIGN),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request(method, path, headers={**headers, "Host": host, "Origin": origin})
            assert connection.getresponse().status == 403
            connection.close()


@pytest.fixture(scope="module")
def run_id(server: Server, way_out: WayOut) -> str:
    """A run of a pair that was trained on that server, and is finished."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**way_out.environment, "DUET_HOME": str(server.home)}.items():
            patch.setenv(name, value)
        quick = {"architecture": "ann-100", "train_limit": 500, "epochs": 1, "threads": 1}
        store = open_store()
        pair = submit(store, [configure(framework=name, **quick) for name in FRAMEWORK_TITLES], submission="pair")
        wait_until(lambda: all(store.get(each).state == "done" for each in pair))
    return pair[0]


@pytest.mark.slow
def test_nothing_goes_out_whatever_a_visitor_does(server, way_out, run_id, page, complaints):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda opened: asked.append(opened.url))

    strangers(server)
    for name in PAGES:
        open_page(page, "" if name == "home" else name)
    for view in VIEWS:
        open_page(page, "data", view=view)
    for comparison in ("Runs", "Seeds", "Parity"):
        open_page(page, "compare", comparison=comparison)
    for source in ("Upload", "Photograph", "Test image"):
        open_page(page, "predict", **{"from": source})
    open_page(page, "results", run=run_id)
    open_page(page, "predict", run=run_id)
    draw(page, SEVEN)
    expect(page.get_by_text("What the network sees:").first).to_be_visible(timeout=PATIENCE_MS)
    open_page(page, "results")
    strangers(server)
    settled(page)

    own = (server.url, server.url.replace("http", "ws", 1), "data:", "blob:")
    assert len(asked) > 100
    assert [url for url in asked if not url.startswith(own)] == []
    assert way_out.requests == []
    assert way_out.connections == ""
    assert complaints == []


@pytest.mark.usefixtures("server")
def test_what_goes_out_would_be_seen(way_out):
    """The proxy and the file above are no sieve: they note what Streamlit would have asked."""
    lookup = "from streamlit.net_util import get_external_ip, get_internal_ip; get_external_ip(), get_internal_ip()"
    subprocess.run([sys.executable, "-c", lookup], env={**os.environ, **way_out.environment}, check=True, cwd=PROJECT)

    assert any("checkip" in line for line in way_out.requests)
    assert "socket.connect 8.8.8.8" in way_out.connections
