"""The server's own doors over real HTTP: paths, uploads and connections that do not belong here are refused."""

import http.client
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page, expect

from core.runs import new_id
from tests.browser.app import Server, open_page, settled
from tests.browser.neighbours import forwarding, serving
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


def handshake(server: Server, *headers: tuple[str, str], path: str = "/_stcore/stream") -> int:
    """Ask for a web socket with these headers alone beside those of the protocol, and return the answer's status."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: streamlit",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return raw_status(server, lines)


def raw_status(server: Server, lines: list[str]) -> int:
    """Send the lines of a request's head as they are, and return the answer's status."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
        return int(connection.recv(4096).split()[1])


GRANTED = [
    ("127.0.0.1:PORT", "http://127.0.0.1:PORT"),
    ("localhost:PORT", "http://localhost:PORT"),
    ("LocalHost:PORT", "http://localhost:PORT"),
    ("127.0.0.1:PORT", None),
]
REFUSED = [
    # Another port, scheme or host of the same machine, or none.
    ("127.0.0.1:PORT", "http://127.0.0.1:9000"),
    ("127.0.0.1:PORT", "http://127.0.0.1"),
    ("127.0.0.1:PORT", "http://localhost:PORT"),
    ("localhost:PORT", "http://127.0.0.1:PORT"),
    ("127.0.0.1:PORT", "http://0.0.0.0:PORT"),
    ("127.0.0.1:PORT", "http://[::1]:PORT"),
    ("127.0.0.1:PORT", "https://127.0.0.1:PORT"),
    ("127.0.0.1:PORT", "ws://127.0.0.1:PORT"),
    ("127.0.0.1:PORT", "file://127.0.0.1:PORT"),
    ("127.0.0.1:PORT", "http://127.0.0.1:PORT, http://127.0.0.1:PORT"),
    # Another host, also one that looks like it.
    ("127.0.0.1:PORT", FOREIGN),
    ("127.0.0.1:PORT", "http://evil.example:PORT"),
    ("127.0.0.1:PORT", "http://evil.example@127.0.0.1:PORT"),
    ("127.0.0.1:PORT", "http://127.0.0.1:PORT@evil.example"),
    ("127.0.0.1:PORT", "http://127.0.0.1:PORT.evil.example"),
    ("127.0.0.1:PORT", "http://127.0.0.1.evil.example:PORT"),
    ("127.0.0.1:PORT", "http://127.0.0.1:PORT/"),
    ("127.0.0.1:PORT", "http://127.0.0.1:PORT#evil.example"),
    ("127.0.0.1:PORT", "http://127.0.0.1:0PORT00"),
    ("127.0.0.1:PORT", "http://2130706433:PORT"),
    ("127.0.0.1:PORT", "http://127.1:PORT"),
    ("127.0.0.1:PORT", "http://löcalhost:PORT"),
    ("127.0.0.1:PORT", "null"),
    ("127.0.0.1:PORT", ""),
    # A host that Duet is not served as, such as a name that a page points at this machine.
    ("evil.example", "http://evil.example"),
    ("evil.example:PORT", "http://evil.example:PORT"),
    ("evil.example:PORT", None),
    ("evil.example@127.0.0.1:PORT", "http://127.0.0.1:PORT"),
    ("127.0.0.1", "http://127.0.0.1"),
    ("localhost.:PORT", "http://localhost.:PORT"),
    ("", None),
    (None, None),
    (None, "http://127.0.0.1:PORT"),
]


def headers_of(server: Server, host: str | None, origin: str | None) -> list[tuple[str, str]]:
    given = [("Host", host), ("Origin", origin)]
    return [(name, value.replace("PORT", str(server.port))) for name, value in given if value is not None]


@pytest.mark.parametrize(("host", "origin"), GRANTED)
def test_who_may_connect(server, host, origin):
    assert handshake(server, *headers_of(server, host, origin)) == 101


