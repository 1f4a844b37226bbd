"""SQL statements, written once in SQLAlchemy and said in the dialect of each database.

A statement is compiled once for each dialect and then executed by the driver itself, which takes
microseconds where SQLAlchemy's own execution takes a hundred.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from databroker.documents.pages import ROW_PARENTS
from databroker.stores.protocol import Order
from databroker.stores.schema import (
    aside,
    chunk,
    document,
    meta,
    metadata,
    page,
    path,
    run,
    tail,
    value,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in one dialect: its text, its parameters in order, and those that are fixed."""

    text: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]

    @classmethod
    def of(cls, clause: sa.ClauseElement, dialect: Dialect, *, bound: bool = False) -> "Statement":
        """Compile a clause; `bound`: all its parameters have values, lists among them."""
        options = {"render_postcompile": True} if bound else {}
        compiled = clause.compile(dialect=dialect, compile_kwargs=options)
        parameters: Mapping[str, Any] = compiled.params or {}
        fixed = {name: item for name, item in parameters.items() if item is not None}
        names = getattr(compiled, "positiontup", None) or parameters
        return cls(str(compiled), tuple(names), fixed)

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the parameters in the order that the driver takes them in."""
        fixed = self.fixed
        return [values[name] if name in values else fixed.get(name) for name in self.names]


def create_statements(dialect: Dialect) -> list[str]:
    """Return what creates all tables and their indexes."""
    tables = metadata.sorted_tables
    creations = [CreateTable(table) for table in tables]
    indexes = [
        CreateIndex(index)
        for table in tables
        for index in sorted(table.indexes, key=lambda index: str(index.name))
    ]
    return [str(clause.compile(dialect=dialect)) for clause in (*creations, *indexes)]


def visible(*columns: Any) -> sa.Select:
    """Select from Runs that are not marked as deleted."""
    return sa.select(*columns).where(run.c.deleted.is_(None))


def ordered(select: sa.Select, order: Order) -> sa.Select:
    """Put Runs in order."""
    if order is Order.NEWEST_FIRST:
        return select.order_by(run.c.place.desc(), run.c.id.desc())
    return select.order_by(run.c.place, run.c.id)


def behind(select: sa.Select, order: Order, place: Any, number: Any) -> sa.Select:
    """Leave out the Runs up to this place."""
    here = sa.tuple_(run.c.place, run.c.id)
    there = sa.tuple_(place, number)
    return select.where(here < there if order is Order.NEWEST_FIRST else here > there)


def upper_bound(prefix: str) -> str:
    """Return a text above all that begin with the prefix."""
    return prefix + "\U0010ffff"


def _of_run(*columns: Any, kind: str | None = None) -> sa.Select:
    """Select from the documents of the Run `uid`, in order of arrival."""
    select = (
        sa.select(*columns)
        .select_from(run.join(document, document.c.run == run.c.id))
        .where(run.c.uid == sa.bindparam("uid"))
        .order_by(document.c.ordinal)
    )
    return select if kind is None else select.where(document.c.kind == kind)


def _rows(table: sa.Table, *columns: Any) -> sa.Select:
    """Select stretches of rows of one parent that lie between `start` and `stop`, in order."""
    return (
        sa.select(*columns)
        .where(
            table.c.run == sa.bindparam("run"),
            table.c.parent == sa.bindparam("parent"),
            table.c.first < sa.bindparam("stop"),
            table.c.first + table.c.count > sa.bindparam("start"),
        )
        .order_by(table.c.first)
    )


def _last(table: sa.Table) -> sa.Select:
    """Select the end of the last stretch of rows of one parent."""
    return (
        sa.select(table.c.first + table.c.count)
        .where(table.c.run == sa.bindparam("run"), table.c.parent == sa.bindparam("parent"))
        .order_by(table.c.first.desc())
        .limit(1)
    )


def _insert(table: sa.Table, *left_out: str) -> sa.Insert:
    """Insert a row, each column of which is a parameter of its name."""
    columns = {
        column.name: sa.bindparam(column.name)
        for column in table.columns
        if column.name not in left_out
    }
    return sa.insert(table).values(columns)


def _event_count(table: sa.Table) -> sa.ScalarSelect[Any]:
    """Count the rows of all Event Descriptors."""
    return (
        sa.select(sa.func.coalesce(sa.func.sum(table.c.count), 0))
        .select_from(
            table.join(
                document,
                sa.and_(document.c.run == table.c.run, document.c.ordinal == table.c.parent),
            )
        )
        .where(document.c.kind == "descriptor")
        .scalar_subquery()
    )


_stop = document.alias("stop")

_STATEMENTS: dict[str, sa.ClauseElement] = {
    # Runs
    "run_by_uid": visible(run.c.uid).where(run.c.uid == sa.bindparam("uid")),
    "runs_by_prefix": ordered(
        visible(run.c.uid).where(
            run.c.uid >= sa.bindparam("uid"), run.c.uid < sa.bindparam("bound")
        ),
        Order.NEWEST_FIRST,
    ).limit(sa.bindparam("limit")),
    "runs_by_scan_id": ordered(
        visible(run.c.uid).where(run.c.scan_id == sa.bindparam("scan_id")), Order.NEWEST_FIRST
    ).limit(sa.bindparam("limit")),
    "newest": ordered(visible(run.c.uid), Order.NEWEST_FIRST).limit(sa.bindparam("limit")),
    "oldest": ordered(visible(run.c.uid), Order.OLDEST_FIRST).limit(sa.bindparam("limit")),
    "newest_behind": ordered(
        behind(
            visible(run.c.uid),
            Order.NEWEST_FIRST,
            sa.bindparam("place", type_=sa.Float),
            sa.bindparam("number", type_=sa.BigInteger),
        ),
        Order.NEWEST_FIRST,
    ).limit(sa.bindparam("limit")),
    "oldest_behind": ordered(
        behind(
            visible(run.c.uid),
            Order.OLDEST_FIRST,
            sa.bindparam("place", type_=sa.Float),
            sa.bindparam("number", type_=sa.BigInteger),
        ),
        Order.OLDEST_FIRST,
    ).limit(sa.bindparam("limit")),
    "place": visible(run.c.place, run.c.id).where(run.c.uid == sa.bindparam("uid")),
    "count_runs": visible(sa.func.count()).select_from(run),
    "start": visible(run.c.start).where(run.c.uid == sa.bindparam("uid")),
    "stop": visible(_stop.c.body)
    .select_from(
        run.outerjoin(_stop, sa.and_(_stop.c.run == run.c.id, _stop.c.ordinal == run.c.stop))
    )
    .where(run.c.uid == sa.bindparam("uid")),
    "version": visible(run.c.version).where(run.c.uid == sa.bindparam("uid")),
    # Documents of a Run
    "streams": _of_run(document.c.stream, kind="descriptor"),
    "of_kind": _of_run(document.c.body).where(document.c.kind == sa.bindparam("kind")),
    "of_other_kinds": _of_run(document.c.ordinal, document.c.kind, document.c.body).where(
        *(document.c.kind != kind for kind in ROW_PARENTS),
        sa.or_(run.c.stop.is_(None), document.c.ordinal != run.c.stop),
    ),
    "singles": _of_run(document.c.kind, document.c.uid, document.c.body),
    "parent": _of_run(document.c.run, document.c.ordinal)
    .where(document.c.uid == sa.bindparam("parent"), document.c.kind == sa.bindparam("kind"))
    .limit(1),
    "parents": _of_run(document.c.uid).where(document.c.kind == sa.bindparam("kind")),
    "run_of": sa.select(run.c.uid)
    .select_from(run.join(document, document.c.run == run.c.id))
    .where(document.c.uid == sa.bindparam("uid"), document.c.kind == sa.bindparam("kind"))
    .order_by(run.c.id.desc())
    .limit(1),
    # Rows
    "pages": _rows(page, page.c.id, page.c.first, page.c.count, page.c.head, page.c.body),
    "tails": _rows(tail, tail.c.first, tail.c.count, tail.c.body),
    "chunk": sa.select(chunk.c.body).where(
        chunk.c.page == sa.bindparam("page"), chunk.c.place == sa.bindparam("place")
    ),
    "page_end": _last(page),
    "tail_end": _last(tail),
    "tail_rows": sa.select(sa.func.coalesce(sa.func.sum(tail.c.count), 0)).where(
        tail.c.run == sa.bindparam("run"), tail.c.parent == sa.bindparam("parent")
    ),
    "page_sizes": _rows(page, page.c.id, page.c.first, page.c.count),
    "tail_sizes": _rows(tail, tail.c.id, tail.c.first, tail.c.count),
    # Writing
    "run_for_writing": sa.select(run.c.id, run.c.ordinals, run.c.place).where(
        run.c.uid == sa.bindparam("uid")
    ),
    "insert_run": _insert(run, "id", "stop", "deleted"),
    "update_run": sa.update(run)
    .where(run.c.id == sa.bindparam("run"))
    .values(
        ordinals=sa.bindparam("new_ordinals"),
        version=run.c.version + 1,
        changed=sa.bindparam("new_changed"),
    ),
    "update_stop": sa.update(run)
    .where(run.c.id == sa.bindparam("run"))
    .values(stop=sa.bindparam("new_stop")),
    "update_indexed": sa.update(run).where(run.c.id == sa.bindparam("run")).values(indexed=0),
    "insert_document": _insert(document),
    "insert_page": _insert(page, "id"),
    "insert_chunk": _insert(chunk),
    "insert_tail": _insert(tail, "id"),
    "delete_page": sa.delete(page).where(page.c.id == sa.bindparam("number")),
    "delete_chunks": sa.delete(chunk).where(chunk.c.page == sa.bindparam("number")),
    "delete_tail": sa.delete(tail).where(tail.c.id == sa.bindparam("number")),
    "insert_aside": _insert(aside, "id"),
    "asides": sa.select(
        aside.c.problem, aside.c.kind, aside.c.uid, aside.c.run, aside.c.reason, aside.c.body
    ).order_by(aside.c.id),
    "waiting": sa.select(aside.c.id, aside.c.kind, aside.c.body)
    .where(aside.c.parent == sa.bindparam("parent_uid"))
    .order_by(aside.c.id),
    "delete_aside": sa.delete(aside).where(aside.c.id == sa.bindparam("number")),
    "path_id": sa.select(path.c.id).where(path.c.path == sa.bindparam("path")),
    "insert_path": _insert(path, "id"),
    "insert_value": _insert(value),
    "delete_value": sa.delete(value).where(
        *(column == sa.bindparam(column.name) for column in value.primary_key)
    ),
    "stop_of": sa.select(document.c.body)
    .select_from(
        run.join(document, sa.and_(document.c.run == run.c.id, document.c.ordinal == run.c.stop))
    )
    .where(run.c.id == sa.bindparam("run")),
    # The store
    "count_events": sa.select(_event_count(page) + _event_count(tail)),
    "count_asides": sa.select(sa.func.count()).select_from(aside),
    "meta": sa.select(meta.c.key, meta.c.value),
    "insert_meta": _insert(meta),
    "changed": sa.select(meta.c.value).where(meta.c.key == "changed"),
    "update_changed": sa.update(meta)
    .where(meta.c.key == "changed")
    .values(value=sa.bindparam("new_changed")),
}


class Statements:
    """All fixed statements in one dialect, each compiled when first used."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._compiled: dict[str, Statement] = {}

    def __getitem__(self, name: str) -> Statement:
        statement = self._compiled.get(name)
        if statement is None:
            statement = self._compiled[name] = Statement.of(_STATEMENTS[name], self.dialect)
        return statement


