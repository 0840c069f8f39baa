"""The connections to the store's database: SQLite in WAL mode, or PostgreSQL where the URL names one.

On SQLite every write is a `BEGIN IMMEDIATE` transaction; every process opens its own connections. A database that is
damaged or newer than this code is refused and left as it is; an older one is copied before it is brought up to date.
One on a disk that is full or read-only is read from a copy in the temporary folder, and every write is refused.
"""

import json
import shutil
import sqlite3
import tempfile
import time
import weakref
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from filelock import FileLock, Timeout

from core.runs.migrations import OLDEST, migrate
from core.runs.schema import VERSION, metadata, schema
from core.system.files import explain_refusal, replacing

_BUSY_TIMEOUT_S = 20
_CONNECT_TIMEOUT_S = 10

_LONG_WAL_BYTES = 4 * 2**20
_CHECKPOINT_WAIT_S = 1
_CHECKPOINT_PAUSE_S = 10.0

# What SQLite says of a file whose tables or texts are not what was written, though it does not call it damaged.
_SIGNS_OF_DAMAGE = (
    "Could not decode to UTF-8",
    "no such table",
    "no such column",
    "no such index",
    "duplicate column name",
    "unsupported file format",
)

# An option of a connection that only reads. On SQLite AUTOCOMMIT would not do: it begins a transaction, too.
_READS = "duet_reads"

_MIGRATION_LOCK = 0x64756574  # a number of Duet's own among PostgreSQL's advisory locks


class StoreError(RuntimeError):
    """The database cannot be used; the message says why, and what to do."""


class Database:
    """One database, opened. Safe to share between threads, never across a fork.

    Attributes:
        refusal: why it can only be read, as it was when it was opened, and what to do about it; empty if it is not so.
        opened_at: when it was opened, on the monotonic clock.

    Raises:
        StoreError: if it is damaged, empty, out of reach, or written by a newer Duet.
    """

    def __init__(self, url: str):
        self._engine, self.refusal = _connect(url)
        self.opened_at = time.monotonic()
        self._checkpoint_tried_at = -_CHECKPOINT_PAUSE_S

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @property
    def url(self) -> str:
        """The database's URL, with its password if it has one."""
        return self._engine.url.render_as_string(hide_password=False)

    def engine_options(self) -> dict[str, Any]:
        """Return the options with which the engine of another library opens this database as it is opened here.

        On SQLite its transactions take the write lock with their first change: they are not to change what they have
        read before, unless nobody else does.
        """
        if self._engine.dialect.name != "sqlite":
            return {"pool_pre_ping": True, "connect_args": {"connect_timeout": _CONNECT_TIMEOUT_S}}
        database = _file_of(self._engine)

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                database, timeout=_BUSY_TIMEOUT_S, isolation_level="IMMEDIATE", check_same_thread=False
            )
            _configure_sqlite(connection)
            return connection

        return {"creator": connect}

    def _reading(self) -> sa.Connection:
        """Return a connection whose queries each see the newest state, and keep nobody from writing."""
        if self._engine.dialect.name == "sqlite":
            return self._engine.connect().execution_options(**{_READS: True})
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _shorten_log(self) -> None:
        """Move SQLite's write-ahead log into the database once it is long, one process at a time.

        SQLite before 3.51.3 can damage a database when a checkpoint meets another one and a write
        (https://sqlite.org/wal.html#walresetbug), so its automatic checkpoints are off. This one is
        alone by a file lock, and TRUNCATE keeps writers out while it works.
        """
        if self._engine.dialect.name != "sqlite":
            return
        database = _file_of(self._engine)
        log = database.with_name(f"{database.name}-wal")
        now = time.monotonic()
        if now - self._checkpoint_tried_at < _CHECKPOINT_PAUSE_S or log.stat().st_size < _LONG_WAL_BYTES:
            return
        self._checkpoint_tried_at = now
        # Whatever keeps it from being done now, such as a reader that stays, a later one makes up for it.
        with (
            suppress(Timeout, sqlite3.OperationalError),
            FileLock(f"{database}.checkpoint.lock", timeout=0),
            closing(sqlite3.connect(database, timeout=_CHECKPOINT_WAIT_S)) as connection,
        ):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _connect(url: str) -> tuple[sa.Engine, str]:
    """Return a database, and why it can only be read, if so."""
    if not url.startswith("sqlite"):
        return _connect_to_server(url), ""
    engine = _open_sqlite(url)
    database = _file_of(engine)
    try:
        with FileLock(f"{database}.lock"):  # of two first starts at once, one makes the tables
            if database.exists() and database.stat().st_size == 0:  # SQLite would take it for a new one
                raise StoreError(
                    f"The runs' database {database} has lost its content: the file is empty. Put a backup in its "
                    f"place, or remove it to begin with no runs."
                )
            _bring_up_to_date(engine)
    except (OSError, sqlite3.OperationalError, sa.exc.OperationalError) as error:
        engine.dispose()
        if (refusal := explain_refusal(error)) is None:
            raise
        return _copy_to_read(database, refusal), refusal
    return engine, ""


def _open_sqlite(url: str) -> sa.Engine:
    engine: sa.Engine = sa.create_engine(
        url,
        connect_args={"timeout": _BUSY_TIMEOUT_S},
        json_deserializer=lambda text: _read_json(_file_of(engine), text),
    )
    _prepare_sqlite(engine)
    return engine


