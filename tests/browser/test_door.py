"""The server's own doors over real HTTP: paths, uploads and connections that do not belong here are refused."""

import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page

from core.runs import new_id
from tests.browser.app import Server, open_page
from tests.browser.waiting import wait_until

BOUNDARY = "duet"
FOREIGN = "http://evil.example"


@pytest.fixture(scope="module")
def server(new_server) -> Iterator[Server]:
    """A server that takes files of at most one megabyte."""
    with new_server(STREAMLIT_SERVER_MAX_UPLOAD_SIZE="1") as served:
        yield served


def ask(server: Server, method: str, path: str, body: bytes | Iterator[bytes] = b"", **headers: str):
    """Send one request, its path as it is, and return the status, headers and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named, encode_chunked=not isinstance(body, bytes))
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


PATHS = [
    "/../../../../etc/passwd",
    "/..%2f..%2f..%2fetc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/static/../../../etc/passwd",
    "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/app/static/../../duet.sqlite3",
    "/media/../../../../etc/passwd",
    "/media/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/component/duet_notifications/../../../../../etc/passwd",
    "/_stcore/bidi-components/duet_notifications/../../../../etc/passwd",
    "/checkpoints/duet.sqlite3",
    "/core/home.py",
    "/%00",
    "/media/%00",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_to_a_file_outside(server, path):
    status, _, body = ask(server, "GET", path)

    assert b"root:" not in body
    assert b"SQLite format" not in body
    assert b"def home()" not in body
    assert status < 500


def test_runs_are_named_by_their_whole_opaque_id_alone(page, server, complaints):
    run_id = new_id()
    sibling = server.home / "runs" / f"{run_id}-copy"
    sibling.mkdir(parents=True)
    (sibling / "log.txt").write_text("A sibling's log.")
    for asked in (f"{run_id}-copy", run_id[:-1], f"{run_id}/..", "../../etc", f"{run_id}\0", "..", "."):
        page.goto(f"/results?run={quote(asked, safe='')}")
        page.get_by_text("names a run that is not here").wait_for()
        assert page.get_by_text("A sibling's log.").count() == 0
    assert complaints == []


@pytest.fixture
def upload(page: Page) -> tuple[str, dict[str, str]]:
    """Where a visitor's browser has really sent a file to, and with which headers."""
    sent = []
    page.on("request", lambda request: sent.append(request) if request.method == "PUT" else None)
    open_page(page, "data", view="Add data")
    field = page.locator("input[type=file]").first
    field.set_input_files([{"name": "a.zip", "mimeType": "application/zip", "buffer": b"PK\5\6" + bytes(18)}])
    wait_until(lambda: (page.wait_for_timeout(20), bool(sent))[1])
    found = sent[0].all_headers()
    return urlsplit(sent[0].url).path, {name: found[name] for name in ("cookie", "x-xsrftoken")}


def form(content: bytes) -> bytes:
    """Return the body of an upload of one file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="f.zip"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


KIND = {"Content_Type": f"multipart/form-data; boundary={BOUNDARY}"}


def test_uploads_need_the_token_of_their_visitor(server, upload):
    path, headers = upload
    cookie, token = headers["cookie"], headers["x-xsrftoken"]

    def put(**given: str) -> int:
        return ask(server, "PUT", path, form(b"x"), **KIND, **given)[0]

    assert put(Cookie=cookie, X_Xsrftoken=token) == 204, "what is refused below must be refused for its token"
    assert put() == 403
    assert put(Cookie=cookie) == 403
    assert put(X_Xsrftoken=token) == 403
    assert put(Cookie=cookie, X_Xsrftoken=re.sub(r"[0-9a-f](?=[^|]*$)", "g", token)) == 403
    assert put(Cookie=cookie, Origin=FOREIGN) == 403, "a browser sends the cookie, but cannot read it"
    assert ask(server, "DELETE", path, Cookie=cookie)[0] == 403


def test_other_origins_may_not_ask(server, upload):
    path, _ = upload
    _, headers, _ = ask(server, "OPTIONS", path, Origin=FOREIGN, Access_Control_Request_Method="PUT")

    allowed = {name.lower(): value for name, value in headers.items()}.get("access-control-allow-origin")
    assert allowed not in (FOREIGN, "*", "null")


@pytest.mark.parametrize(("origin", "status"), [(FOREIGN, 403), ("null", 403), (None, 101)])
def test_other_origins_may_not_connect(server, origin, status):
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec_WebSocket_Protocol": "streamlit",
        "Origin": origin or server.url,
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/_stcore/stream", headers={k.replace("_", "-"): v for k, v in handshake.items()})

    assert connection.getresponse().status == status
    connection.close()


def test_too_large_a_file_is_refused_whether_it_says_so_or_not(server, upload):
    path, headers = upload
    allowed = {"Cookie": headers["cookie"], "X_Xsrftoken": headers["x-xsrftoken"], **KIND}
    large = form(bytes(2 * 2**20))

    assert ask(server, "PUT", path, large, **allowed)[0] == 413
    pieces = (large[i : i + 65_536] for i in range(0, len(large), 65_536))
    assert ask(server, "PUT", path, pieces, Transfer_Encoding="chunked", **allowed)[0] == 413
    assert ask(server, "PUT", path, form(bytes(2**19)), **allowed)[0] == 204


def test_uploads_are_for_visitors_who_are_there(server, upload):
    path, headers = upload
    allowed = {"Cookie": headers["cookie"], "X_Xsrftoken": headers["x-xsrftoken"], **KIND}
    stranger = str(Path(path).parent.with_name("00000000-0000-0000-0000-000000000000") / "1")

    assert ask(server, "PUT", stranger, form(b"x"), **allowed)[0] == 400
