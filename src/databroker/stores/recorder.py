"""The thread that writes: it gathers what comes in and stores it within 50 ms."""

import atexit
import contextlib
import os
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Protocol

from databroker.documents.packing import restored
from databroker.documents.pages import RowKind
from databroker.errors import CorruptDataError, DatabrokerWarning, RecordingError, StoreClosedError
from databroker.stores.inbox import Aside, Entry, Inbox, Rows, problems_of
from databroker.stores.protocol import JSONDocument
from databroker.stores.schema import text_key, text_of
from databroker.stores.statements import Session
from databroker.stores.stored_rows import stored_documents
from databroker.stores.writer import Left, Writer

DELAY = 0.05
"""How long an Event may wait for others, in seconds."""

BACKLOG = 200_000
"""How many rows may wait; beyond that, insert waits for the database."""

PATIENCE = 5.0
"""How long the thread waits for work before it ends, in seconds; the next insert starts another."""

AT_ONCE = frozenset({"start", "stop", "descriptor"})
"""The kinds of documents that are stored when insert returns."""


class RecordingDatabase(Protocol):
    """A database that a recorder reads and writes."""

    uri: str
    refusals: tuple[type[Exception], ...]
    """What is raised where trying again later may help."""

    def reading(self) -> AbstractContextManager[Session]: ...

    def writing(self, durable: bool) -> AbstractContextManager[Session]: ...

    def reading_to_write(self) -> AbstractContextManager[Session]: ...

    def tidy(self, *, run_ended: bool = False) -> None:
        """Do the housekeeping that follows a write, or the end of a Run."""
        ...

    def rest(self) -> None:
        """Let go of the connection that writes; called by the thread that used it."""
        ...


