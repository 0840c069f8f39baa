"""A PostgreSQL server for the tests, from the machine's own binaries, in a folder of its own and on a socket in it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_USER = "postgres"


def missing() -> str | None:
    """Say why there can be no server here; None if there can."""
    if _binaries() is None:
        return "PostgreSQL's server is not installed (on Debian and Ubuntu: apt-get install postgresql)"
    if os.geteuid() == 0 and (not shutil.which("runuser") or _USER not in {user.pw_name for user in pwd.getpwall()}):
        return f"PostgreSQL does not run as root, and there is no user {_USER} to run it as"
    return None


@contextmanager
def server() -> Iterator[str]:
    """Run a server until the block ends; gives the URL of its database."""
    place = Path(tempfile.mkdtemp(prefix="duet-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(place, _USER)
    data = place / "data"
    try:
        _run("initdb", "--pgdata", data, "--username", _USER, "--auth", "trust", "--no-sync", "--encoding", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={place} -c fsync=off -c max_connections=200"
        _run("pg_ctl", "start", "--wait", "--pgdata", data, "--log", place / "log.txt", "--options", options)
        try:
            yield f"postgresql+psycopg://{_USER}@/{_USER}?host={place}"
        finally:
            _run("pg_ctl", "stop", "--wait", "--mode", "immediate", "--pgdata", data)
    finally:
        shutil.rmtree(place)


def _run(program: str, *arguments: str | Path) -> None:
    as_user = ["runuser", "-u", _USER, "--"] if os.geteuid() == 0 else []
    # Without the environment of the test that happens to be the first to ask for a server.
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    command = [*as_user, str(_binaries() / program), *map(str, arguments)]
    done = subprocess.run(
        command, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert done.returncode == 0, done.stderr.decode()


def _binaries() -> Path | None:
    """Return the folder of the newest server; Debian keeps it off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None