@pytest.mark.parametrize(("host", "origin"), REFUSED)
def test_who_may_not_connect(server, host, origin):
    headers = headers_of(server, host, origin)

    assert 400 <= handshake(server, *headers) < 500
    lines = ["GET /_stcore/health HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    assert 400 <= raw_status(server, lines) < 500


def test_a_second_host_or_origin_is_no_way_in(server):
    own = headers_of(server, *GRANTED[0])

    assert 400 <= handshake(server, *own, ("Host", "evil.example")) < 500
    assert 400 <= handshake(server, *own, ("Origin", FOREIGN)) < 500
    assert 400 <= handshake(server, ("Origin", FOREIGN), *own) < 500


def test_a_browser_without_an_origin_may_not_connect(server):
    host, _ = headers_of(server, *GRANTED[0])

    assert handshake(server, host, ("Sec-Fetch-Mode", "websocket"), ("Sec-Fetch-Site", "cross-site")) == 403


def test_refusal_says_what_to_do(server):
    status, _, body = ask(server, "GET", "/", Host="duet.example")

    assert status == 403
    assert body.decode() == ("Duet is not served as 'duet.example'. If it should be, list its origin in DUET_ORIGINS.")


@pytest.fixture(scope="module")
def proxied(new_server) -> Iterator[tuple[Server, str]]:
    """A server behind proxies, one of which speaks TLS, and the address of the other, which runs here."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        own = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with new_server(DUET_ORIGINS=f"https://duet.example {own}") as served, forwarding(listener, served.port):
            yield served, own


@pytest.fixture
def exposed(proxied) -> Server:
    return proxied[0]


@pytest.mark.parametrize(
    ("host", "origin", "granted"),
    [
        ("duet.example", "https://duet.example", True),
        ("duet.example:443", "https://duet.example", True),
        ("127.0.0.1:PORT", "https://duet.example", True),  # a proxy that does not keep the host
        ("127.0.0.1:PORT", "http://127.0.0.1:PORT", True),
        ("duet.example", None, True),
        ("duet.example", "http://duet.example", False),
        ("duet.example:8443", "https://duet.example:8443", False),
        ("duet.example", "https://duet.example:8443", False),
        ("duet.example", "https://evil.example", False),
        ("duet.example", "https://x.duet.example", False),
        ("duet.example", "http://127.0.0.1:PORT", False),
        ("duet.example", "null", False),
        ("evil.example", "https://duet.example", False),
        ("evil.example", "https://evil.example", False),
    ],
)
def test_who_may_connect_behind_a_proxy(exposed, host, origin, granted):
    assert handshake(exposed, *headers_of(exposed, host, origin)) == (101 if granted else 403)


def test_what_a_proxy_says_of_its_host_is_not_believed(exposed):
    forwarded = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-For", "10.0.0.1")]

    assert handshake(exposed, ("Host", "duet.example"), ("Origin", "https://duet.example"), *forwarded) == 101
    assert handshake(exposed, ("Host", "duet.example"), ("Origin", "https://evil.example"), *forwarded) == 403
    assert handshake(exposed, ("Host", "evil.example"), ("Origin", "https://evil.example"), *forwarded) == 403


def test_visitors_come_in_through_a_proxy(proxied, new_page, complaints):
    server, address = proxied
    page = new_page(server, base_url=address)
    open_page(page, "data", view="Add data")
    page.locator("input[type=file]").first.set_input_files(
        [{"name": "a.zip", "mimeType": "application/zip", "buffer": b"PK\5\6" + bytes(18)}]
    )

    expect(page.get_by_text("a.zip").first).to_be_visible()
    settled(page)
    assert complaints == []


def test_no_page_of_another_origin_frames_or_embeds_it(server, page):
    """Chromium keeps Duet out of a page of another port, and gives it neither its scripts nor its answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        strange = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with serving(listener, f'<iframe src="{server.url}/"></iframe><h1>Another page</h1>'):
            page.goto(strange)
            page.get_by_role("heading", name="Another page").wait_for()
            wait_until(lambda: (page.wait_for_timeout(20), len(page.frames) == 2)[1])
            page.wait_for_load_state("networkidle")
            assert page.frames[1].url.startswith("chrome-error:"), page.frames[1].url
            socket_state = """url => new Promise(done => {
                const socket = new WebSocket(url, "streamlit")
                socket.onopen = () => done("open")
                socket.onclose = () => done("closed")
            })"""
            assert page.evaluate(socket_state, f"ws://127.0.0.1:{server.port}/_stcore/stream") == "closed"
            fetched = "url => fetch(url).then(r => r.text()).catch(e => 'kept out')"
            assert page.evaluate(fetched, f"{server.url}/_stcore/health") == "kept out"
            image = """url => new Promise(done => {
                const image = new Image(); image.onload = () => done("shown"); image.onerror = () => done("kept out")
                image.src = url
            })"""
            assert page.evaluate(image, f"{server.url}/favicon.png") == "kept out"


def test_who_is_listed_may_frame_it(new_server, new_page):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        friend = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            new_server(DUET_FRAMED_BY=friend) as framed,
            serving(listener, f'<iframe src="{framed.url}/"></iframe>'),
        ):
            page = new_page(framed)
            page.goto(friend)
            expect(page.frame_locator("iframe").get_by_role("heading", name="Duet")).to_be_visible()


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/_stcore/health", 200), ("/media/none", 404)])
def test_every_answer_says_what_browsers_may_do_with_it(server, path, status):
    answered, headers, _ = ask(server, "GET", path)
    headers = {name.lower(): value for name, value in headers.items()}

    assert answered == status
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert not re.search(r"script-src[^;]*unsafe-inline", headers["content-security-policy"])


def test_what_is_no_origin_is_a_sentence_at_the_start(tmp_path):
    server = Server(tmp_path, DUET_ORIGINS="duet.example")
    with pytest.raises(RuntimeError, match=r"DUET_ORIGINS: expected origins such as https://duet\.example"):
        server.start()


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
