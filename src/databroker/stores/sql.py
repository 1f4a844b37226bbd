"""Runs in a relational database: how they are read, whichever database it is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, Self, TypeVar

import sqlalchemy as sa

from databroker.documents.columns import Key, Table
from databroker.documents.packing import restored
from databroker.documents.pages import (
    DATUM,
    EVENT,
    ORDINAL,
    STREAM_DATUM,
    RowKind,
    documents_of,
)
from databroker.errors import CorruptDataError, ReadOnlyStoreError, RunNotFoundError
from databroker.search.nodes import EVERYTHING, And, Node, scopes
from databroker.search.python import RunDocuments, matches
from databroker.search.sql import Condition, SearchTables, condition
from databroker.stores.protocol import JSONDocument, Order, Problem
from databroker.stores.recorder import Recorder
from databroker.stores.rows import selected
from databroker.stores.schema import path, run, text_key, text_of, value
from databroker.stores.statements import Session, behind, ordered, upper_bound, visible
from databroker.stores.stored_rows import StoredRows

TABLES = SearchTables(run=run, path=path, value=value)

END = 2**62
"""Beyond the last row of anything."""

Found = TypeVar("Found")


class Database(Protocol):
    """A database that a store reads and records in."""

    uri: str

    def reading(self) -> AbstractContextManager[Session]:
        """Open one consistent view of the database."""
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...


class SQLStore:
    """Runs in a relational database.

    Parameters
    ----------
    database
        Where they are.
    recorder
        What writes; None where the database is open for reading only.
    """

    def __init__(self, database: Database, recorder: Recorder | None) -> None:
        self._database = database
        self._recorder = recorder
        self._node: Node = EVERYTHING
        self._condition: Condition | None = None
        self._shown: set[str] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri!r}>"

    @property
    def uri(self) -> str:
        return self._database.uri

    def close(self) -> None:
        if self._recorder is not None:
            self._recorder.close()
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        """Open one consistent view, which holds what this handle has recorded so far."""
        if self._recorder is not None:
            self._recorder.flush()
        with self._database.reading() as session:
            yield session

    @contextmanager
    def _reading_of(self, *uids: str) -> Iterator[Session]:
        """Open one consistent view, and make sure that these Runs may be seen."""
        with self._reading() as session:
            if self._condition is not None:
                for uid in uids:
                    self._check_shown(session, uid, self._condition)
            yield session

    def _check_shown(self, session: Session, uid: str, condition: Condition) -> None:
        if uid not in self._shown:
            select = visible().where(run.c.uid == text_key(uid))
            if not self._confirmed(session, select, condition, Order.NEWEST_FIRST):
                raise RunNotFoundError(f"No Run with the uid {uid!r} in {self!r}.")

    # Which Runs

    def where(self, node: Node) -> Self:
        view = type(self).__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._node = node if self._node == EVERYTHING else And((self._node, node))
        view._condition = condition(view._node, TABLES)
        view._shown = set()
        return view

    def uids(
        self,
        order: Order = Order.NEWEST_FIRST,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[str]:
        limit = None if limit is None else min(int(limit), END)
        with self._reading() as session:
            place = None
            if after is not None:
                place = session.one("place", uid=text_key(after))
                if place is None:
                    return []
            if self._condition is not None:
                return self._confirmed(session, visible(), self._condition, order, place, limit)
            names = {Order.NEWEST_FIRST: "newest", Order.OLDEST_FIRST: "oldest"}
            limit = END if limit is None else limit
            if place is None:
                rows = session.all(names[order], limit=limit)
            else:
                rows = session.all(
                    f"{names[order]}_behind", place=place[0], number=place[1], limit=limit
                )
            return [text_of(uid) for (uid,) in rows]

    def count(self) -> int:
        with self._reading() as session:
            if self._condition is None:
                return _first(session.one("count_runs"))
            clause = self._condition.clause
            if not self._condition.exact:
                return len(self._confirmed(session, visible(), self._condition, Order.NEWEST_FIRST))
            counted = visible(sa.func.count()).where(clause, run.c.indexed == 1)
            unindexed = visible().where(run.c.indexed == 0)
            return session.select(counted)[0][0] + len(
                self._confirmed(session, unindexed, self._condition, Order.NEWEST_FIRST)
            )

    def find(self, key: str | int, limit: int) -> list[str]:
        with self._reading() as session:
            if self._condition is not None:
                return self._found_among(session, key, self._condition, limit)
            if isinstance(key, int):
                in_range = -(2**63) <= key < 2**63
                rows = session.all("runs_by_scan_id", scan_id=key, limit=limit) if in_range else []
            else:
                text = text_key(key)
                rows = session.all("run_by_uid", uid=text) or session.all(
                    "runs_by_prefix", uid=text, bound=upper_bound(text), limit=limit
                )
            return [text_of(uid) for (uid,) in rows]

    def _found_among(
        self, session: Session, key: str | int, condition: Condition, limit: int
    ) -> list[str]:
        if isinstance(key, int):
            clauses = [run.c.scan_id == key] if -(2**63) <= key < 2**63 else []
        else:
            text = text_key(key)
            clauses = [
                run.c.uid == text,
                sa.and_(run.c.uid >= text, run.c.uid < upper_bound(text)),
            ]
        for clause in clauses:
            select = visible().where(clause)
            found = self._confirmed(session, select, condition, Order.NEWEST_FIRST, None, limit)
            if found:
                return found
        return []

    def _confirmed(
        self,
        session: Session,
        select: sa.Select,
        condition: Condition,
        order: Order,
        place: tuple[float, int] | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """Return the uids of Runs that match, in order; the documents decide where SQL cannot."""
        found: list[str] = []
        batch = END if limit is None else max(limit, 200)
        select = select.add_columns(run.c.uid, run.c.indexed, run.c.place, run.c.id)
        select = ordered(select.where(condition.clause), order).limit(batch)
        while True:
            rows = session.select(select if place is None else behind(select, order, *place))
            for key, indexed, *here in rows:
                uid = text_of(key)
                if (condition.exact and indexed) or self._matches(session, uid):
                    found.append(uid)
                    self._shown.add(uid)
                    if len(found) == limit:
                        return found
                place = (here[0], here[1])
            if len(rows) < batch:
                return found

    def _matches(self, session: Session, uid: str) -> bool:
        wanted = scopes(self._node)
        documents = RunDocuments(
            restored(_first(session.one("start", uid=text_key(uid)))) if "start" in wanted else {},
            _unpacked(_first(session.one("stop", uid=text_key(uid)))) if "stop" in wanted else None,
            self._descriptors_in(session, uid) if "descriptors" in wanted else [],
        )
        return matches(self._node, documents)

    def _descriptors_in(self, session: Session, uid: str) -> list[JSONDocument]:
        rows = session.all("of_kind", uid=text_key(uid), kind="descriptor")
        return [restored(body) for (body,) in rows]

    # The documents of a Run

    def run_starts(self, uids: Sequence[str]) -> list[JSONDocument]:
        with self._reading_of(*uids) as session:
            return [self._start(session, uid) for uid in uids]

    def _start(self, session: Session, uid: str) -> JSONDocument:
        with _naming_run(uid, "Run Start"):
            return restored(self._found(session.one("start", uid=text_key(uid)), uid)[0])

    def run_stops(self, uids: Sequence[str]) -> list[JSONDocument | None]:
        with self._reading_of(*uids) as session:
            return [
                _unpacked(self._found(session.one("stop", uid=text_key(uid)), uid)[0])
                for uid in uids
            ]

    def version(self, uid: str) -> int:
        with self._reading_of(uid) as session:
            return self._found(session.one("version", uid=text_key(uid)), uid)[0]

    def stream_names(self, uid: str) -> list[str]:
        rows = self._documents(uid, "streams")
        return list(dict.fromkeys(text_of(stream) for (stream,) in rows))

    def descriptors(self, uid: str) -> list[JSONDocument]:
        return self._singles(uid, "descriptor")

    def resources(self, uid: str) -> list[JSONDocument]:
        return self._singles(uid, "resource")

    def stream_resources(self, uid: str) -> list[JSONDocument]:
        return self._singles(uid, "stream_resource")

    def other_documents(self, uid: str) -> list[tuple[int, str, JSONDocument]]:
        rows = self._documents(uid, "of_other_kinds")
        return [(ordinal, text_of(kind), restored(body)) for ordinal, kind, body in rows]

    def _singles(self, uid: str, kind: str) -> list[JSONDocument]:
        bodies = self._documents(uid, "of_kind", kind=kind)
        with _naming_run(uid, kind):
            return [restored(body) for (body,) in bodies]

    def _documents(self, uid: str, name: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return what a statement finds in a Run, and make sure that there is such a Run."""
        with self._reading_of(uid) as session:
            rows = session.all(name, uid=text_key(uid), **values)
            if not rows:
                self._check_run(session, uid)
        return rows

    def _check_run(self, session: Session, uid: str) -> None:
        self._found(session.one("version", uid=text_key(uid)), uid)

    def _found(self, row: Found | None, uid: str) -> Found:
        if row is None:
            raise RunNotFoundError(f"No Run with the uid {uid!r} in {self!r}.")
        return row

    # Rows

    def event_count(self, uid: str, descriptor: str) -> int:
        with self._reading_of(uid) as session:
            rows = StoredRows.of(session, uid, EVENT, descriptor)
            if rows is None:
                self._check_run(session, uid)
                return 0
            return rows.count()

    def columns(
        self,
        uid: str,
        descriptor: str,
        keys: Iterable[Key] | None = None,
        rows: slice = slice(None),
    ) -> Table:
        return self._table(uid, EVENT, descriptor, keys, rows)

    def datums(self, uid: str, resource: str) -> Table:
        return self._table(uid, DATUM, resource)

    def resource_of(self, uid: str, datum_id: str) -> str | None:
        for resource in self._parents(uid, "resource", datum_id.partition("/")[0]):
            ids = self._table(uid, DATUM, resource, [("", DATUM.uid)])
            if any(datum_id in column.to_pylist() for column in ids.columns.values()):
                return resource
        return None

    def stream_datums(self, uid: str) -> list[JSONDocument]:
        rows: list[tuple[int, JSONDocument]] = []
        for parent in self._parents(uid, "stream_resource"):
            table = self._table(uid, STREAM_DATUM, parent)
            ordinals = table.columns[ORDINAL].to_pylist() if table.count else []
            rows += zip(ordinals, documents_of(table, STREAM_DATUM, parent), strict=True)
        return [document for _, document in sorted(rows, key=lambda row: row[0])]

    def _parents(self, uid: str, kind: str, likely: str = "") -> list[str]:
        """Return the uids of the documents of a kind, the likely one first."""
        uids = [text_of(key) for (key,) in self._documents(uid, "parents", kind=kind)]
        return sorted(uids, key=lambda parent: parent != likely)

    def _table(
        self,
        uid: str,
        kind: RowKind,
        parent: str,
        keys: Iterable[Key] | None = None,
        rows: slice = slice(None),
    ) -> Table:
        wanted = None if keys is None else list(keys)
        with self._reading_of(uid) as session:
            stored = StoredRows.of(session, uid, kind, parent)
            if stored is None:
                self._check_run(session, uid)
                return Table(0)
            start, stop = _bounds(rows, stored)
            with _naming(uid, kind, parent):
                table = stored.table(start, max(start, stop), wanted)
        return table if wanted is None else selected(table, wanted, slice(None))

    # Writing

    def insert(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        if self._recorder is None:
            raise ReadOnlyStoreError(
                f"{self!r} is open for reading only, so that the {name} cannot be inserted."
            )
        self._recorder.insert(name, doc, on_conflict)

    def flush(self) -> None:
        if self._recorder is not None:
            self._recorder.flush()

    def problems(self) -> list[Problem]:
        with self._reading() as session:
            return [_problem(row) for row in session.all("asides")]


@contextmanager
def _naming_run(uid: str, what: str) -> Iterator[None]:
    """Say which Run it is of which a document is damaged."""
    try:
        yield
    except CorruptDataError as error:
        raise CorruptDataError(f"Run {uid}, its {what}: {error}") from error


def _bounds(rows: slice, stored: StoredRows) -> tuple[int, int]:
    """Return where rows begin and end; only what counts from the end asks how many there are."""
    start, stop = rows.start or 0, END if rows.stop is None else rows.stop
    if start < 0 or stop < 0:
        start, stop, _ = rows.indices(stored.count())
    return start, stop


def _problem(row: tuple[Any, ...]) -> Problem:
    problem, kind, uid, run, reason, body = row
    texts = (None if key is None else text_of(key) for key in (kind, uid, run, reason))
    return Problem(problem, *texts, restored(body))  # type: ignore[arg-type]


def _first(row: tuple[Any, ...] | None) -> Any:
    return None if row is None else row[0]


def _unpacked(body: bytes | None) -> JSONDocument | None:
    return None if body is None else restored(body)


@contextmanager
def _naming(uid: str, kind: RowKind, parent: str) -> Iterator[None]:
    """Say which Run and parent it is whose rows are damaged."""
    try:
        yield
    except CorruptDataError as error:
        message = f"Run {uid}, {kind.name}s of the {kind.parent} {parent}: {error}"
        raise CorruptDataError(message) from error
