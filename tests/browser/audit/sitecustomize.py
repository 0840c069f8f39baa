"""Note the connections of every Python process that has this folder on its path: each that leaves this machine.

Python imports it at its start. `DUET_CONNECTIONS` names the file that is written to.
"""

import os
import sys

_HERE = ("127.", "::1", "localhost")


def _note(event: str, arguments: tuple) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and not host.startswith(_HERE):
        line = f"{event} {host} by {' '.join(sys.orig_argv)}\n"
        file = os.open(os.environ["DUET_CONNECTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())
        os.close(file)


sys.addaudithook(_note)
