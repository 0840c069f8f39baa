"""Duet sends nothing anywhere: neither its processes nor the browser that shows it, whatever a visitor does."""

import http.client
import io
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.config import FRAMEWORK_TITLES, configure
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.jobs.scheduler import submit
from core.runs import open_store
from core.studies.search.control import start_search
from core.studies.search.specification import specify
from core.system.paths import PROJECT
from tests.browser.app import Server, draw, open_page, settled
from tests.browser.neighbours import noting
from tests.browser.pictures import SEVEN
from tests.browser.waiting import PATIENCE_MS, wait_until
from tests.sample_data import noise, store_checked
from ui.data import VIEWS
from ui.results.views import VIEWS as RUN_VIEWS
from ui.search.analysis import VIEWS as SEARCH_VIEWS

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


@contextmanager
def only_way_out(file: Path) -> Iterator[WayOut]:
    """Watch what goes out; connections are noted in a file."""
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
def way_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WayOut]:
    with only_way_out(tmp_path_factory.mktemp("connections") / "connections.txt") as way:
        yield way


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


def views_of(page: Page, url_path: str, label: str) -> list[str]:
    """Return what a page offers to see in a row of choices."""
    open_page(page, url_path)
    views = page.get_by_role("radiogroup", name=label).get_by_role("radio")
    expect(views.nth(2)).to_be_visible()
    return views.all_inner_texts()


def upload(page: Page, url_path: str, name: str, content: bytes, **query: str) -> None:
    """Send a file to a page that takes some."""
    open_page(page, url_path, **query)
    kind = "image/png" if name.endswith("png") else "application/zip"
    page.locator("input[type=file]").set_input_files([{"name": name, "mimeType": kind, "buffer": content}])
    settled(page)


def photographs() -> bytes:
    """Return a zip of images of two classes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(8):
            archive.writestr(f"{'cat' if number % 2 else 'dog'}/{number}.png", png(noise(1, seed=number)[0]))
    return packed.getvalue()


@dataclass(frozen=True)
class Trained:
    """What was trained on that server: a run of a pair, a search, and what a label check has found."""

    run_id: str
    search_id: str


@pytest.fixture(scope="module")
def trained(server: Server, way_out: WayOut) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**way_out.environment, "DUET_HOME": str(server.home)}.items():
            patch.setenv(name, value)
        quick = {"architecture": "ann-100", "train_limit": 500, "epochs": 1, "threads": 1}
        store_checked()
        store = open_store()
        pair = submit(store, [configure(framework=name, **quick) for name in FRAMEWORK_TITLES], submission="pair")
        wait_until(lambda: all(store.get(each).state == "done" for each in pair), 3 * PATIENCE_MS)
        specification = specify(configure(**quick), ["learning-rate=0.01,0.1", "batch-size=32,64"], trials=4)
        search_id = start_search(store, specification, submission="search")
        wait_until(lambda: store.search(search_id).state == "done", 3 * PATIENCE_MS)
    return Trained(pair[0], search_id)


@pytest.mark.slow
def test_nothing_goes_out_whatever_a_visitor_does(server, way_out, trained, page, complaints):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda opened: asked.append(opened.url))

    strangers(server)
    for name in PAGES:
        open_page(page, "" if name == "home" else name)
    for view in VIEWS:
        open_page(page, "data", view=view)
    open_page(page, "data", dataset="tiny", view="Labels")
    expect(page.get_by_role("button", name="Relabel as")).to_be_visible()
    for view in RUN_VIEWS:
        open_page(page, "results", run=trained.run_id, view=view)
    for view in SEARCH_VIEWS:
        open_page(page, "search", search=trained.search_id, view=view)
        expect(page.get_by_role("radio", name=view)).to_be_visible()
    for comparison in views_of(page, "compare", "Show"):
        open_page(page, "compare", comparison=comparison)
    for source in views_of(page, "predict", "Image from"):
        open_page(page, "predict", run=trained.run_id, **{"from": source})
    upload(page, "predict", "seven.png", png(load("mnist").test.images[0]), run=trained.run_id, **{"from": "Upload"})
    expect(page.get_by_text(re.compile("^(Prediction|Low confidence|Unfamiliar): ")).first).to_be_visible(
        timeout=PATIENCE_MS
    )
    upload(page, "data", "pets.zip", photographs(), view="Add data")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("button", name="See the images")).to_be_visible(timeout=PATIENCE_MS)
    open_page(page, "results", run=trained.run_id, view="Export")
    with page.expect_download():
        page.get_by_role("button", name="Report").click()
    open_page(page, "predict", run=trained.run_id)
    draw(page, SEVEN)
    expect(page.get_by_text("What the network sees:").first).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_text("What the network looked at").click()
    expect(page.get_by_text("PyTorch: why ")).to_be_visible(timeout=PATIENCE_MS)
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


_PREDICTS_AND_RESTS = """
import sys
import numpy as np
from onnx import TensorProto, helper
import onnxruntime
inputs, outputs = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "network", [inputs], [outputs])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": np.ones(1, np.float32)})
print("predicted", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_served_network_tells_nobody(tmp_path):
    """Serving predicts by onnxruntime, which sends figures of its use by itself, some seconds later."""
    inherited = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    with (
        only_way_out(tmp_path / "alone.txt") as alone,
        only_way_out(tmp_path / "ours.txt") as ours,
        ExitStack() as processes,
    ):
        for program, way in (("import core.export.serving.network\n", ours), ("", alone)):
            process = subprocess.Popen(
                [sys.executable, "-c", program + _PREDICTS_AND_RESTS],
                cwd=PROJECT,
                env={**inherited, **way.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            processes.enter_context(process)
            processes.callback(process.kill)
            assert process.stdout.readline() == b"predicted\n"
        with suppress(AssertionError):  # on machines that it takes for those of tests it never does
            wait_until(lambda: alone.requests)

        assert ours.requests == []
        if not alone.requests:
            pytest.skip("onnxruntime sends nothing here by itself, so that Duet's does not says little")