def _copy_to_read(database: Path, refusal: str) -> sa.Engine:
    """Return a database as it is now, to read alone, which SQLite cannot where it can write nothing beside it.

    Raises:
        StoreError: if there is none, or it cannot be copied.
    """
    if not database.exists():
        raise StoreError(f"The runs' database {database} cannot be made: {refusal}")
    folder = tempfile.TemporaryDirectory(prefix="duet-runs-")
    copy = Path(folder.name) / database.name
    try:
        for ending in ("", "-wal"):
            if (source := Path(f"{database}{ending}")).exists():
                shutil.copyfile(source, f"{copy}{ending}")
    except OSError as error:
        folder.cleanup()
        raise StoreError(
            f"The runs' database {database} cannot be written ({refusal}), nor be read from a copy in "
            f"{tempfile.gettempdir()}: {explain_refusal(error) or error}"
        ) from error
    engine = _open_sqlite(f"sqlite:///{copy}")
    weakref.finalize(engine, folder.cleanup)
    _bring_up_to_date(engine)

    @sa.event.listens_for(engine, "begin")
    def refuse(connection: sa.Connection) -> None:
        if not connection.get_execution_options().get(_READS):
            raise StoreError(f"Nothing was changed, as {database} cannot be written: {refusal}")

    return engine


def _file_of(engine: sa.Engine) -> Path:
    """Return where SQLite's database lies."""
    return Path(engine.url.database or "")


def _connect_to_server(url: str) -> sa.Engine:
    # What is raised here has no cause: that could quote the URL, and so a password, in a log.
    try:
        # A connection that the server has closed meanwhile is noticed and opened anew.
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S})
    except (sa.exc.ArgumentError, ImportError, ValueError):
        raise StoreError(
            "DUET_STORE: expected the URL of a database, such as postgresql+psycopg://user@host:5432/duet, received "
            "something else, which is not shown here as it may hold a password."
        ) from None
    try:
        _bring_up_to_date(engine)
    except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
        reason = _without_secrets(" ".join(str(error.orig).split()), engine.url)
        raise StoreError(
            f"The runs' database {engine.url.set(query={}).render_as_string()} cannot be reached ({reason}). Start "
            f"it, correct DUET_STORE, or unset DUET_STORE to keep the runs in a file."
        ) from None
    return engine


def _without_secrets(text: str, url: sa.URL) -> str:
    """Return a text in which the password of a URL, or one among its parameters, is replaced by asterisks."""
    parameters = [value for name, value in url.normalized_query.items() if "pass" in name.lower()]
    for secret in [*([url.password] if url.password else []), *chain.from_iterable(parameters)]:
        for written in {secret, quote(secret), quote_plus(secret)}:
            text = text.replace(written, "***")
    return text


def _read_json(database: Path, text: Any) -> Any:
    """Return a value that was kept as JSON; SQLite does not notice that other bytes lie there."""
    if isinstance(text, int | float):  # SQLite keeps a lone number as one
        return text
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise _damaged(database, error) from error


def _damaged(database: Path, error: BaseException) -> StoreError:
    return StoreError(
        f"The runs' database {database} is damaged ({error}). It is left as it is: put a backup in its place, or move "
        f"it away to begin with no runs."
    )


def _bring_up_to_date(engine: sa.Engine) -> None:
    """Make the tables, or migrate older ones; nothing is written to those of a newer Duet."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        version = None
        if sa.inspect(connection).has_table(schema.name):
            version = connection.scalar(sa.select(sa.func.max(schema.c.version)))
        if version is not None and version > VERSION:
            raise StoreError(
                f"The runs in {engine.url.database} were written by a newer Duet (schema {version}, this one "
                f"reads {VERSION}): start that one, or set DUET_HOME to another folder."
            )
        if version is not None and version < OLDEST:
            raise StoreError(
                f"The runs in {engine.url.database} were written by an older Duet (schema {version}, this one reads "
                f"{OLDEST} to {VERSION}): start that one, or set DUET_HOME to another folder."
            )
        if version is None:
            metadata.create_all(connection)
            connection.execute(schema.insert().values(version=VERSION))
        elif version < VERSION:
            _keep_a_copy(engine, version)
            migrate(connection, version)


def _keep_a_copy(engine: sa.Engine, version: int) -> None:
    """Copy a database file as it was beside itself; a server has backups of its own."""
    if engine.dialect.name != "sqlite":
        return
    database = _file_of(engine)
    copy = database.with_name(f"{database.name}.schema-{version}")
    with (
        replacing(copy) as unfinished,
        closing(sqlite3.connect(database)) as source,
        closing(sqlite3.connect(unfinished)) as target,
    ):
        source.backup(target)


def _configure_sqlite(connection: sqlite3.Connection) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_sqlite(engine: sa.Engine) -> None:
    """Set what WAL mode needs, and make every transaction take the write lock at its start."""

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN is deferred; ours below is not
        try:
            _configure_sqlite(connection)
        except UnicodeDecodeError as error:  # the damage is in what SQLite would quote of it
            raise sqlite3.DatabaseError("malformed database schema") from error

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if not connection.get_execution_options().get(_READS):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    @sa.event.listens_for(engine, "handle_error")
    def explain(context: sa.engine.ExceptionContext) -> None:
        # The class itself stands for a damaged file; its subclasses for a constraint, a full disk and so on.
        error = context.original_exception
        if type(error) is sqlite3.DatabaseError or str(error).startswith(_SIGNS_OF_DAMAGE):
            raise _damaged(_file_of(engine), error) from error
