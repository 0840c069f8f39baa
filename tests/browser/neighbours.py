"""Other servers of the same machine: a web page, a reverse proxy, and a proxy that notes who wants to get out.

with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    with serving(listener, "<h1>Another page</h1>"):
        ...
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread


@contextmanager
def serving(listener: socket.socket, body: str) -> Iterator[None]:
    """Answer every request with a web page."""
    content = body.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"

    def answer(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(head.encode() + content)

    with _each(listener, answer):
        yield


@contextmanager
def forwarding(listener: socket.socket, port: int) -> Iterator[None]:
    """Pass every connection on to a port of this machine, byte by byte."""

    def forward(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as other:
            back = Thread(target=_copy, args=(other, connection), daemon=True)
            back.start()
            _copy(connection, other)
            back.join()

    with _each(listener, forward):
        yield


@contextmanager
def noting(listener: socket.socket) -> Iterator[list[str]]:
    """Be a proxy that lets nothing out, and note the first line of each request."""
    noted: list[str] = []

    def refuse(connection: socket.socket) -> None:
        noted.append(connection.recv(65_536).decode(errors="replace").partition("\r\n")[0])
        connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with _each(listener, refuse):
        yield noted


@contextmanager
def _each(listener: socket.socket, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Serve every connection to the listener in a thread of its own, until left."""

    def serve_one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection)

    def accept() -> None:
        with suppress(OSError):  # it was closed
            while True:
                connection, _ = listener.accept()
                Thread(target=serve_one, args=(connection,), daemon=True).start()

    listener.listen()
    Thread(target=accept, daemon=True).start()
    yield
    listener.shutdown(socket.SHUT_RDWR)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(65_536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