class Recorder:
    """Takes documents from any thread, and writes them in a thread of its own.

    Parameters
    ----------
    database
        Where to.
    """

    def __init__(self, database: RecordingDatabase) -> None:
        self._database = database
        self._closed = False
        self._begin()
        _open_recorders.add(self)

    def _begin(self) -> None:
        """Begin with nothing taken, and no thread."""
        self._writer = Writer(self._database)
        self._inbox = Inbox(self)
        self._changed = threading.Condition()
        self._entries: list[Entry] = []
        self._rows = 0
        self._due: float | None = None
        self._taken = 0
        self._stored = 0
        self._claims: deque[tuple[str, Future[list[tuple[str, bytes]]]]] = deque()
        self._folding: deque[Iterator[None]] = deque()
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._waiting: set[str] = set()
        self._notices: list[str] = []
        self._since = time.monotonic()

    def after_fork(self) -> None:
        """Begin anew: what the parent has taken is the parent's to store."""
        self._begin()

    # Any thread

    def insert(self, name: str, doc: Mapping[str, Any], on_conflict: str) -> None:
        """Take one document; those that begin, describe or end a Run are stored on return."""
        if self._closed:
            raise StoreClosedError(f"The store {self._database.uri} is closed.")
        refused = self._error is not None
        self._inbox.insert(name, doc, on_conflict)
        if refused or name in AT_ONCE:
            self.flush()
        while self._notices:  # at last: a warning may be an error, and the document is taken
            warnings.warn(self._notices.pop(), DatabrokerWarning, stacklevel=4)

    def flush(self) -> None:
        """Return when everything taken so far is stored.

        Raises
        ------
        databroker.errors.RecordingError
            The database refuses; what was taken is held, and tried again.
        """
        if not self._entries and self._stored == self._taken:
            return
        with self._changed:
            target = self._taken
            self._due = time.monotonic()
            self._error = None
            self._wake()
            while self._stored < target:
                if self._error is not None:
                    error = self._error
                    raise RecordingError(
                        f"{target - self._stored} documents could not be stored in "
                        f"{self._database.uri}: {error}. They are held and tried again."
                    ) from error
                self._changed.wait(1.0)
                self._wake()

    def close(self) -> None:
        """Store what is held, fold what can be folded, and end the thread."""
        if self._closed:
            return
        try:
            self.flush()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
                thread = self._thread
            if thread is not None and thread.is_alive():
                thread.join()
            _open_recorders.discard(self)

    # What the inbox asks for: see Ledger

    def append(self, entry: Entry) -> None:
        with self._changed:
            while self._rows > BACKLOG and self._error is None:
                self._wake()
                self._changed.wait(1.0)
            self._entries.append(entry)
            self._taken += 1
            self._rows += entry.count if isinstance(entry, Rows) else 1
            if isinstance(entry, Aside) and entry.parent is not None:
                self._waiting.add(entry.parent)
            if self._due is None:
                self._due = time.monotonic() + DELAY
                self._wake()

    def start_of(self, run: str) -> JSONDocument | None:
        with self._settled() as session:
            row = session.one("start", uid=text_key(run))
        return None if row is None else restored(row[0])

    def run_of(self, kind: str, uid: str) -> str | None:
        with self._settled() as session:
            row = session.one("run_of", uid=text_key(uid), kind=kind)
        return None if row is None else text_of(row[0])

    def singles_of(self, run: str) -> Iterable[tuple[str, str, JSONDocument]]:
        with self._settled() as session:
            rows = session.all("singles", uid=text_key(run))
        return [(text_of(kind), text_of(uid), restored(body)) for kind, uid, body in rows]

    def rows_of(self, run: str, kind: RowKind, parent: str) -> Iterable[JSONDocument]:
        with self._settled() as session:
            return stored_documents(session, run, kind, parent)

    def claim(self, parent: str) -> list[tuple[str, JSONDocument]]:
        with self._settled() if parent in self._waiting else self._database.reading() as session:
            if not session.all("waiting", parent_uid=text_key(parent)):
                return []
        claimed: Future[list[tuple[str, bytes]]] = Future()
        with self._changed:
            self._claims.append((parent, claimed))
            self._wake()
        self._waiting.discard(parent)
        return [(text_of(kind), restored(body)) for kind, body in claimed.result()]

    def _settled(self) -> AbstractContextManager[Session]:
        """Open a view of the database that holds everything taken so far, if it is not refused.

        While the database refuses, what is held is compared when it is stored.
        """
        with contextlib.suppress(RecordingError):
            self.flush()
        return self._database.reading()

    # The thread

    def _wake(self) -> None:
        """Make sure that the thread is there and looks; called with the condition held."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._work, name=f"databroker recorder of {self._database.uri}", daemon=True
            )
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        """Do what is due; tell whether the thread should go on."""
        with self._changed:
            if not (self._claims or self._folding or self._closed or self._is_due()):
                self._changed.wait(self._pause())
            entries: list[Entry] = []
            if self._is_due():
                entries, self._entries, self._due = self._entries, [], None
            claims = list(self._claims)
            self._claims.clear()
            nothing = not (entries or claims or self._folding or self._entries)
            refused = self._closed and self._error is not None
            if refused or (nothing and (self._closed or self._idle())):
                self._database.rest()
                self._thread = None
                return False
        if entries:
            self._store(entries)
        for parent, claimed in claims:
            self._claim(parent, claimed)
        if not entries and not claims and self._folding:
            self._fold()
        return True

    def _is_due(self) -> bool:
        return self._due is not None and (self._closed or self._due <= time.monotonic())

    def _pause(self) -> float:
        self._since = time.monotonic()
        return PATIENCE if self._due is None else max(self._due - time.monotonic(), 0.0)

    def _idle(self) -> bool:
        return time.monotonic() - self._since >= PATIENCE

    def _store(self, entries: list[Entry]) -> None:
        try:
            left = self._writer.store(entries)
        except Exception as error:  # noqa: BLE001 - nothing may end this thread and lose entries
            if self._is_refusal(error):
                self._hold(entries, error)
            else:
                self._store_one_by_one(entries)
            return
        self._settle(entries, left)

    def _is_refusal(self, error: Exception) -> bool:
        """Tell whether trying again later may help."""
        refusal = isinstance(error, self._database.refusals)
        return refusal and not isinstance(error, CorruptDataError)

    def _hold(self, entries: list[Entry], error: Exception) -> None:
        """Keep entries before all that came after them, to try again."""
        with self._changed:
            self._entries[:0] = entries
            self._due = time.monotonic() + 1.0
            self._error = error
            self._changed.notify_all()

    def _settle(self, entries: list[Entry], left: Left) -> None:
        """Count entries as stored, and note what is left to fold."""
        self._folding.extend(self._writer.fold(at, tail_only=True) for at in left.grown)
        self._folding.extend(self._writer.fold(at, tail_only=False) for at in left.finished)
        with self._changed:
            self._stored += len(entries)
            self._rows -= sum(entry.count if isinstance(entry, Rows) else 1 for entry in entries)
            self._error = None
            self._changed.notify_all()
        self._database.tidy()

    def _store_one_by_one(self, entries: list[Entry]) -> None:
        """Store what can be stored: one entry that cannot must not keep the others out."""
        for place, entry in enumerate(entries):
            try:
                left = self._writer.store([entry])
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                if self._is_refusal(error):
                    self._hold(entries[place:], error)
                    return
                left = Left()
                self._set_aside(entry, error)
            self._settle([entry], left)

    def _set_aside(self, entry: Entry, error: Exception) -> None:
        """Keep what cannot be stored among the problems; the next insert warns."""
        notice = f"A document cannot be stored where it belongs: {error!r}. It is {entry!r:.300}"
        try:
            self._writer.store([Aside(problem, None) for problem in problems_of(entry, notice)])
        except Exception as second:  # noqa: BLE001 - nothing may end this thread
            notice = f"{notice}, and it is lost: {second!r}"
        self._notices.append(notice)

    def _claim(self, parent: str, claimed: "Future[list[tuple[str, bytes]]]") -> None:
        try:
            claimed.set_result(self._writer.claim(parent))
        except Exception as error:  # noqa: BLE001 - raised where the claim is waited for
            claimed.set_exception(error)

    def _fold(self) -> None:
        folding = self._folding[0]
        try:
            next(folding)
        except StopIteration:
            self._folding.popleft()
            self._database.tidy(run_ended=not self._folding)
        except Exception:  # noqa: BLE001 - rows are readable unfolded; the next writer folds them
            self._folding.popleft()


_open_recorders: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


def _after_fork() -> None:
    for recorder in list(_open_recorders):
        recorder.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _close_all() -> None:
    """Store what is held when the interpreter ends without close()."""
    for recorder in list(_open_recorders):
        try:
            recorder.close()
        except RecordingError as error:
            warnings.warn(f"At the end of this process, {error}", DatabrokerWarning, stacklevel=1)
