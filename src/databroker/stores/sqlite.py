"""Runs in one SQLite file."""

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import warnings
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

from databroker.errors import (
    DatabrokerWarning,
    InvalidSettingError,
    InvalidStoreError,
    ReadOnlyStoreError,
    StoreClosedError,
    StoreVersionError,
)
from databroker.stores.recorder import Recorder
from databroker.stores.schema import FORMAT
from databroker.stores.sql import SQLStore
from databroker.stores.sqlite_limits import WriterLock, loses_commits, network_file_system
from databroker.stores.statements import Session, create_statements, statements_for

try:
    import pysqlite3.dbapi2 as _sqlite
except ImportError:
    import sqlite3 as _sqlite

sqlite: Any = _sqlite

APPLICATION_ID = int.from_bytes(b"DBKR", "big")
"""What marks a SQLite file as ours (offset 68 of the file)."""

BUSY_TIMEOUT = 10.0
"""How long a writer waits for another one, in seconds."""

LARGE_LOG = 4 * 2**20
"""From how many bytes on the write-ahead log is copied back into the file."""

Mode = Literal["write", "read"]


class SQLiteStore(SQLStore):
    """Runs in one SQLite file: several processes may record in it, and many may read.

    Parameters
    ----------
    path
        The file; it is made if it is not there and `mode` allows.
    mode : {'write', 'read', None}
        *write*: open for recording, or fail. *read*: only for reading. None: for recording where
        the file allows it, else for reading.

    Raises
    ------
    databroker.errors.InvalidStoreError
        The path is not a store.
    databroker.errors.StoreVersionError
        A newer version of Databroker has written it.

    Examples
    --------
    >>> import tempfile
    >>> store = SQLiteStore(tempfile.mkdtemp() + "/runs.db")
    >>> store.insert("start", {"uid": "abc", "time": 1.0})
    >>> store.uids()
    ['abc']
    >>> store.close()
    """

    def __init__(self, path: str | os.PathLike[str], mode: Mode | None = None) -> None:
        if mode not in ("write", "read", None):
            raise InvalidSettingError(f"mode is 'write', 'read' or None, not {mode!r}.")
        database = SQLiteDatabase(Path(path), mode)
        super().__init__(database, None if database.reads_only else Recorder(database))
        self._file = database
        self._mode = mode

    @classmethod
    def temporary(cls) -> Self:
        """Open a new store that is deleted when nothing uses it any more."""
        folder = tempfile.mkdtemp(prefix="databroker-")
        store = cls(Path(folder) / "temp.db")
        weakref.finalize(store._file, _remove, folder, os.getpid())
        return store

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (str(self._file.path), self._mode, self._node)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Write a copy of the whole store to a new file, while it is in use.

        Raises
        ------
        databroker.errors.InvalidStoreError
            The file exists.
        """
        if os.fspath(path).endswith(("/", os.sep)):
            raise InvalidStoreError(f"{os.fspath(path)} is no file; name one, such as copy.db.")
        self.flush()
        self._file.backup(Path(path))

    def stats(self) -> dict[str, Any]:
        """Return counts and sizes."""
        with self._reading() as session:
            counts = {
                "runs": session.one("count_runs"),
                "events": session.one("count_events"),
                "problems": session.one("count_asides"),
            }
            meta = dict(session.all("meta"))
        numbers = {name: row[0] if row else 0 for name, row in counts.items()}
        return {"uri": self.uri, **numbers, "bytes": self._file.size(), "format": meta["format"]}


def _remove(folder: str | Path, process: int) -> None:
    """Remove a temporary folder; a forked child leaves that of its parent alone."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _reopened(path: str, mode: Mode | None, node: Any) -> SQLiteStore:
    store = SQLiteStore(path, mode)
    return store.where(node)


@dataclass(frozen=True, slots=True)
class Access:
    """How a file is opened for reading: the path, and SQLite's options for it."""

    path: Path
    options: str

    @property
    def uri(self) -> str:
        """The path as SQLite takes it."""
        return f"file:{quote(str(self.path))}?{self.options}"

    @property
    def is_immutable(self) -> bool:
        """Whether SQLite believes that nobody changes the file."""
        return self.options == "immutable=1"


