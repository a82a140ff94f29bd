"""Databases for tests: an empty one is made once, which takes half a second, and copied; no test waits for a disk."""

import functools
import sqlite3
import tempfile
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa

from ovtune.store import Store, file_url


def database(folder: Path) -> Path:
    """A database without studies in ``folder``."""
    path = folder / "ovtune.db"
    path.write_bytes(_empty())
    return path


def opened(url: str) -> Store:
    """A store at ``url`` without Optuna's long look at its own tables; a new file begins as a copy of the empty one."""
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and path.parent.is_dir() and not path.exists():
        path.write_bytes(_empty())
    known = functools.partial(optuna.storages.RDBStorage, skip_compatibility_check=True, skip_table_creation=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(optuna.storages, "RDBStorage", known)
        return Store(url)


@functools.cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ovtune.db"
        Store(file_url(path)).close()
        return path.read_bytes()


@sa.event.listens_for(sa.engine.Engine, "connect")
def _leave_to_the_cache(connection: object, _: object) -> None:
    """Turns off SQLite's waiting for the disk in this process: what is committed outlives a kill all the same."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")