class Session:
    """A cursor that knows the statements.

    Parameters
    ----------
    cursor
        Of the driver.
    statements
        In the driver's dialect.
    """

    __slots__ = ("_cursor", "_statements")

    def __init__(self, cursor: Any, statements: Statements) -> None:
        self._cursor = cursor
        self._statements = statements

    def all(self, name: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows."""
        statement = self._statements[name]
        self._cursor.execute(statement.text, statement.parameters(values))
        return self._cursor.fetchall()

    def one(self, name: str, **values: Any) -> tuple[Any, ...] | None:
        """Return the first row, None if there is none."""
        statement = self._statements[name]
        self._cursor.execute(statement.text, statement.parameters(values))
        return self._cursor.fetchone()

    def run(self, name: str, **values: Any) -> None:
        """Execute a statement that returns nothing."""
        statement = self._statements[name]
        self._cursor.execute(statement.text, statement.parameters(values))

    def insert(self, name: str, **values: Any) -> int:
        """Execute an insert; return the id of the new row."""
        self.run(name, **values)
        return self._cursor.lastrowid

    def many(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute a statement for each row of values."""
        statement = self._statements[name]
        self._cursor.executemany(statement.text, [statement.parameters(row) for row in rows])

    def select(self, clause: sa.ClauseElement) -> list[tuple[Any, ...]]:
        """Return all rows of a statement that is made for one question."""
        statement = Statement.of(clause, self._statements.dialect, bound=True)
        self._cursor.execute(statement.text, statement.parameters({}))
        return self._cursor.fetchall()

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a statement that only one database knows, such as a PRAGMA."""
        self._cursor.execute(text, parameters)
        return self._cursor.fetchall()


@cache
def statements_for(dialect_name: str) -> Statements:
    """Return the statements in a dialect, shared by all stores of the process."""
    if dialect_name != "sqlite":
        raise NotImplementedError(dialect_name)
    from sqlalchemy.dialects import sqlite

    return Statements(sqlite.dialect(paramstyle="qmark"))
