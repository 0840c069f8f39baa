"""Every test of the store that asks for `store` runs on SQLite and on a real PostgreSQL."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.runs import Store, new_id
from core.system.paths import store_url
from tests import postgresql


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a server's database; `.ci/run` requires one, elsewhere its tests are skipped."""
    missing = postgresql.missing()
    if not missing and importlib.util.find_spec("psycopg") is None:
        missing = "psycopg is not installed: pip install -r requirements.txt"
    if missing:
        if os.environ.get("DUET_REQUIRE_POSTGRESQL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with postgresql.server() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty database of a server: a schema of its own."""
    name = f"test_{new_id()}"
    engine = sa.create_engine(postgresql_server, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {name}"))
    yield f"{postgresql_server}&options=-csearch_path%3D{name}"
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {name} CASCADE"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database, which is also that of the home."""
    if request.param == "postgresql":
        monkeypatch.setenv("DUET_STORE", request.getfixturevalue("postgresql_url"))
    return store_url()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()


@pytest.fixture
def database(duet_home: Path) -> Path:
    """The file of the SQLite database of the home."""
    return duet_home / "duet.sqlite3"