class SQLiteDatabase:
    """One SQLite file, and the connections of this process to it.

    Parameters
    ----------
    path
        The file.
    mode
        See `SQLiteStore`.
    """

    def __init__(self, path: Path, mode: Mode | None) -> None:
        self.path = Path(os.path.abspath(path.expanduser()))
        self.uri = str(self.path)
        self._statements = statements_for("sqlite")
        self._writer: Any = None
        self._writer_lock: WriterLock | None = None
        self._closed = False
        _check_path(self.path, mode)
        shared = network_file_system(self.path)
        if shared is not None and (mode == "write" or not self.path.exists()):
            raise _on_network(self.path, shared)
        if mode != "read" and shared is None:
            self._create_if_empty()
        self.reads_only = mode == "read" or shared is not None or not _is_writable(self.path)
        if self.reads_only and mode == "write":
            raise ReadOnlyStoreError(
                f"{self.path} cannot be opened for recording: the file, or the folder that it is "
                "in, cannot be written."
            )
        self._access = _read_access(self.path) if self.reads_only else Access(self.path, "mode=rw")
        self._seen = _fingerprint(self._access.path)
        self._idle: list[Any] = []
        weakref.finalize(self, _close_all, self._idle)
        _databases.add(self)
        with self.reading() as session:
            _check_format(self.path, session)

    refusals: tuple[type[Exception], ...] = (sqlite.OperationalError, OSError)

    def _create_if_empty(self) -> None:
        if self.path.exists() and not _is_blank(self.path):
            return
        if self.path.exists() and not _is_writable(self.path):
            raise InvalidStoreError(f"{self.path} is empty and cannot be written.")
        _create(self.path)

    # Connections

    def _connect(self) -> Any:
        connection = sqlite.connect(
            self._access.uri, uri=True, isolation_level=None, check_same_thread=False,
            timeout=BUSY_TIMEOUT,
        )  # fmt: skip
        # A file that is cut short under a mapping would kill the process.
        connection.execute("PRAGMA mmap_size=0")
        connection.execute("PRAGMA query_only=1")
        return connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Open one consistent view of the file."""
        if self._closed:
            raise StoreClosedError(f"The store {self.path} is closed.")
        if self._access.is_immutable:
            self._look_again()
        try:
            connection = self._taken()
            try:
                cursor = connection.cursor()
                cursor.execute("BEGIN")
                yield Session(cursor, self._statements)
            finally:
                self._give_back(connection)
        except sqlite.DatabaseError as error:
            raise _unreadable(self.path, error) from error

    def _taken(self) -> Any:
        """Return a connection that nobody else uses."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _give_back(self, connection: Any) -> None:
        try:
            connection.rollback()
            self._idle.append(connection)
        except sqlite.DatabaseError:
            connection.close()

    def _look_again(self) -> None:
        """Open the file anew if it is another one than before: SQLite itself would not look."""
        now = _fingerprint(self._access.path)
        if now != self._seen:
            self._seen = now
            _close_all(self._idle)

    def after_fork(self) -> None:
        """Leave the parent's connections alone, which must be neither used nor closed here."""
        _of_the_parent.extend((*self._idle, self._writer))
        self._writer = None
        self._idle.clear()

    @contextlib.contextmanager
    def writing(self, durable: bool) -> Iterator[Session]:
        """Open a transaction that alone may write; `durable`: it survives a loss of power."""
        cursor = self._writing_connection().cursor()
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        cursor.execute("BEGIN IMMEDIATE")
        try:
            session = Session(cursor, self._statements)
            _check_writable_format(self.path, session)
            yield session
            cursor.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite.Error):
                cursor.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def reading_to_write(self) -> Iterator[Session]:
        """Open a consistent view on the connection that writes."""
        cursor = self._writing_connection().cursor()
        cursor.execute("BEGIN")
        try:
            yield Session(cursor, self._statements)
        finally:
            cursor.execute("ROLLBACK")

    def _writing_connection(self) -> Any:
        if self._writer is None:
            if loses_commits(sqlite.sqlite_version_info):
                self._writer_lock = WriterLock(self.path, sqlite.sqlite_version)
            self._writer = _connected_to_write(self.path)
        return self._writer

    # Housekeeping

    def tidy(self, *, run_ended: bool = False) -> None:
        """Copy the write-ahead log back into the file where it is large, or a Run has ended."""
        with contextlib.suppress(FileNotFoundError, sqlite.Error):
            if run_ended or _log_of(self.path).stat().st_size > LARGE_LOG:
                self._writing_connection().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def rest(self) -> None:
        """Close the connection that writes, the write-ahead log copied back if nobody waits."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(sqlite.Error):
                writer.execute("PRAGMA busy_timeout=0")
                writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            writer.close()
        if self._writer_lock is not None:
            self._writer_lock.release()
            self._writer_lock = None

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        _close_all(self._idle)

    def backup(self, path: Path) -> None:
        """Copy the file, page by page, while others write."""
        if self._closed:
            raise StoreClosedError(f"The store {self.path} is closed.")
        if path.is_dir():
            raise InvalidStoreError(
                f"{path} is a folder; name the file, such as {path / 'copy.db'}."
            )
        if path.exists():
            raise InvalidStoreError(f"{path} exists; back up to a new file.")
        if not path.parent.is_dir():
            raise InvalidStoreError(f"There is no folder {path.parent} to write a backup into.")
        with (
            contextlib.closing(sqlite.connect(self._access.uri, uri=True)) as source,
            contextlib.closing(sqlite.connect(path)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=WAL")

    def size(self) -> int:
        """Return the size of the file and its write-ahead log, in bytes."""
        paths = (self.path, _log_of(self.path))
        return sum(path.stat().st_size for path in paths if path.exists())


_databases: weakref.WeakSet[SQLiteDatabase] = weakref.WeakSet()
_of_the_parent: list[Any] = []


def _after_fork() -> None:
    for database in list(_databases):
        database.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _close_all(connections: list[Any]) -> None:
    while connections:
        connections.pop().close()


def _connected_to_write(path: Path) -> Any:
    connection = sqlite.connect(
        str(path), isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT
    )
    for pragma in ("mmap_size=0", "wal_autocheckpoint=0", "journal_size_limit=0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


# What a path is


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _check_path(path: Path, mode: Mode | None) -> None:
    """Refuse what is no file, and what cannot become one."""
    if path.is_dir():
        raise InvalidStoreError(
            f"{path} is a folder; a store is a file, such as {path / 'runs.db'}."
        )
    if path.exists():
        if not path.is_file():
            raise InvalidStoreError(f"{path} is no ordinary file, and so no store.")
        if mode == "read" and path.stat().st_size == 0:
            raise InvalidStoreError(f"{path} is empty; open it for recording to make it a store.")
        return
    if mode == "read":
        raise InvalidStoreError(f"There is no store {path} to read.")
    if not path.parent.is_dir():
        raise InvalidStoreError(
            f"There is no folder {path.parent}; make it first, or check the path of the store."
        )
    if not os.access(path.parent, os.W_OK):
        raise InvalidStoreError(
            f"There is no store {path}, and the folder {path.parent} cannot be written."
        )


def _on_network(path: Path, kind: str) -> InvalidStoreError:
    """Refuse to write where processes on several computers do not see each other's locks."""
    return InvalidStoreError(
        f"{path} is on a network file system ({kind}), where a store can be read but not "
        "recorded in: SQLite's write-ahead log needs shared memory. Record on a local disk, "
        "and open this one with mode='read'."
    )


