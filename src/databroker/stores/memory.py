"""Runs in memory."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from databroker.documents.columns import Key, Table, concatenated
from databroker.documents.packing import pack, unpack
from databroker.documents.pages import (
    DATUM,
    EVENT,
    ORDINAL,
    STREAM_DATUM,
    RowKind,
    documents_of,
)
from databroker.errors import RunNotFoundError, StoreClosedError
from databroker.search.nodes import EVERYTHING, And, Node
from databroker.search.python import RunDocuments, matches
from databroker.stores.inbox import Aside, Entry, Inbox, NewRun, Rows, Single
from databroker.stores.protocol import JSONDocument, Order, Problem
from databroker.stores.rows import RowBuffer, selected
from databroker.stores.times import place_of_start, scan_id_of_start

WINDOW = 512
"""How many rows are gathered before they become a table."""


@dataclass(slots=True)
class StoredRows:
    """The rows of one parent: tables, and a buffer of the newest."""

    kind: RowKind
    tables: list[Table] = field(default_factory=list)
    buffer: RowBuffer | None = None

    @property
    def count(self) -> int:
        return sum(table.count for table in self.tables) + (self.buffer.count if self.buffer else 0)

    def append(self, ordinal: int, rows: JSONDocument | Table) -> None:
        self.buffer = self.buffer or RowBuffer(self.kind)
        self.buffer.append(ordinal, rows)
        if self.buffer.count >= WINDOW:
            self._settle()

    def _settle(self) -> None:
        if self.buffer is not None:
            self.tables.append(self.buffer.table())
            self.buffer = None

    def table(self) -> Table:
        self._settle()
        return concatenated(self.tables) if self.tables else Table(0)


@dataclass(slots=True)
class StoredRun:
    """A Run: packed documents in order of arrival, and rows by their parent."""

    place: float
    number: int
    start: bytes
    ordinals: int = 1
    version: int = 1
    documents: list[tuple[int, str, str, str | None, bytes]] = field(default_factory=list)
    rows: dict[tuple[str, str], StoredRows] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[bytes]:
        return [body for _, of, _, _, body in self.documents if of == kind]

    def documents_for_search(self) -> RunDocuments:
        stops = self.of_kind("stop")
        return RunDocuments(
            unpack(self.start),
            unpack(stops[-1]) if stops else None,
            [unpack(body) for body in self.of_kind("descriptor")],
        )


@dataclass(slots=True)
class Shelf:
    """What all views of one memory store share."""

    runs: dict[str, StoredRun] = field(default_factory=dict)
    problems: list[tuple[Problem, str | None]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)
    closed: bool = False

    def __getstate__(self) -> tuple[Any, ...]:
        with self.lock:
            return self.runs, self.problems, self.closed

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.runs, self.problems, self.closed = state
        self.lock = threading.RLock()


class MemoryStore:
    """A store that lives as long as its process; pickling it copies its Runs."""

    uri = "memory:"

    def __init__(self) -> None:
        self._shelf = Shelf()
        self._node: Node = EVERYTHING
        self._inbox = Inbox(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.count()} Runs>"

    def __getstate__(self) -> tuple[Any, ...]:
        return self._shelf, self._node

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._shelf, self._node = state
        self._inbox = Inbox(self)

    # Which Runs

    def where(self, node: Node) -> Self:
        view = type(self).__new__(type(self))
        view._shelf, view._inbox = self._shelf, self._inbox
        view._node = node if self._node == EVERYTHING else And((self._node, node))
        return view

    def uids(
        self,
        order: Order = Order.NEWEST_FIRST,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[str]:
        runs = self._runs()
        newest_first = order is Order.NEWEST_FIRST
        listed = sorted(
            runs, key=lambda uid: (runs[uid].place, runs[uid].number), reverse=newest_first
        )
        if after is not None:
            listed = listed[listed.index(after) + 1 :] if after in runs else []
        return listed[:limit]

    def count(self) -> int:
        return len(self._runs())

    def find(self, key: str | int, limit: int) -> list[str]:
        listed = self.uids()
        if isinstance(key, int):
            starts = zip(listed, self.run_starts(listed), strict=True)
            found = [uid for uid, start in starts if scan_id_of_start(start) == key]
        elif key in listed:
            found = [key]
        else:
            found = [uid for uid in listed if uid.startswith(key)]
        return found[:limit]

    def _runs(self) -> dict[str, StoredRun]:
        with self._open() as shelf:
            return {uid: run for uid, run in shelf.runs.items() if self._shows(run)}

    def _shows(self, run: StoredRun) -> bool:
        return self._node == EVERYTHING or matches(self._node, run.documents_for_search())

    def _open(self) -> "_Opened":
        if self._shelf.closed:
            raise StoreClosedError("This memory store is closed, and its Runs are gone.")
        return _Opened(self._shelf)

    def _run(self, uid: str) -> StoredRun:
        with self._open() as shelf:
            run = shelf.runs.get(uid)
            if run is None or not self._shows(run):
                raise RunNotFoundError(f"No Run with the uid {uid!r} in {self!r}.")
            return run

    # The documents of a Run

    def run_starts(self, uids: Sequence[str]) -> list[JSONDocument]:
        return [unpack(self._run(uid).start) for uid in uids]

    def run_stops(self, uids: Sequence[str]) -> list[JSONDocument | None]:
        stops = [self._run(uid).of_kind("stop") for uid in uids]
        return [unpack(bodies[-1]) if bodies else None for bodies in stops]

    def version(self, uid: str) -> int:
        return self._run(uid).version

    def stream_names(self, uid: str) -> list[str]:
        with self._open():
            streams = [stream for *_, stream, _ in self._run(uid).documents]
        return list(dict.fromkeys(stream for stream in streams if stream is not None))

    def descriptors(self, uid: str) -> list[JSONDocument]:
        return self._singles(uid, "descriptor")

    def resources(self, uid: str) -> list[JSONDocument]:
        return self._singles(uid, "resource")

    def stream_resources(self, uid: str) -> list[JSONDocument]:
        return self._singles(uid, "stream_resource")

    def _singles(self, uid: str, kind: str) -> list[JSONDocument]:
        return [unpack(body) for body in self._run(uid).of_kind(kind)]

    def other_documents(self, uid: str) -> list[tuple[int, str, JSONDocument]]:
        documents = list(self._run(uid).documents)
        last_stop = max((place for place, kind, *_ in documents if kind == "stop"), default=None)
        return [
            (ordinal, kind, unpack(body))
            for ordinal, kind, _, _, body in documents
            if kind not in ("descriptor", "resource", "stream_resource") and ordinal != last_stop
        ]

    def event_count(self, uid: str, descriptor: str) -> int:
        with self._open():
            rows = self._run(uid).rows.get((EVENT.name, descriptor))
            return rows.count if rows else 0

    def columns(
        self,
        uid: str,
        descriptor: str,
        keys: Iterable[Key] | None = None,
        rows: slice = slice(None),
    ) -> Table:
        return selected(self._table(uid, EVENT, descriptor), keys, rows)

    def datums(self, uid: str, resource: str) -> Table:
        return self._table(uid, DATUM, resource)

    def resource_of(self, uid: str, datum_id: str) -> str | None:
        for kind, resource in list(self._run(uid).rows):
            if kind == DATUM.name:
                table = self._table(uid, DATUM, resource)
                if datum_id in table.columns["", DATUM.uid].to_pylist():
                    return resource
        return None

    def stream_datums(self, uid: str) -> list[JSONDocument]:
        rows: list[tuple[int, JSONDocument]] = []
        for kind, parent in list(self._run(uid).rows):
            if kind == STREAM_DATUM.name:
                table = self._table(uid, STREAM_DATUM, parent)
                ordinals = table.columns[ORDINAL].to_pylist()
                rows += zip(ordinals, documents_of(table, STREAM_DATUM, parent), strict=True)
        return [document for _, document in sorted(rows, key=lambda row: row[0])]

    def _table(self, uid: str, kind: RowKind, parent: str) -> Table:
        with self._open():
            rows = self._run(uid).rows.get((kind.name, parent))
            return rows.table() if rows else Table(0)

    # Writing

    def insert(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        with self._open():
            self._inbox.insert(name, doc, on_conflict)

    def flush(self) -> None:
        """Return at once: everything is stored when `insert` returns."""

    def problems(self) -> list[Problem]:
        with self._open() as shelf:
            return [problem for problem, _ in shelf.problems]

    def close(self) -> None:
        self._shelf.closed = True

    # What the inbox asks for: see Ledger

    def append(self, entry: Entry) -> None:
        match entry:
            case NewRun(uid, start):
                runs = self._shelf.runs
                runs[uid] = StoredRun(place_of_start(start), len(runs), pack(start))
            case Single(uid, kind, single, stream, document):
                run = self._shelf.runs[uid]
                run.documents.append((run.ordinals, kind, single, stream, pack(document)))
                run.ordinals += 1
                run.version += 1
            case Rows(uid, kind, parent, rows):
                run = self._shelf.runs[uid]
                stored = run.rows.setdefault((kind.name, parent), StoredRows(kind))
                stored.append(run.ordinals, rows)
                run.ordinals += entry.count
                run.version += 1
            case Aside(problem, parent):
                self._shelf.problems.append((problem, parent))

    def start_of(self, run: str) -> JSONDocument | None:
        stored = self._shelf.runs.get(run)
        return None if stored is None else unpack(stored.start)

    def run_of(self, kind: str, uid: str) -> str | None:
        for run, stored in reversed(self._shelf.runs.items()):
            if any((kind, uid) == (of, single) for _, of, single, _, _ in stored.documents):
                return run
        return None

    def singles_of(self, run: str) -> Iterator[tuple[str, str, JSONDocument]]:
        for _, kind, uid, _, body in self._shelf.runs[run].documents:
            yield kind, uid, unpack(body)

    def rows_of(self, run: str, kind: RowKind, parent: str) -> list[JSONDocument]:
        return documents_of(self._table(run, kind, parent), kind, parent)

    def claim(self, parent: str) -> list[tuple[str, JSONDocument]]:
        problems = self._shelf.problems
        claimed = [
            (problem.name, problem.document) for problem, waits in problems if waits == parent
        ]
        problems[:] = [(problem, waits) for problem, waits in problems if waits != parent]
        return claimed


class _Opened:
    """A shelf under its lock."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def __enter__(self) -> Shelf:
        self._shelf.lock.acquire()
        return self._shelf

    def __exit__(self, *exc: object) -> None:
        self._shelf.lock.release()
