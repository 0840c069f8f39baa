"""Messages between a process and the one that it has started, over its pipes: JSON, and bytes with it.

send_frame(stream, {"name": "seven.png"}, data)
message, content = receive_frame(stream)
"""

import json
import struct
from typing import IO, Any

_LENGTHS = struct.Struct(">QQ")


def send_frame(stream: IO[bytes], message: dict[str, Any], content: bytes = b"") -> None:
    """Write a message and its bytes, at once."""
    header = json.dumps(message).encode()
    stream.write(_LENGTHS.pack(len(header), len(content)) + header)
    stream.write(content)
    stream.flush()


def receive_frame(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Return the next message and its bytes.

    Raises:
        EOFError: if the stream ends instead.
    """
    lengths = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    header, content = (_exactly(stream, length) for length in lengths)
    return json.loads(header), content


def _exactly(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content