def _is_blank(path: Path) -> bool:
    """Tell whether a file is empty, or a database that is being made and holds nothing yet."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise _unreadable(path, error) from error
    made = head[40:44] + head[68:72]  # the schema cookie, and the application id
    return not head or (head.startswith(b"SQLite format 3\0") and not any(made))


def _create(path: Path) -> None:
    """Make an empty store; another process may be doing the same."""
    with contextlib.closing(_connected_to_write(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            statements = statements_for("sqlite")
            for text in create_statements(statements.dialect):
                connection.execute(text)
            session = Session(connection.cursor(), statements)
            for key in ("format", "min_reader", "min_writer"):
                session.run("insert_meta", key=key, value=FORMAT)
            session.run("insert_meta", key="changed", value=0)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("COMMIT")


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _check_format(path: Path, session: Session) -> None:
    """Refuse a file that is no store, or one that we cannot read."""
    if session.execute("PRAGMA application_id") != [(APPLICATION_ID,)]:
        raise InvalidStoreError(
            f"{path} is a SQLite file, but not a store of Databroker; choose another path."
        )
    versions = dict(session.all("meta"))
    if versions["min_reader"] > FORMAT:
        raise StoreVersionError(_newer(path, versions, "min_reader", "read"))


def _check_writable_format(path: Path, session: Session) -> None:
    """Refuse to write what another, newer version has changed since it was opened."""
    versions = dict(session.all("meta"))
    if versions["min_writer"] > FORMAT:
        raise StoreVersionError(_newer(path, versions, "min_writer", "written"))


def _newer(path: Path, versions: dict[str, int], needed: str, done: str) -> str:
    return (
        f"{path} has the format {versions['format']} of a newer Databroker, and is {done} by "
        f"versions that know the format {versions[needed]}; this one knows {FORMAT}. "
        "Upgrade databroker."
    )


def _unreadable(path: Path, error: Exception) -> InvalidStoreError:
    remedy = (
        "Try again; if that does not help, see whether the file is there and readable."
        if isinstance(error, sqlite.OperationalError)
        else "Is it a store? If it is damaged, restore it from a backup."
    )
    return InvalidStoreError(f"{path} cannot be read as a store of Databroker: {error}. {remedy}")


# Reading what cannot be written


def _read_access(path: Path) -> Access:
    """Return how a file can be read without writing beside it.

    SQLite reads a file in WAL mode only where it can make or use the shared memory file beside
    it. Where it cannot, a file without a log is read as one that nobody changes, and a file with
    a log is copied together with it.
    """
    access = Access(path, "mode=ro")
    try:
        with contextlib.closing(sqlite.connect(access.uri, uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite.OperationalError:
        log = _log_of(path)
        if not log.exists() or log.stat().st_size == 0:
            return Access(path, "immutable=1")
        return Access(_copied(path, log), "mode=rw")
    except sqlite.DatabaseError as error:
        raise _unreadable(path, error) from error
    return access


def _copied(path: Path, log: Path) -> Path:
    """Copy a file and its log into a private folder, which goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="databroker-"))
    weakref.finalize(sys, _remove, folder, os.getpid())
    for source in (path, log):
        target = folder / source.name
        shutil.copyfile(source, target)
        target.chmod(stat.S_IRUSR | stat.S_IWUSR)
    warnings.warn(
        f"{path} was not closed by its last writer and lies where nothing can be written: a copy "
        "in a temporary folder is read. What is recorded from now on will not show.",
        DatabrokerWarning,
        stacklevel=2,
    )
    return folder / path.name


def _fingerprint(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
