"""How entries become rows of tables, and small stretches of rows become pages."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from databroker.documents.columns import Table
from databroker.documents.packing import restored, stored
from databroker.documents.pages import RowKind, dump
from databroker.search.index import entries as index_entries
from databroker.search.index import run_time
from databroker.stores.comparison import Comparison
from databroker.stores.inbox import Aside, Entry, NewRun, Rows, Single
from databroker.stores.protocol import JSONDocument
from databroker.stores.rows import RowBuffer, rows_of
from databroker.stores.schema import text_key
from databroker.stores.statements import Session
from databroker.stores.stored_rows import StoredRows
from databroker.stores.times import place_of_start, scan_id_of_start

WINDOW = 512
"""From how many rows on a flush writes a page at once."""

PAGE_ROWS = 8192
"""How many rows a page holds at most, and PAGE_BYTES how many bytes if it holds more than one."""

PAGE_BYTES = 4 * 2**20

PACKED_BYTES = 64 * 2**10
"""Up to this size, all columns of a page lie in one row of the database."""

LONG_TAIL = 2048
"""From how many rows on a tail becomes a page while its Run goes on."""


class WritableDatabase(Protocol):
    """A database that can be written."""

    def writing(self, durable: bool) -> AbstractContextManager[Session]:
        """Open a transaction that alone may write; `durable`: it survives a loss of power."""
        ...

    def reading_to_write(self) -> AbstractContextManager[Session]:
        """Open a consistent view on the connection that writes."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows are: the id of the Run, the ordinal of their parent, and their kind."""

    run: int
    parent: int
    kind: RowKind


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows that are stored together: a page, or a window of a tail."""

    table: str
    number: int
    first: int
    count: int


@dataclass(slots=True)
class Left:
    """What a write left to do: places whose rows should be folded into pages."""

    finished: set[Place] = field(default_factory=set)
    grown: set[Place] = field(default_factory=set)


class Writer:
    """Writes entries into a database.

    Parameters
    ----------
    database
        Which one; only one thread may use it for writing.
    """

    def __init__(self, database: WritableDatabase) -> None:
        self._database = database
        self._paths: dict[str, int] = {}
        self._places: dict[tuple[int, str, str], Place] = {}
        self._ends: dict[str, int] = {}
        self._shared: dict[str, Comparison] = {}

    # Entries

    def store(self, entries: Sequence[Entry]) -> Left:
        """Write entries in one transaction."""
        try:
            return self._store(entries)
        except BaseException:
            # The transaction is undone, and so is what was learned in it.
            self._ends.clear()
            self._shared.clear()
            self._places.clear()
            self._paths.clear()
            raise

    def _store(self, entries: Sequence[Entry]) -> Left:
        durable = any(
            isinstance(entry, NewRun) or (isinstance(entry, Single) and entry.kind == "stop")
            for entry in entries
        )
        by_run: dict[str, list[NewRun | Single | Rows]] = {}
        left = Left()
        with self._database.writing(durable) as session:
            changed = session.one("changed")
            number = (changed[0] if changed else 0) + 1
            session.run("update_changed", new_changed=number)
            for entry in entries:
                if isinstance(entry, Aside):
                    _store_aside(session, entry)
                else:
                    by_run.setdefault(entry.run, []).append(entry)
            for run, of_run in by_run.items():
                self._store_run(session, run, of_run, number, left)
        return left

    def _store_run(
        self,
        session: Session,
        run: str,
        entries: list[NewRun | Single | Rows],
        changed: int,
        left: Left,
    ) -> None:
        row = session.one("run_for_writing", uid=text_key(run))
        if row is not None and self._is_shared(run, entries, row[1]):
            entries = self._unstored(session, run, entries, row[1])
        elif isinstance(begins := entries[0], NewRun):
            self._store_start(session, begins, changed)
            row = session.one("run_for_writing", uid=text_key(run))
        assert row is not None  # noqa: S101 - an inbox passes on documents of known Runs only
        number, ordinal, place = row
        buffers: dict[tuple[str, str], RowBuffer] = {}
        stopped = False
        for entry in entries:
            match entry:
                case Single(kind="stop"):
                    stopped = True
                    self._store_stop(session, number, ordinal, place, entry)
                    ordinal += 1
                case Single():
                    self._store_single(session, number, ordinal, entry)
                    ordinal += 1
                case Rows(_, kind, parent, rows):
                    buffer = buffers.setdefault((kind.name, parent), RowBuffer(kind))
                    buffer.append(ordinal, rows)
                    ordinal += entry.count
                case NewRun():
                    pass
        for (_, parent), buffer in buffers.items():
            self._store_rows(session, run, number, parent, buffer, stopped, left)
        if stopped:
            left.finished |= {at for at in self._places.values() if at.run == number}
            self._places = {key: at for key, at in self._places.items() if at.run != number}
        self._ends[run] = ordinal
        if stopped:
            self._forget(run)
        session.run("update_run", run=number, new_ordinals=ordinal, new_changed=changed)

    def _forget(self, run: str) -> None:
        """Let go of what is known of a Run; what comes later is compared again."""
        self._ends.pop(run, None)
        self._shared.pop(run, None)

    def _is_shared(self, run: str, entries: Sequence[Entry], ordinals: int) -> bool:
        """Tell whether somebody else writes to this Run too, or wrote to it before."""
        return (
            isinstance(entries[0], NewRun) or run in self._shared or self._ends.get(run) != ordinals
        )

    def _unstored(
        self,
        session: Session,
        run: str,
        entries: Sequence[NewRun | Single | Rows],
        ordinals: int,
    ) -> list[NewRun | Single | Rows]:
        """Return what the Run does not hold yet, and set aside what contradicts it."""
        comparison = self._shared.get(run)
        if comparison is None or self._ends.get(run) != ordinals:
            comparison = self._shared[run] = Comparison(session, run)
        unstored: list[NewRun | Single | Rows] = []
        for entry in comparison.unstored(session, entries):
            if isinstance(entry, Aside):
                _store_aside(session, entry)
            else:
                unstored.append(entry)
        return unstored

    def _store_start(self, session: Session, entry: NewRun, changed: int) -> None:
        place = place_of_start(entry.start)
        number = session.insert(
            "insert_run",
            uid=text_key(entry.run),
            time=run_time(entry.start),
            place=place,
            scan_id=scan_id_of_start(entry.start),
            start=stored(entry.start),
            ordinals=1,
            version=0,
            changed=changed,
            indexed=1,
        )
        self._index(session, number, place, entry.start, None)

    def _store_single(self, session: Session, run: int, ordinal: int, entry: Single) -> None:
        session.run(
            "insert_document",
            run=run,
            ordinal=ordinal,
            kind=text_key(entry.kind),
            uid=text_key(entry.uid),
            stream=None if entry.stream is None else text_key(entry.stream),
            body=stored(entry.document),
        )

    def _store_stop(
        self, session: Session, run: int, ordinal: int, place: float, entry: Single
    ) -> None:
        """Write a Run Stop, which takes the place of an earlier one in searches."""
        earlier = session.one("stop_of", run=run)
        if earlier is not None:
            index = index_entries({}, restored(earlier[0]))
            session.many("delete_value", self._values(session, run, place, index.rows))
        self._store_single(session, run, ordinal, entry)
        session.run("update_stop", run=run, new_stop=ordinal)
        self._index(session, run, place, {}, entry.document)

    def _index(
        self,
        session: Session,
        run: int,
        place: float,
        start: JSONDocument,
        stop: JSONDocument | None,
    ) -> None:
        """Write what search finds a Run by."""
        index = index_entries(start, stop)
        session.many("insert_value", self._values(session, run, place, index.rows))
        if not index.complete:
            session.run("update_indexed", run=run)

    def _values(
        self, session: Session, run: int, place: float, rows: Iterable[tuple[str, bytes]]
    ) -> list[dict[str, Any]]:
        return [
            {"path": self._path(session, path), "value": value, "time": place, "run": run}
            for path, value in rows
        ]

    def _path(self, session: Session, path: str) -> int:
        number = self._paths.get(path)
        if number is None:
            row = session.one("path_id", path=path)
            number = row[0] if row else session.insert("insert_path", path=path)
            if len(self._paths) < 100_000:
                self._paths[path] = number
        return number

    # Rows

    def _store_rows(
        self,
        session: Session,
        run: str,
        number: int,
        parent: str,
        buffer: RowBuffer,
        stopped: bool,
        left: Left,
    ) -> None:
        place = self._place_of(session, run, number, buffer.kind, parent)
        rows = StoredRows(session, place.run, place.parent, place.kind)
        first, has_tail = rows.count(), rows.has_tail()
        if buffer.count >= WINDOW or (stopped and not has_tail):
            _store_pages(session, place, first, buffer.table())
        else:
            ordinals, documents = buffer.documents()
            session.run(
                "insert_tail",
                run=place.run,
                parent=place.parent,
                first=first,
                count=buffer.count,
                body=stored([ordinals, documents]),
            )
            if rows.tail_count() >= LONG_TAIL:
                left.grown.add(place)

    def _place_of(
        self, session: Session, run: str, number: int, kind: RowKind, parent: str
    ) -> Place:
        key = (number, kind.name, parent)
        place = self._places.get(key)
        if place is None:
            row = session.one(
                "parent", uid=text_key(run), parent=text_key(parent), kind=kind.parent
            )
            assert row is not None  # noqa: S101 - an inbox passes on rows of known parents only
            place = self._places[key] = Place(row[0], row[1], kind)
        return place

    # Folding: small stretches of rows become pages

    def fold(self, place: Place, tail_only: bool) -> Iterator[None]:
        """Rewrite small stretches of rows as pages, a transaction at each step.

        Parameters
        ----------
        place
            Whose rows.
        tail_only
            Leave the pages as they are.
        """
        for group in folds(self._stretches(place, tail_only)):
            self._fold_group(place, group)
            yield

    def _stretches(self, place: Place, tail_only: bool) -> list[Stretch]:
        with self._database.reading_to_write() as session:
            return _stretches_of(session, place, ("tail",) if tail_only else ("page", "tail"))

    def _fold_group(self, place: Place, group: Sequence[Stretch]) -> None:
        first, last = group[0], group[-1]
        with self._database.reading_to_write() as session:
            rows = StoredRows(session, place.run, place.parent, place.kind)
            table = rows.table(first.first, last.first + last.count, None)
        with self._database.writing(durable=False) as session:
            there = {*_stretches_of(session, place, ("page", "tail"))}
            if not there.issuperset(group):  # another process was faster
                return
            for stretch in group:
                if stretch.table == "page":
                    session.run("delete_chunks", number=stretch.number)
                session.run(f"delete_{stretch.table}", number=stretch.number)
            _store_pages(session, place, first.first, table)

    # Documents without a place

    def claim(self, parent: str) -> list[tuple[str, bytes]]:
        """Take away the documents that wait for a parent; return their kinds and bytes."""
        with self._database.writing(durable=False) as session:
            waiting = session.all("waiting", parent_uid=text_key(parent))
            session.many("delete_aside", ({"number": number} for number, _, _ in waiting))
        return [(kind, body) for _, kind, body in waiting]


Group: TypeAlias = list[Stretch]


def folds(stretches: Sequence[Stretch]) -> list[Group]:
    """Return which neighbors are to become one page.

    Examples
    --------
    >>> tail = [Stretch("tail", n, 8192 + 100 * n, 100) for n in range(3)]
    >>> [len(group) for group in folds([Stretch("page", 0, 0, 8192), *tail])]
    [3]
    """
    groups: list[Group] = [[]]
    for stretch in stretches:
        group = groups[-1]
        follows = not group or stretch.first == group[-1].first + group[-1].count
        if not follows or sum(member.count for member in group) + stretch.count > PAGE_ROWS:
            groups.append([])
        groups[-1].append(stretch)
    return [group for group in groups if len(group) > 1 or (group and group[0].table == "tail")]


def _stretches_of(session: Session, place: Place, tables: Iterable[str]) -> list[Stretch]:
    stretches = [
        Stretch(table, *row)
        for table in tables
        for row in session.all(
            f"{table}_sizes", run=place.run, parent=place.parent, start=-1, stop=2**62
        )
    ]
    return sorted(stretches, key=lambda stretch: stretch.first)


def _store_pages(session: Session, place: Place, first: int, table: Table) -> None:
    """Write a table as pages of a size that is good to read."""
    for start in range(0, table.count, PAGE_ROWS):
        stop = min(start + PAGE_ROWS, table.count)
        _store_page(session, place, first + start, _rows_between(table, start, stop))


def _rows_between(table: Table, start: int, stop: int) -> Table:
    columns = {key: rows_of(column, start, stop) for key, column in table.columns.items()}
    return Table(stop - start, columns)


def _store_page(session: Session, place: Place, first: int, table: Table) -> None:
    stored = dump(table)
    size = sum(map(len, stored.bodies))
    if size > PAGE_BYTES and table.count > 1:
        half = table.count // 2
        _store_page(session, place, first, _rows_between(table, 0, half))
        _store_page(session, place, first + half, _rows_between(table, half, table.count))
        return
    packed = size <= PACKED_BYTES
    number = session.insert(
        "insert_page",
        run=place.run,
        parent=place.parent,
        first=first,
        count=table.count,
        head=stored.head,
        body=b"".join(stored.bodies) if packed else None,
    )
    if not packed:
        chunks = enumerate(stored.bodies)
        session.many(
            "insert_chunk", ({"page": number, "place": at, "body": body} for at, body in chunks)
        )


def _store_aside(session: Session, entry: Aside) -> None:
    problem = entry.problem
    session.run(
        "insert_aside",
        problem=problem.kind,
        kind=text_key(problem.name),
        uid=text_key(problem.uid),
        run=None if problem.run is None else text_key(problem.run),
        parent=None if entry.parent is None else text_key(entry.parent),
        reason=text_key(problem.reason),
        body=stored(problem.document),
    )
