"""The start-up work of the server."""

import socket
from collections.abc import Iterator

import pytest

from dashboard import send_small_packets_at_once


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket made as Streamlit makes it, without naming the protocol."""
    with socket.socket(socket.AF_INET) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


def test_connections_send_small_packets_at_once(listener: socket.socket) -> None:
    assert send_small_packets_at_once() >= 1
    with socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_closed_and_unconnected_sockets_are_left_alone(listener: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket(socket.AF_INET) as idle:
        socket.socket(socket.AF_INET).close()
        send_small_packets_at_once()
        assert datagrams.type == socket.SOCK_DGRAM
        assert not idle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
